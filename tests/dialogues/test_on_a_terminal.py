"""What a person sees and types who uses the commands on a terminal."""

import sys
from pathlib import Path

import pytest

from tests.support.processes import Person, ServerProcess, environment
from tests.support.terminal import Terminal

SECRET = "typed by hand"


def on_a_terminal(person: Person, *arguments: str) -> Terminal:
    """A command without --password-file: it has to ask."""
    command = [sys.executable, "-m", "secure_chat.client", "--profile", str(person.profile)]
    return Terminal([*command, *arguments], person.folder, environment(person.home))


@pytest.fixture(scope="module")
def alice(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Registered by hand: name and password are asked for, the password twice and unseen."""
    person = Person("alice-at-a-terminal", tmp_path_factory.mktemp("people"), SECRET)
    with on_a_terminal(person, "register", "--link", str(server.link())) as terminal:
        terminal.expect("Name: ")
        terminal.type("Alice-T\n")
        terminal.expect("Password: ")
        terminal.type(f"{SECRET}\n")
        terminal.expect("again: ")
        terminal.type(f"{SECRET}\n")
        terminal.expect("Registered alice-t at ")
        assert terminal.end() == 0
        assert SECRET not in terminal.shown
    return person


@pytest.fixture(scope="module")
def bob(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person.registered("bob-t", tmp_path_factory.mktemp("people"), server)


def test_two_different_passwords_make_no_profile(server: ServerProcess, tmp_path: Path) -> None:
    """A slip of the hand is noticed before anything is made."""
    person = Person("slip", tmp_path)
    arguments = ("register", "--link", str(server.link()), "--name", "slip-t")
    with on_a_terminal(person, *arguments) as terminal:
        terminal.expect("Password: ")
        terminal.type("one thing\n")
        terminal.expect("again: ")
        terminal.type("another\n")
        terminal.expect("secure-chat: No password: the two differ.\n")
        assert terminal.end() == 2
    assert not person.profile.exists()


def test_a_short_password_makes_no_profile_anywhere(server: ServerProcess, tmp_path: Path) -> None:
    """The window's rule holds here too, before it is typed again; in a file as well."""
    person = Person("short", tmp_path, "seven 7")
    arguments = ("register", "--link", str(server.link()), "--name", "short-t")
    refusal = "This password cannot be used: it has fewer than 8 characters."
    with on_a_terminal(person, *arguments) as terminal:
        terminal.expect("Password: ")
        terminal.type("seven 7\n")
        terminal.expect(refusal)
        assert terminal.end() == 1
        assert "again" not in terminal.shown
    done = person.run(*arguments)
    assert done.code == 1
    assert refusal in done.err
    assert not person.profile.exists()


def test_ctrl_c_at_the_password_is_quiet(alice: Person) -> None:
    """Nothing but the prompt, and the customary exit code."""
    with on_a_terminal(alice, "listen") as terminal:
        terminal.expect("Password: ")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.shown


def test_verifying_asks_and_takes_only_a_yes(alice: Person, bob: Person) -> None:
    """The number is shown; "no" changes nothing, "yes" marks as verified."""
    for answer, outcome, code in (("no", "Nothing was changed.", 1), ("yes", "is verified.", 0)):
        with on_a_terminal(alice, "verify", "bob-t") as terminal:
            terminal.expect("Password: ")
            terminal.type(f"{SECRET}\n")
            terminal.expect("Safety number with bob-t:\n")
            terminal.expect("The same? [yes/no] ")
            terminal.type(f"{answer}\n")
            terminal.expect(outcome)
            assert terminal.end() == code


def test_listening_is_ended_by_ctrl_c(alice: Person, bob: Person) -> None:
    """A message appears as a line while one listens; Ctrl-C ends with 130 and no complaint."""
    with on_a_terminal(alice, "listen") as terminal:
        terminal.expect("Password: ")
        terminal.type(f"{SECRET}\n")
        terminal.expect("online (X25519MLKEM768)\n")
        assert bob.send("alice-t", "سلام").code == 0
        terminal.expect("bob-t: سلام\n")
        terminal.type("\x03")
        assert terminal.end() == 130
        assert "Traceback" not in terminal.shown


def test_an_account_is_deleted_by_typing_its_name(server: ServerProcess, tmp_path: Path) -> None:
    """Told what is lost, asked for the name and about the profile; then both are gone."""
    person = Person.registered("leaver-t", tmp_path, server)
    words = ("delete-account", "--password-file", str(person.password_file))
    with on_a_terminal(person, *words) as terminal:
        terminal.expect("Type the account's name to delete it: ")
        assert "for good" in terminal.shown
        terminal.type("leaver\n")
        terminal.expect("nothing was deleted")
        assert terminal.end() == 1
    shown = person.run("my-data", "--json")
    assert shown.code == 0, shown
    assert '"user_id": "leaver-t"' in shown.out
    with on_a_terminal(person, *words) as terminal:
        terminal.expect("Type the account's name to delete it: ")
        terminal.type("Leaver-T\n")
        terminal.expect("The account leaver-t is deleted at the server.")
        terminal.expect("from this device too? [yes/no] ")
        terminal.type("yes\n")
        terminal.expect("is removed from this device.")
        assert terminal.end() == 0
    assert not person.profile.exists()
    again = Person("again-t", tmp_path)
    done = again.run("register", "--link", str(server.link()), "--name", "leaver-t")
    assert done.code == 1
    assert "taken" in done.err


def test_the_operators_ctrl_d_is_no_yes(server: ServerProcess) -> None:
    """The end of input at the question changes nothing, and is no mistake of the program."""
    command = [*server._program(), "rotate-cert", *server._place(), "--new-key"]
    with Terminal(command, server.folder, environment(server.folder / "home")) as terminal:
        terminal.expect("Type yes to go on: ")
        terminal.type("\x04")
        terminal.expect("The certificate was not replaced: as you wished.")
        assert terminal.end() == 2
