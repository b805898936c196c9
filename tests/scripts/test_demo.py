"""scripts/demo.py, run as a newcomer runs it, and the search that it judges the server by."""

import base64
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _demo import headless, search

from .conftest import ROOT, Run

SECRET = "سلام باب، this is the secret line"


def test_the_headless_demo_from_an_empty_home(run: Run, home: Path, environment: Path) -> None:
    """It prints every line as written, held and read, and ends with 0; nothing stays behind."""
    done = run("scripts/demo.py", "--headless")
    assert done.returncode == 0, done.stdout + done.stderr
    for sender, text in (*headless.TALK, headless.ABSENT):
        reader = {"alice": "Bob", "bob": "Alice"}[sender]
        assert f"{sender.capitalize():<5} wrote  {text}\n" in done.stdout
        assert f"{reader:<5} read   {text}\n" in done.stdout
    assert done.stdout.count("bytes: 01 ") == len(headless.TALK) + 1
    assert "key exchange X25519MLKEM768 and X25519MLKEM768" in done.stdout
    prints = re.findall(r"'s fingerprint +([\d ]+)\n", done.stdout)
    assert len(set(prints)) == 2
    assert re.search(r"safety number +(\d{5} ){11}\d{5}\n", done.stdout)
    assert "no plaintext in any form" in done.stdout
    assert not [path for path in home.rglob("*") if "secure" in path.name]


def test_the_demo_fails_when_the_server_has_seen_a_line(run: Run, environment: Path) -> None:
    """Were one line in the server's folder, in any form, the demo would name it and end with 1."""
    leak = base64.b64encode(b"x" + headless.TALK[2][1].encode()).decode()
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from _bootstrap import environment\n"
        "from _demo import command, headless, search\n"
        "headless.TALK = headless.TALK[2:3]\n"  # the whole talk is another test's
        "real = search.folder\n"
        f"search.folder = lambda path: {{**real(path), 'leaked': {leak.encode()!r}}}\n"
        "sys.exit(command.main(['--headless']))\n"
    )
    done = run("-c", code, python=environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "LEAK" in done.stdout
    assert "leaked holds" in done.stdout
    assert "NOT GOOD" in done.stdout


@pytest.mark.parametrize(
    "data",
    [
        SECRET.encode(),
        SECRET.encode("utf-16-le"),
        SECRET.encode("utf-16-be"),
        SECRET.encode().hex().encode(),
        json.dumps({"text": SECRET}).encode(),
        b"only a part: " + SECRET[9:22].encode(),
        *(base64.b64encode(bytes(shift) + SECRET.encode()) for shift in range(3)),
        *(
            base64.urlsafe_b64encode(bytes(shift) + SECRET.encode("utf-16-le"))
            for shift in range(3)
        ),
    ],
)
def test_plaintext_is_found_in_every_form(data: bytes) -> None:
    """UTF-8, UTF-16, hex, JSON, and base64 wherever it begins; a part is enough."""
    noise = os.urandom(500)
    found = search.find([SECRET], {"clean": noise, "dirty": noise + data + noise})
    assert found
    assert all(line.startswith("dirty holds") for line in found)


@given(st.binary(max_size=5000))
def test_noise_is_no_plaintext(noise: bytes) -> None:
    """Sealed bytes are not taken for a line."""
    assert search.find([SECRET], {"noise": noise}) == []


def test_a_recording_gives_back_what_was_written(tmp_path: Path) -> None:
    """The tap loses nothing, and a frame that is half written does not count yet."""
    from _demo import recorder
    from secure_chat.protocol.frames import Frame

    frames = [(0, Frame(b"{}", b"")), (70_000, Frame(b"header", bytes(range(256)) * 200))]
    tape = tmp_path / "tape"
    with tape.open("wb") as file:
        for connection, frame in frames:
            recorder.write(file, connection, frame)
    assert recorder.read(tape) == frames
    tape.write_bytes(tape.read_bytes()[:-1])
    assert recorder.read(tape) == frames[:1]
    assert recorder.read(tmp_path / "none") == []


@pytest.mark.parametrize("words", [["--nonsense"], ["extra"]])
def test_wrong_arguments_are_one_line(run: Run, words: list[str]) -> None:
    """A wrong argument is one line and exit code 2."""
    done = run("scripts/demo.py", *words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("demo.py: ")
    assert "Traceback" not in done.stderr


@pytest.mark.window
@pytest.mark.skipif(
    shutil.which("Xvfb") is None or shutil.which("xdotool") is None,
    reason="needs Xvfb and xdotool (Debian: apt install xvfb xdotool)",
)
def test_the_demo_opens_two_windows(home: Path, environment: Path) -> None:
    """On a screen both people sign in by themselves; closing both windows ends it with 0."""
    pytest.importorskip("tkinter", reason="needs tkinter (Debian: apt install python3-tk)")
    from tests.window.stage import virtual_screen

    with virtual_screen() as display:
        screen = {**os.environ, "DISPLAY": display, "HOME": str(home)}
        demo = subprocess.Popen(
            [environment, "scripts/demo.py"],
            cwd=ROOT, env=screen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

        def windows(name: str) -> list[str]:
            search = ["xdotool", "search", "--onlyvisible", "--name", name]
            done = subprocess.run(search, env=screen, capture_output=True, text=True)
            return done.stdout.split()

        def window(name: str) -> str:
            deadline = time.monotonic() + 90
            while not (found := windows(name)):
                assert time.monotonic() < deadline
                assert demo.poll() is None, demo.communicate()
                time.sleep(0.2)
            return found[0]

        try:
            both = [
                window(name) for name in ("· alice", "· bob")
            ]  # the titles of signed-in windows
            for one in both:
                keys = ["xdotool", "windowfocus", "--sync", one, "key", "ctrl+q"]
                subprocess.run(keys, env=screen, check=True)
            said, _ = demo.communicate(timeout=60)
        finally:
            if demo.poll() is None:
                demo.terminate()
                demo.communicate()
    assert demo.returncode == 0, said
    assert "Two windows open" in said
