"""Make the test vectors of the encryption.

    python3 scripts/make_vectors.py [--out tests/vectors]

Everything is deterministic: randomness is a counter under SHA-256, and each draw is written down.
Only ML-KEM's encapsulation cannot be told its randomness, so its results are kept in
``ml-kem-encapsulations.json`` and used again; delete that file to get new ones. PROTOCOL.md 10
explains the files.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _vector_files import files
from _vector_long import LONG
from _vector_refusals import invalid_initial, invalid_ratchet
from _vector_scenes import DAY, SERVER, Draws, Encapsulations, Json, Party, Scene
from _vector_signed import bundles, manifests, signatures
from _vector_states import stored_states
from _vector_wire import wire
from secure_chat.crypto import fingerprint, kdf, keys, padding, pqxdh
from secure_chat.crypto.state import VERSION
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "tests" / "vectors"


# ---------------------------------------------------------------- the conversations


def first_message(kem: Encapsulations) -> Json:
    scene = Scene(kem, "a session begun with one-time keys; the first message and its answer")
    scene.start(scene.alice)
    scene.say(scene.alice, "سلام Bob")
    scene.say(scene.bob, "hello Alice")
    scene.say(scene.alice, "no initial prefix any more")
    return scene.file


def last_resort(kem: Encapsulations) -> Json:
    scene = Scene(kem, "no one-time keys left: last-resort KEM key, no DH4", one_time=False)
    scene.start(scene.alice)
    scene.say(scene.alice, "hello")
    scene.say(scene.bob, "hello")
    return scene.file


def out_of_order(kem: Encapsulations) -> Json:
    scene = Scene(kem, "late, reordered and repeated messages within and across chains")
    scene.start(scene.alice)
    first = [scene.seal(scene.alice, f"initial {n}") for n in range(3)]
    scene.open(scene.bob, first[2])
    scene.say(scene.bob, "answer")
    second = [scene.seal(scene.alice, f"second chain {n}") for n in range(4)]
    for body in (second[2], first[0], second[0], second[3], first[1], second[1]):
        scene.open(scene.bob, body)
    for body, why in ((second[1], "read before"), (first[0], "its chain's keys are used up")):
        scene.open(scene.bob, body, why)
    return scene.file


def both_start(kem: Encapsulations) -> Json:
    scene = Scene(kem, "both start at once: both then send on the smaller session id")
    scene.start(scene.alice)
    scene.start(scene.bob)
    bodies_sent = [
        (scene.bob, scene.seal(scene.alice, "a")),
        (scene.alice, scene.seal(scene.bob, "b")),
    ]
    for who, body in bodies_sent:
        scene.open(who, body)
    scene.say(scene.alice, "on the smaller id")
    scene.say(scene.bob, "and so do I")
    return scene.file


def restart(kem: Encapsulations) -> Json:
    scene = Scene(
        kem, "one side loses its sessions and starts anew: the restart is preferred", one_time=False
    )
    scene.start(scene.alice)
    scene.say(scene.alice, "one")
    scene.say(scene.bob, "two")
    late = scene.seal(scene.bob, "still on the old session")
    scene.forget(scene.bob)
    scene.open(scene.bob, scene.seal(scene.alice, "for a lost session"), "the session is lost")
    scene.now += 60_000
    scene.start(scene.bob, anew=True)
    scene.say(scene.bob, "I start anew")
    scene.open(scene.alice, late)
    scene.say(scene.alice, "on the new session")
    return scene.file


def post_quantum(kem: Encapsulations) -> Json:
    scene = Scene(kem, "a day passes: offer, answer and mix of a post-quantum step")
    scene.start(scene.alice)
    scene.say(scene.alice, "hello")
    scene.say(scene.bob, "hello")
    scene.now += DAY
    scene.say(scene.alice, "with the offer")
    scene.say(scene.bob, "with the answer")
    scene.say(scene.alice, "mixes step 1")
    scene.say(scene.bob, "goes on")
    scene.say(scene.alice, "goes on too")
    return scene.file


# ---------------------------------------------------------------- single functions


def functions(_: Encapsulations) -> Json:
    draws = Draws("functions")
    root, shared, secret, binding = (draws(32) for _ in range(4))
    message_key, chain_key = kdf.chain_step(kdf.ChainKey(root))
    plain = kdf.root_step(kdf.RootKey(root), shared, None)
    mix = kdf.Mix(7, kdf.StepSecret(secret), binding)
    mixed = kdf.root_step(kdf.RootKey(root), shared, mix)
    names = ("root_key", "chain_key", "next_header_key")
    private = keys.DeviceDhPrivate(draws(32))
    return {
        "shows": "the functions that everything is made of",
        "chain_step": {
            "chain_key": root.hex(),
            "gives": {"message_key": message_key.raw.hex(), "chain_key": chain_key.raw.hex()},
        },
        "root_step": {
            "root_key": root.hex(),
            "dh": shared.hex(),
            "gives": {name: key.raw.hex() for name, key in zip(names, plain, strict=True)},
        },
        "root_step_with_mix": {
            "root_key": root.hex(),
            "dh": shared.hex(),
            "step": 7,
            "secret": secret.hex(),
            "binding": binding.hex(),
            "gives": {name: key.raw.hex() for name, key in zip(names, mixed, strict=True)},
        },
        "padding": [
            {"plaintext": bytes(size).hex(), "padded": padding.pad(bytes(size)).hex()}
            for size in (0, 1, 255, 256, 511)
        ],
        "bad_padding": [
            each.hex()
            for each in (b"", bytes(256), b"\x80" + bytes(254), b"\x80" + bytes(511), b"\x01" * 256)
        ],
        "x25519": {
            "private": private.raw.hex(),
            "refused": [
                number.to_bytes(32, "little").hex()
                for number in sorted(
                    {*keys._LOW_ORDER, 2**255 - 19, 2**255 - 18, 2**255, 2**256 - 1}
                )
            ],
        },
    }


def fingerprints(_: Encapsulations) -> Json:
    draws = Draws("fingerprints")
    one, two = AccountKey(draws(32)), AccountKey(draws(32))
    sides = ((UserId("alice"), one), (UserId("bob"), two))
    return {
        "shows": "account fingerprints and the safety number of a pair, the same for both",
        "server_id": SERVER.hex(),
        "accounts": [
            {
                "user_id": user_id,
                "account_key": key.hex(),
                "fingerprint": fingerprint.account_fingerprint(key),
            }
            for user_id, key in sides
        ],
        "safety_number": " ".join(fingerprint.safety_number(*sides, SERVER)),
        "qr_shown_by_alice": fingerprint.qr_content(*sides, SERVER),
    }


def transcript(kem: Encapsulations) -> Json:
    """H(T) and the keys of a handshake with every input spelled out."""
    alice, bob = Party("alice", kem), Party("bob", kem)
    ephemeral = keys.PrekeyPrivate(Draws("ephemeral")(32))
    secret, ciphertext = kem.large(bob.kem_prekey.key)
    kem.taken()
    assert bob.one_time is not None
    dh = [
        alice.device.dh.agree(bob.signed_prekey.key, ""),
        ephemeral.agree(bob.device.dh.public, ""),
        ephemeral.agree(bob.signed_prekey.key, ""),
        ephemeral.agree(bob.one_time.key, ""),
    ]
    cases = []
    for with_one_time in (True, False):
        material = pqxdh.Prekeys(
            1,
            bob.signed_prekey.key,
            3 if with_one_time else None,
            bob.one_time.key if with_one_time else b"",
            bob.kem_kind,
            2,
            bob.kem_prekey.key,
        )
        used = dh if with_one_time else dh[:3]
        digest = pqxdh.transcript_hash(
            alice.device, bob.device, material, ephemeral.public, ciphertext, 0
        )
        derived = pqxdh._session_keys(digest, used, secret)
        cases.append(
            {
                "one_time_prekey_used": with_one_time,
                "dh": [each.hex() for each in used],
                "kem_secret": secret.hex(),
                "transcript_hash": digest.hex(),
                "root_key": derived.root.raw.hex(),
                "initiator_header_key": derived.initiator_header.raw.hex(),
                "responder_header_key": derived.responder_header.raw.hex(),
            }
        )
    return {
        "shows": "the transcript's hash and the keys derived from it",
        "parties": {party.name: party.described() for party in (alice, bob)},
        "ephemeral_private": ephemeral.raw.hex(),
        "ciphertext": ciphertext.hex(),
        "restart": 0,
        "cases": cases,
    }


FILES: dict[str, Callable[[Encapsulations], Json]] = {
    "functions": functions,
    "fingerprints": fingerprints,
    "handshake-transcript": transcript,
    "signatures": signatures,
    "manifests": manifests,
    "bundles": bundles,
    "wire": wire,
    "files": files,
    "session-first-message": first_message,
    "session-last-resort-key": last_resort,
    "session-out-of-order": out_of_order,
    "session-both-start": both_start,
    "session-restart": restart,
    "session-post-quantum-step": post_quantum,
    **LONG,
    f"stored-states-{VERSION}": stored_states,
    "invalid-ratchet-messages": invalid_ratchet,
    "invalid-initial-messages": invalid_initial,
}


def make(out: Path) -> list[Path]:
    """Write all files; return them."""
    out.mkdir(parents=True, exist_ok=True)
    kem = Encapsulations(out / "ml-kem-encapsulations.json")
    written = []
    made = {name: maker(kem) for name, maker in FILES.items()}
    made["ml-kem-encapsulations"] = kem.file()
    for name, content in made.items():
        file = out / f"{name}.json"
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        written.append(file)
    return written


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Make the test vectors of the encryption.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder to write to")
    for file in make(parser.parse_args().out):
        print(f"{file.stat().st_size:>8} {file}")


if __name__ == "__main__":
    main()
