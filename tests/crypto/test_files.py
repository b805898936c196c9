"""Sealed files: what comes back is the whole file, or nothing is."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given, settings
from hypothesis import strategies as st

from secure_chat.crypto.files import CHUNK, FileKey, Opener, Sealer, padded_size, sealed_size
from secure_chat.errors import BadEncoding, FileChanged, FileTooLong
from secure_chat.protocol import limits

VECTOR: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parent.parent / "vectors" / "files.json").read_text("utf-8")
)
KEY = FileKey(bytes(range(32)))
SEALED_CHUNK = CHUNK + 16
SIZES = st.integers(0, 3 * CHUNK) | st.sampled_from(
    [0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1]
)


def pattern(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


def seal(key: FileKey, plain: bytes, step: int = CHUNK) -> bytes:
    sealer = Sealer(key, len(plain))
    parts = [sealer.update(plain[at : at + step]) for at in range(0, len(plain), step)]
    return b"".join([*parts, sealer.finish()])


def unseal(key: FileKey, size: int, sealed: bytes, step: int = CHUNK) -> bytes:
    opener = Opener(key, size)
    parts = [opener.update(sealed[at : at + step]) for at in range(0, len(sealed), step)]
    return b"".join([*parts, opener.finish()])


def by_the_document(key: bytes, plain: bytes, padded: int) -> bytes:
    """PROTOCOL.md 13.1 written down once more, without any code of the product."""
    payload_key = HKDF(SHA256(), 32, b"", b"secure_chat/1 file").derive(key)
    data = plain + bytes(padded - len(plain))
    chunks = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
    return b"".join(
        ChaCha20Poly1305(payload_key).encrypt(
            number.to_bytes(11, "big") + bytes([number == len(chunks) - 1]), chunk, None
        )
        for number, chunk in enumerate(chunks)
    )


def test_the_vectors_hold() -> None:
    """Sizes, bytes and hashes of files.json come out, here and by the document alone."""
    for case in VECTOR["sizes"]:
        assert padded_size(case["size"]) == case["padded"]
        assert sealed_size(case["size"]) == case["sealed"]
    for case in VECTOR["sealed"]:
        key, plain = bytes.fromhex(case["key"]), pattern(case["size"])
        sealed = seal(FileKey(key), plain)
        assert sealed == by_the_document(key, plain, padded_size(len(plain)))
        assert sealed.hex() == case.get("sealed", sealed.hex())
        digest = Hash(SHA256())
        digest.update(sealed)
        assert (len(sealed), digest.finalize().hex()) == (case["sealed_size"], case["sha256"])
        assert unseal(FileKey(key), len(plain), sealed) == plain


@pytest.mark.parametrize("case", VECTOR["invalid"]["refused"], ids=lambda case: case["why"])
def test_attack_60_truncated_dropped_and_swapped_chunks_are_refused(case: dict[str, Any]) -> None:
    """Each broken file of the vectors ends in the named error, in one piece or in many."""
    good = VECTOR["invalid"]
    sealed = seal(FileKey(bytes.fromhex(good["key"])), pattern(good["size"]))
    chunks = [sealed[at : at + SEALED_CHUNK] for at in range(0, len(sealed), SEALED_CHUNK)]
    broken = b"".join(chunks[each] for each in case["order"])
    broken = broken[: len(broken) - case.get("cut", 0)]
    assert case["error"] == BadEncoding.__name__
    for step in (1 << 20, 1000):
        with pytest.raises(BadEncoding):
            unseal(FileKey(bytes.fromhex(case["key"])), case["size"], broken, step)


@given(SIZES, st.integers(1000, 200_000), st.integers(1000, 200_000))
@settings(max_examples=40, deadline=None)
def test_a_file_comes_back_however_it_is_cut(size: int, one: int, other: int) -> None:
    """The sealed bytes depend on the file alone, not on the pieces in which it was read."""
    sealed = seal(KEY, pattern(size), one)
    assert len(sealed) == sealed_size(size)
    assert sealed == seal(KEY, pattern(size), other)
    assert unseal(KEY, size, sealed, other) == pattern(size)


@given(SIZES, st.integers(0, 10**9), st.integers(1, 255))
@example(0, 0, 1)
@settings(max_examples=60, deadline=None)
def test_attack_60_every_altered_byte_is_refused(size: int, at: int, change: int) -> None:
    """Wherever a byte differs, the file does not open."""
    sealed = bytearray(seal(KEY, pattern(size)))
    sealed[at % len(sealed)] ^= change
    with pytest.raises(BadEncoding):
        unseal(KEY, size, bytes(sealed))


@given(st.integers(1, limits.FILE))
@example(limits.FILE)
@example(4097)
def test_padding_hides_sizes_and_costs_little(size: int) -> None:
    """At most 12 % and never less than the file; larger files never become smaller ones."""
    padded = padded_size(size)
    assert size <= padded <= max(4096, size * 1.12)
    assert padded_size(padded) == padded
    assert padded_size(size - 1) <= padded


def test_padding_leaves_few_sizes() -> None:
    """Among all sizes up to a MiB the server tells less than 200 apart."""
    assert len({padded_size(size) for size in range(0, 1 << 20, 64)}) < 200


def test_a_file_that_changes_while_it_is_read_is_noticed() -> None:
    """More or less than its size was: no sealed file comes out."""
    with pytest.raises(FileChanged):
        Sealer(KEY, 10).update(bytes(11))
    with pytest.raises(FileChanged):
        Sealer(KEY, 10).finish()


def test_attack_61_a_claimed_terabyte_costs_nothing() -> None:
    """A size above the limit is refused before anything is allocated for it."""
    for make in (padded_size, sealed_size, lambda size: Opener(KEY, size)):
        with pytest.raises(FileTooLong):
            make(10**12)
    sealed = seal(KEY, b"small")
    with pytest.raises(BadEncoding):
        unseal(KEY, limits.FILE, sealed)


def test_two_files_share_no_key_and_a_key_shows_nowhere() -> None:
    """Keys are drawn for each file, and do not print."""
    assert seal(FileKey(bytes(32)), b"x") != seal(FileKey(bytes(31) + b"\1"), b"x")
    assert repr(KEY) == "<FileKey redacted>"
