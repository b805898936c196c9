"""What people compare: `secure_chat.crypto.fingerprint`."""

from secure_chat.crypto.fingerprint import account_fingerprint, safety_number
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


def test_an_account_fingerprint_is_eight_groups_of_digits() -> None:
    """40 digits, another for every key, and no part of any safety number."""
    shown = account_fingerprint(KEY_A)
    groups = shown.split(" ")
    assert len(groups) == 8
    assert all(len(group) == 5 and group.isdecimal() for group in groups)
    assert shown != account_fingerprint(KEY_B)
    assert not set(groups) & set(safety_number(ALICE, BOB, SERVER))
