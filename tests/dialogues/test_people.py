"""Requests, block, contact links and the password from the command line."""

import sys
from pathlib import Path

import pytest

from tests.support.processes import PASSWORD, Person, ServerProcess, environment
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def pair(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[Person, Person]:
    """Two people for all tests here; the second asks to be asked."""
    folder = tmp_path_factory.mktemp("people")
    ann, ben = (Person.registered(name, folder, server) for name in ("ann", "ben"))
    assert done(ben, "strangers", "ask").startswith("ask:")
    return ann, ben


def done(person: Person, *arguments: str) -> str:
    finished = person.run(*arguments)
    assert finished.code == 0, finished
    return finished.out


def test_a_script_learns_who_asks_and_reads_only_after_accepting(
    pair: tuple[Person, Person], server: ServerProcess, tmp_path: Path
) -> None:
    """`listen` names the stranger once and prints no word of theirs; `accept` opens it."""
    ann, ben = Person.registered("stranger", tmp_path, server), pair[1]
    with ben.listen() as heard:
        assert ann.send(ben.name, "a secret of strangers").code == 0
        assert ann.send(ben.name, "and another").code == 0
        wait_for(lambda: bool(heard.messages()), 40, "the request")
    assert heard.messages() == [{"type": "request", "from": ann.name}]
    assert "secret" not in heard.out + heard.err
    assert done(ben, "requests") == f"{ann.name}\n"
    assert ben.history(ann.name) == []
    assert ann.name in done(ben, "accept", ann.name)
    assert done(ben, "requests") == ""
    assert [line["text"] for line in ben.history(ann.name)] == [
        "a secret of strangers",
        "and another",
    ]


def test_a_blocked_sender_is_not_heard_until_unblocked(pair: tuple[Person, Person]) -> None:
    """What came meanwhile never appears, one cannot write to them, and later messages arrive."""
    ann, ben = pair
    done(ben, "accept", ann.name)
    done(ben, "block", ann.name)
    assert ann.send(ben.name, "hello?").code == 0
    with ben.listen() as heard:
        assert ann.send(ben.name, "are you there?").code == 0
    assert ann.name not in {message["from"] for message in heard.messages()}
    refused = ben.send(ann.name, "no")
    assert refused.code == 1
    assert "blocked" in refused.err
    done(ben, "unblock", ann.name)
    assert ann.send(ben.name, "and now?").code == 0
    with ben.listen() as heard:
        wait_for(lambda: "and now?" in heard.texts(), 40, "what came after the block")
    assert not {"hello?", "are you there?"} & set(heard.texts())


def test_a_contact_link_verifies(pair: tuple[Person, Person]) -> None:
    """Printed by one, opened by the other; a script must say that it decides."""
    ann, ben = pair
    link = done(ann, "contact-link").strip()
    assert f"contact={ann.name}" in link
    refused = ben.run("contact-link", link)
    assert refused.code == 2
    assert "no terminal" in refused.err
    assert done(ben, "contact-link", "--yes", link) == f"{ann.name} is verified.\n"
    assert "verified" in done(ben, "fingerprint", ann.name)
    broken = ben.run("contact-link", "--yes", link[:-3])
    assert broken.code == 2
    assert "contact link" in broken.err


def test_the_password_is_changed_and_the_old_one_refused(
    pair: tuple[Person, Person], tmp_path: Path
) -> None:
    """From files and from a terminal; a slip of the second typing changes nothing."""
    ann, _ = pair
    fresh = tmp_path / "new-password"
    fresh.write_text("another one entirely\n", encoding="utf-8")
    assert "changed" in done(ann, "password", "--new-password-file", str(fresh))
    refused = ann.run("requests")
    assert refused.code == 1
    assert "password is wrong" in refused.err
    ann.password_file.write_text("another one entirely\n", encoding="utf-8")
    assert done(ann, "requests") == ""
    command = [sys.executable, "-m", "secure_chat.client", "password", "--profile"]
    terminal = Terminal([*command, str(ann.profile)], ann.folder, environment(ann.home))
    with terminal as asked:
        for question, answer in (
            ("Password: ", "another one entirely"),
            ("New password: ", PASSWORD),
            ("again: ", "slip"),
        ):
            asked.expect(question)
            asked.type(f"{answer}\n")
        assert asked.end() == 2
    assert done(ann, "requests") == ""
