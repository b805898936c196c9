"""A second implementation, from PROTOCOL.md alone, reproduces the vectors byte by byte.

Those of sessions, padding, fingerprints, manifests and sealed files. The others (`wire`, `bundles`,
`invalid-…`) say what is refused, which the second implementation does not look for.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from tests.crypto.second_documents import Manifest, digest, open_file, padded_size, seal_file
from tests.crypto.second_implementation import Device, fields, pad

FOLDER = Path(__file__).resolve().parent.parent / "vectors"
# The second implementation keeps no limits and looks for no contradictions in what is authentic.
LIMITS = {"session-skipped-messages"}
UNSEEN = {"PqStepConflict", "UnexpectedPqMix"}
SESSIONS = sorted({file.stem for file in FOLDER.glob("session-*.json")} - LIMITS)


def _load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("name", SESSIONS)
def test_every_conversation_is_reproduced(name: str) -> None:
    """Prefixes, bodies, contents and root keys are the same in both implementations."""
    vector = _load(name)
    alice, bob = (vector["parties"][name] for name in ("alice", "bob"))
    devices = {"alice": Device(alice, bob), "bob": Device(bob, alice)}
    for step in vector["steps"]:
        device = devices[step["who"]]
        if step.get("gives", {}).get("error") in UNSEEN:
            continue
        if "error" in step.get("gives", {}):
            with pytest.raises(LookupError):
                device.run(step)
            continue
        gives = device.run(step)
        assert gives == {name: step["gives"][name] for name in gives}


def test_padding_and_fingerprints_are_reproduced() -> None:
    """What stands beside the sessions in the document is enough, too."""
    for case in _load("functions")["padding"]:
        assert pad(bytes.fromhex(case["plaintext"])).hex() == case["padded"]
    vector = _load("fingerprints")

    def digits(data: bytes, groups: int) -> list[str]:
        parts = [data[5 * n : 5 * n + 5] for n in range(groups)]
        return [f"{int.from_bytes(part, 'big') % 100_000:05d}" for part in parts]

    halves = []
    for account in vector["accounts"]:
        key = bytes.fromhex(account["account_key"])
        shown = hashlib.sha512(b"secure_chat/1 account fingerprint" + fields(b"\1", key)).digest()
        assert " ".join(digits(shown, 8)) == account["fingerprint"]
        named = fields(b"\1", f"{account['user_id']}@{vector['server_id']}".encode(), key)
        salt = b"secure_chat/1 safety number"
        halves.append(digits(hashlib.pbkdf2_hmac("sha512", named, salt, 16384, 64), 6))
    assert " ".join(group for half in sorted(halves) for group in half) == vector["safety_number"]
    code = "01" + "".join(group for half in halves for group in half)
    assert code == vector["qr_shown_by_alice"]


def test_manifests_are_reproduced() -> None:
    """Bytes, hash and signature of an account's first two device lists."""
    vector = _load("manifests")
    previous = bytes(32)
    for described in vector["chain"]:
        manifest = Manifest(described, previous)
        assert manifest.encoded.hex() == described["manifest"]
        assert (
            manifest.signed_by(bytes.fromhex(vector["account_seed"])).hex()
            == (described["signature"])
        )
        previous = hashlib.sha256(manifest.encoded).digest()
        assert previous.hex() == described["hash"]


def _file(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def test_sealed_files_are_reproduced() -> None:
    """Sizes, every sealed byte, and what does not open: chunks in another order, of another key."""
    vector = _load("files")
    for case in vector["sizes"]:
        padded = padded_size(case["size"])
        assert (padded, padded + 16 * -(-padded // 65_536)) == (case["padded"], case["sealed"])
    for case in vector["sealed"]:
        key = bytes.fromhex(case["key"])
        sealed = seal_file(key, _file(case["size"]))
        assert (len(sealed), digest(sealed)) == (case["sealed_size"], case["sha256"])
        assert sealed.hex() == case.get("sealed", sealed.hex())
        assert open_file(key, sealed, case["size"]) == _file(case["size"])
    invalid = vector["invalid"]
    whole = seal_file(bytes.fromhex(invalid["key"]), _file(invalid["size"]))
    chunks = [whole[at : at + 65_552] for at in range(0, len(whole), 65_552)]
    refused = [case for case in invalid["refused"] if "order" in case]
    assert len(refused) > 2
    for case in refused:
        sealed = b"".join(chunks[number] for number in case["order"])
        sealed = sealed[: len(sealed) - case.get("cut", 0)]
        with pytest.raises((InvalidTag, LookupError)):
            open_file(bytes.fromhex(case["key"]), sealed, case["size"])
