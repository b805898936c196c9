"""Replies, edits, deletions, reactions, timers and profiles from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import Listener, Person, ServerProcess
from tests.support.waiting import wait_for


@pytest.fixture
def pair(
    server: ServerProcess, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[Person, Person]:
    """Two people of this test alone, who have answered each other."""
    suffix = f"{abs(hash(request.node.name)) % 10**6}"
    ann = Person.registered(f"ann{suffix}", tmp_path, server)
    ben = Person.registered(f"ben{suffix}", tmp_path, server)
    for one, other in ((ann, ben), (ben, ann)):
        assert one.send(other.name, f"hello from {one.name}").code == 0
        assert other.run("listen", "--json", "--count", "1", "--for", "60").code == 0
    return ann, ben


def done(person: Person, *arguments: str, text: str | None = None) -> str:
    finished = person.run(*arguments, text=text)
    assert finished.code == 0, finished
    return finished.out


def of_type(listener: Listener, kind: str) -> list[dict[str, Any]]:
    return [line for line in listener.messages() if line["type"] == kind]


def wait_change(listener: Listener, **facts: object) -> dict[str, Any]:
    """The first change with these facts."""

    def found() -> list[dict[str, Any]]:
        changes = of_type(listener, "changed")
        return [one for one in changes if all(one.get(k) == v for k, v in facts.items())]

    wait_for(lambda: bool(found()), 40, f"a change with {facts}: {listener.out}")
    return found()[0]


def test_changes_travel_and_are_listened_to(pair: tuple[Person, Person]) -> None:
    """Every change of a script is a JSON line for the other's script, and in both exports."""
    ann, ben = pair
    with ben.listen() as heard:
        done(ann, "send", "--reply", "last", ben.name, "I answer")
        wait_for(lambda: "I answer" in heard.texts(), 40, "the answer")
        answer = of_type(heard, "message")[-1]
        assert answer["answers"]["text"] == f"hello from {ben.name}"
        assert answer["answers"]["ours"] is True
        assert done(ann, "edit", ben.name, "last", text="I answer, corrected") == "Edited.\n"
        edited = wait_change(heard, text="I answer, corrected")
        assert edited["number"] == answer["number"]
        assert edited["edited"]
        assert done(ann, "react", ben.name, "last", "👍") == "Reacted.\n"
        wait_change(heard, ours=True, reactions=[{"ours": False, "emoji": "👍"}])
        assert done(ann, "react", ben.name, "last") == "Reaction withdrawn.\n"
        assert done(ann, "timer", ben.name, "1h") == (
            "Messages disappear 1 hour after they are read.\n"
        )
        wait_for(lambda: "1 hour" in heard.out, 40, "the notice of the timer")
        assert done(ann, "timer", ben.name, "off") == "Messages stay.\n"
        assert done(ann, "delete", ben.name, "last") == "Deleted.\n"
        wait_change(heard, deleted=True, text="")
    for person, other in ((ann, ben), (ben, ann)):
        lines = person.history(other.name)
        assert [one for one in lines if one.get("deleted")]
        assert "corrected" not in json.dumps(lines)


def test_an_export_holds_every_version(pair: tuple[Person, Person]) -> None:
    """What was edited is exported with all its texts, as JSON; as text, the newest with a mark."""
    ann, ben = pair
    done(ann, "edit", ben.name, "last", "second")
    done(ann, "edit", ben.name, "last", "third")
    line = next(one for one in ann.history(ben.name) if one.get("edited"))
    assert line["text"] == "third"
    assert [one["text"] for one in line["versions"]] == [
        f"hello from {ann.name}",
        "second",
        "third",
    ]
    assert "third  [" in done(ann, "export", ben.name, "--format", "text")
    assert "edited" in done(ann, "export", ben.name, "--format", "text")


def test_a_message_is_removed_here_alone(pair: tuple[Person, Person]) -> None:
    """``--here`` needs no server and tells nobody."""
    ann, ben = pair
    assert done(ann, "delete", "--here", ben.name, "last") == "Removed from this device.\n"
    assert len(ann.history(ben.name)) == 1
    assert len(ben.history(ann.name)) == 2


def test_a_profile_says_what_others_learn(pair: tuple[Person, Person]) -> None:
    """The careful choices stand until changed; a name reaches the other's profile."""
    ann, ben = pair
    facts = json.loads(done(ann, "profile", "--json"))
    assert facts == {
        "user": ann.name,
        "display_name": None,
        "read_receipts": "verified",
        "typing": "verified",
    }
    done(ann, "profile", "--display-name", "آن", "--read-receipts", "nobody")
    facts = json.loads(done(ann, "profile", "--json"))
    assert facts["display_name"] == "آن"
    assert (facts["read_receipts"], facts["typing"]) == ("nobody", "verified")
    assert "Typing is shown to: verified contacts" in done(ann, "profile")
    assert ben.run("listen", "--for", "1").code == 0


MISTAKES = [
    (("edit", "{ben}", "0", "x"), "neither the number of a message nor last"),
    (("edit", "{ben}", "99999", "x"), "There is no message 99999"),
    (("react", "{ben}", "last", "ok"), "one emoji, without letters"),
    (("timer", "{ben}", "1s"), "Messages disappear after 5 seconds"),
    (("timer", "{ben}", "soon"), "no time such as"),
    (("profile", "--display-name", "x" * 65), "longer than 64"),
    (("profile", "--typing", "everybody"), "invalid choice"),
    (("send", "--reply", "99999", "{ben}", "x"), "There is no message 99999"),
]


def test_mistakes_are_one_line(pair: tuple[Person, Person]) -> None:
    """Each wrong call says what is wrong, in one line, and changes nothing."""
    ann, ben = pair
    before = ann.history(ben.name)
    for arguments, words in MISTAKES:
        finished = ann.run(*(part.format(ben=ben.name) for part in arguments))
        assert finished.code in {1, 2}, finished
        assert words in finished.err
        assert len(finished.err.splitlines()) == 1
        assert finished.out == ""
    assert ann.history(ben.name) == before
