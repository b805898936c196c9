"""The sign-in screen's decisions: mistakes beside the fields, work beside the window."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_chat.client.events import ConnectionChanged, ConnectionState
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.signin import Entered, Field, SignIn, Stage
from secure_chat.client.presenter.strength import Strength, strength
from secure_chat.client.vault import Vault
from secure_chat.errors import (
    Code,
    ConnectFailed,
    ConnectionLost,
    Refused,
    SettingsUnwritable,
    VaultDamaged,
)
from tests.window.fakes import FakeAccounts, FakeEngine

LINK = "securechat://127.0.0.1:7443/#v=1&invite=" + "A" * 22
PROFILE = KnownProfile(Path("/p/alice"), "alice", "here:7443")


def entered(**changes: str) -> Entered:
    values = {"link": LINK, "name": "Alice", "password": "correct horse", "repeat": "correct horse"}
    return Entered(**{**values, **changes})


def poll_until(signin: SignIn, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, signin.stage
        signin.poll()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        (Field.LINK, {"link": ""}),
        (Field.LINK, {"link": "https://example.org/"}),
        (Field.LINK, {"link": "securechat://host/#v=9"}),
        (Field.NAME, {"name": "9lives"}),
        (Field.NAME, {"name": "علی"}),
        (Field.PASSWORD, {"password": "short", "repeat": "short"}),
        (Field.REPEAT, {"repeat": "another one"}),
        (Field.CA_FILE, {"ca_file": "/no/such/file.pem"}),
    ],
)
def test_a_mistake_is_said_beside_its_field_before_anything_begins(
    field: Field, changes: dict[str, str]
) -> None:
    """In a whole sentence, at that field alone; no profile is made."""
    accounts = FakeAccounts(FakeEngine())
    signin = SignIn(accounts, Words())
    assert not signin.create(entered(**changes))
    assert set(signin.mistakes) == {field}
    assert signin.mistakes[field].endswith(".")
    assert accounts.created == []


def test_a_link_makes_an_account_and_the_conversation_gets_the_first_events() -> None:
    """Keys are made on a thread; the screen changes when the server has answered."""
    engine = FakeEngine()
    accounts = FakeAccounts(engine)
    signin = SignIn(accounts, Words())
    assert signin.create(entered())
    assert signin.stage is Stage.WORKING
    assert signin.progress
    poll_until(signin, lambda: signin.stage is Stage.DONE)
    assert signin.engine is engine
    assert engine.started
    assert accounts.created[0][1] == "alice"
    assert [type(event) for event in signin.seen] == [ConnectionChanged]


@pytest.mark.parametrize(
    ("code", "field"), [(Code.NAME_TAKEN, Field.NAME), (Code.BAD_INVITE, Field.LINK)]
)
def test_a_refused_registration_leads_back_to_its_field(code: Code, field: Field) -> None:
    """Name taken or invite used up: the form comes back, and no half profile stays behind."""
    engine = FakeEngine()
    engine.answer_to_start = ConnectionChanged(ConnectionState.STOPPED, Refused(code))
    accounts = FakeAccounts(engine)
    signin = SignIn(accounts, Words())
    signin.create(entered())
    poll_until(signin, lambda: bool(signin.mistakes))
    assert set(signin.mistakes) == {field}
    assert signin.stage is Stage.FORM
    poll_until(signin, lambda: accounts.discarded)


def test_a_wrong_password_is_said_and_the_right_one_opens() -> None:
    """An empty one is not even tried."""
    engine = FakeEngine()
    signin = SignIn(FakeAccounts(engine, [PROFILE]), Words())
    assert signin.open(PROFILE, "") is False
    assert Field.PASSWORD in signin.mistakes
    assert signin.open(PROFILE, "wrong")
    poll_until(signin, lambda: signin.stage is Stage.FORM)
    assert signin.mistakes == {Field.PASSWORD: "The password is wrong."}
    assert signin.open(PROFILE, "correct horse")
    poll_until(signin, lambda: signin.stage is Stage.DONE)


def test_waiting_for_a_server_can_be_given_up() -> None:
    """What never reached the server is discarded, and the form is there again."""
    engine = FakeEngine()
    engine.may_be_registered = False
    engine.answer_to_start = None
    accounts = FakeAccounts(engine)
    signin = SignIn(accounts, Words())
    signin.create(entered())
    poll_until(signin, lambda: signin.stage is Stage.REGISTERING)
    signin.cancel()
    assert signin.stage is Stage.FORM
    poll_until(signin, lambda: accounts.discarded)


def test_the_password_does_not_print() -> None:
    """What was typed shows no password when it is logged or shown by a debugger."""
    assert "correct horse" not in repr(entered())


def test_strength_grows_with_length_and_not_with_tricks() -> None:
    """Capitals, digits and signs on a usual word, or one's own name, stay weak."""
    assert strength("password1") is Strength.WEAK
    assert strength("P4ssw0rd!") is Strength.WEAK
    assert strength("aaaaaaaaaaaaaaaaaaaa") is Strength.WEAK
    assert strength("alice123", "alice") is Strength.WEAK
    for usual in ("Summer2024!", "Tr0ub4dor&3", "Liverpool1892", "michael1987", "ایران1357"):
        assert strength(usual) is Strength.WEAK, usual
    assert strength("correct horse battery") is Strength.FAIR
    assert strength("correct horse battery staple") is Strength.STRONG
    assert strength("kX9$vQ2m!pR7") is Strength.STRONG
    assert strength("") is strength("   ") is Strength.WEAK


def test_what_the_window_remembers_survives_and_nonsense_does_not(tmp_path: Path) -> None:
    """Language and theme come back; a damaged file means defaults, never an error."""
    path = tmp_path / "deep" / "window.json"
    settings = Settings("fa", "dark", panel_open=False, path=path)
    settings.save()
    assert Settings.load(path, language="en") == settings
    for content in (b"[", b"[1]", b'{"theme": "pink", "language": 3}', b"\xff", b"[" * 4000):
        path.write_bytes(content)
        assert Settings.load(path, language="en") == Settings("en", "light")


def test_settings_that_cannot_be_kept_are_said(tmp_path: Path) -> None:
    """Where they would lie and why not, in place of a choice that is gone at the next start."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsUnwritable, match=r"cannot be kept in .*file: .+\."):
        Settings(path=tmp_path / "file" / "window.json").save()


def typed(field: Field, **changes: str) -> tuple[str, bool]:
    said = SignIn(FakeAccounts(FakeEngine()), Words()).typed(field, entered(**changes))
    return said.text, said.is_mistake


def test_a_mistake_is_said_while_one_types_and_not_before_it_is_one() -> None:
    """A name that is only unfinished is no mistake yet; a wrong letter is one at once."""
    assert typed(Field.NAME, name="") == ("", False)
    rule, wrong = typed(Field.NAME, name="al")
    assert ("3 to 32" in rule, wrong) == (True, False)
    for name in ("9", "علی", "a b", "x" * 33):
        assert typed(Field.NAME, name=name)[1], name
    assert typed(Field.NAME, name="Alice") == ("Others find you as alice.", False)
    assert typed(Field.REPEAT, password="correct horse", repeat="corr") == ("", False)
    assert typed(Field.REPEAT, password="correct horse", repeat="corx")[1]
    assert typed(Field.REPEAT)[0].startswith("✓")
    assert typed(Field.LINK, link="securechat://ho") == ("", False)
    assert "recognised" in typed(Field.LINK, link=f"{LINK}&pin={'A' * 43}")[0]
    assert typed(Field.LINK, link=f"{LINK}&colour=red")[1]


def test_leaving_a_field_says_what_is_wrong_with_it() -> None:
    """What could still become right while one types is a mistake once one goes on."""
    signin = SignIn(FakeAccounts(FakeEngine()), Words())
    for field, changes in (
        (Field.LINK, {"link": "htp:/foo bar"}),
        (Field.NAME, {"name": "al"}),
        (Field.PASSWORD, {"password": "short"}),
        (Field.REPEAT, {"repeat": "corr"}),
        (Field.CA_FILE, {"ca_file": "/no/such/file.pem"}),
    ):
        said = signin.left(field, entered(**changes))
        assert said is not None, field
        assert said.is_mistake
        assert signin.left(field, entered()) is None
        empty = Entered()
        assert signin.left(field, empty) is None, "an empty field is not a mistake yet"


def test_a_contact_link_in_the_place_of_an_invite_is_explained() -> None:
    """While typing and on submission, in the same words."""
    contact = "securechat://h/#v=1&id=" + "A" * 22 + "&contact=bob&key=" + "A" * 43
    said, wrong = typed(Field.LINK, link=contact)
    assert "contact link" in said
    assert wrong
    signin = SignIn(FakeAccounts(FakeEngine()), Words())
    assert not signin.create(entered(link=contact))
    assert signin.mistakes == {Field.LINK: said}


def test_a_server_that_cannot_be_reached_is_said_and_may_be_tried_again() -> None:
    """The reason in words beside the link; the entries stay, and a second try may go through."""
    engine = FakeEngine()
    engine.may_be_registered = False
    problem = ConnectFailed(server="127.0.0.1:7443", reason="connection refused")
    engine.answer_to_start = ConnectionChanged(ConnectionState.OFFLINE, problem, retry_in=2)
    signin = SignIn(FakeAccounts(engine), Words())
    signin.create(entered())
    poll_until(signin, lambda: bool(signin.mistakes))
    assert "connection refused" in signin.mistakes[Field.LINK]
    assert signin.may_retry
    engine.answer_to_start = ConnectionChanged(ConnectionState.ONLINE)
    assert signin.create(entered())
    again: bool = signin.may_retry
    assert not again
    poll_until(signin, lambda: signin.stage is Stage.DONE)


def test_a_registration_whose_answer_is_lost_is_not_thrown_away() -> None:
    """The connection breaks after the registration went out: the server may have the account, so
    its keys stay, the engine asks again, and the first answer that comes ends the wait."""
    engine = FakeEngine()
    lost = ConnectionLost(server="127.0.0.1:7443", reason="connection reset")
    engine.answer_to_start = ConnectionChanged(ConnectionState.OFFLINE, lost, retry_in=2)
    accounts = FakeAccounts(engine)
    signin = SignIn(accounts, Words())
    signin.create(entered())
    poll_until(signin, lambda: "Trying again" in signin.progress)
    assert "connection reset" in signin.progress
    assert signin.stage is Stage.REGISTERING
    engine.tell(ConnectionChanged(ConnectionState.ONLINE))
    poll_until(signin, lambda: signin.stage is Stage.DONE)
    assert not accounts.discarded


def test_giving_up_a_registration_that_went_out_keeps_its_keys() -> None:
    """Only with them can the account be used that the server may have: said, and in the list."""
    engine = FakeEngine()
    engine.answer_to_start = None
    accounts = FakeAccounts(engine)
    signin = SignIn(accounts, Words())
    signin.create(entered())
    poll_until(signin, lambda: signin.stage is Stage.REGISTERING)
    signin.cancel()
    poll_until(signin, lambda: accounts.kept)
    assert signin.stage is Stage.FORM
    assert "may have registered alice" in signin.said
    assert [one.name for one in signin.profiles] == ["alice"]
    assert not accounts.discarded


def test_a_disk_that_refuses_is_said_with_the_systems_reason() -> None:
    """Full, read-only, not ours: the system's own words, not the name of an exception."""
    accounts = FakeAccounts(FakeEngine())
    accounts.error = PermissionError(13, "Permission denied")
    signin = SignIn(accounts, Words())
    signin.create(entered())
    poll_until(signin, lambda: bool(signin.mistakes))
    assert signin.mistakes == {Field.WHOLE: "The system does not allow it: Permission denied."}


def test_a_damaged_vault_is_said_whole_in_persian(tmp_path: Path) -> None:
    """What is wrong with it too: no half of the sentence stays English."""
    folder = tmp_path / "alice"
    Vault.create(folder, "correct horse").close()
    (folder / "key.json").write_bytes(b"{}")
    with pytest.raises(VaultDamaged) as caught:
        Vault.open(folder, "correct horse")
    said = Words("fa").error(caught.value)
    assert said != str(caught.value)
    assert "does not" not in said
