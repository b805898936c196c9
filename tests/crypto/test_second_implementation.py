"""A second implementation, from PROTOCOL.md alone, reproduces the vectors byte by byte."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

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
