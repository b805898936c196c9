"""What people compare: `secure_chat.crypto.fingerprint`."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.crypto.fingerprint import account_fingerprint, check_qr, qr_content, safety_number
from secure_chat.errors import BadQrCode
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey, ServerId
from tests.crypto.support import SERVER

KEY_A, KEY_B = AccountKey(bytes(range(32))), AccountKey(bytes(range(1, 33)))
ALICE, BOB = (UserId("alice"), KEY_A), (UserId("bob"), KEY_B)


def test_both_sides_see_the_same_sixty_digits() -> None:
    """12 groups of 5 digits, whoever computes them."""
    number = safety_number(ALICE, BOB, SERVER)
    assert number == safety_number(BOB, ALICE, SERVER)
    assert len(number) == 12
    assert all(len(group) == 5 and group.isdecimal() for group in number)


def test_attack_25_any_other_key_name_or_server_gives_another_number() -> None:
    """A swapped key shows; so do another name and another server."""
    number = safety_number(ALICE, BOB, SERVER)
    others = [
        safety_number(ALICE, (BOB[0], KEY_A), SERVER),
        safety_number(ALICE, (UserId("bobby"), KEY_B), SERVER),
        safety_number((ALICE[0], KEY_B), (BOB[0], KEY_A), SERVER),
        safety_number(ALICE, BOB, ServerId(bytes(16))),
    ]
    assert len({number, *others}) == 5


def test_attack_27_a_name_that_looks_like_a_key_is_not_one() -> None:
    """Name and key are separate fields: moving bytes from one to the other changes the number."""
    moved = (UserId("alice" + KEY_A[:1].decode()), AccountKey(KEY_A[1:] + b"\0"))
    assert safety_number(moved, BOB, SERVER) != safety_number(ALICE, BOB, SERVER)


def test_a_scanned_code_verifies_the_other_screen_and_only_that() -> None:
    """Bob's screen verifies Bob to Alice; her own screen, other keys and other servers do not."""
    shown = qr_content(BOB, ALICE, SERVER)
    assert len(shown) == 62
    assert shown.isdecimal()
    assert check_qr(shown, ALICE, BOB, SERVER)
    assert not check_qr(qr_content(ALICE, BOB, SERVER), ALICE, BOB, SERVER)
    assert not check_qr(shown, ALICE, (BOB[0], KEY_A), SERVER)
    assert not check_qr(shown, ALICE, BOB, ServerId(bytes(16)))


@given(st.text(max_size=70) | st.text("0123456789٠١", min_size=60, max_size=64))
def test_any_other_text_is_no_code(text: str) -> None:
    """Whatever a camera reads is a difference or `BadQrCode`, never anything else."""
    try:
        assert not check_qr(text, ALICE, BOB, SERVER)
    except BadQrCode:
        return
    assert len(text) == 62
    assert text.startswith("01")


def test_an_account_fingerprint_is_eight_groups_of_digits() -> None:
    """40 digits, another for every key, and no part of any safety number."""
    shown = account_fingerprint(KEY_A)
    groups = shown.split(" ")
    assert len(groups) == 8
    assert all(len(group) == 5 and group.isdecimal() for group in groups)
    assert shown != account_fingerprint(KEY_B)
    assert not set(groups) & set(safety_number(ALICE, BOB, SERVER))


def test_a_number_that_was_shown_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The window asks again whenever somebody comes or goes: that must not cost 30,000 hashes on
    the thread that draws."""
    first = safety_number(ALICE, BOB, SERVER)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", _never)
    assert safety_number(ALICE, BOB, SERVER) == first


def test_a_half_costs_more_than_112_bits_and_serves_no_other_purpose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """30 digits and the rounds for each guess at them, under a label of its own."""
    asked: list[tuple[object, ...]] = []

    def derive(*given: object) -> bytes:
        asked.append(given)
        return bytes(range(64))

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    number = safety_number((UserId("x" * 9), KEY_A), (UserId("y" * 9), KEY_B), SERVER)
    assert len(number) == 12
    for hashed, _, label, rounds in asked:
        assert (hashed, label) == ("sha512", b"secure_chat/1 safety number")
        assert isinstance(rounds, int)
        assert 10**30 * 2 * rounds > 2**112
    assert len(asked) == 2


def _never(*_: object) -> bytes:
    raise AssertionError("worked out again")
