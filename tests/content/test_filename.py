"""Names of files, as a peer chooses them: what is shown is what is saved, and it is only a name."""

import json
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.client.content import checked_media_type, cleaned_file_name
from secure_chat.client.content.filename import NAME_BYTES
from secure_chat.errors import BadEncoding

VECTOR = json.loads(
    (Path(__file__).parents[1] / "vectors" / "files.json").read_text(encoding="utf-8")
)
_HOSTILE = st.text(
    st.sampled_from("./\\:%2f\u202e\u2066\0\n \u200d\u2800\u3164~-conCON1lpt\u0301\ufb01x"),
    max_size=30,
)

_DEVICE_NAMES = {"con", "prn", "aux", "nul", "conin$", "conout$"} | {
    device + digit for device in ("com", "lpt") for digit in "0123456789¹²³"
}


@pytest.mark.parametrize("case", VECTOR["names"], ids=lambda case: ascii(case["sent"])[:40])
def test_the_vectors_hold(case: dict[str, str]) -> None:
    """The names of files.json, as PROTOCOL.md 13.2 says."""
    assert cleaned_file_name(case["sent"]) == case["shown"]


@given(_HOSTILE | st.text(max_size=300))
@example("../../../etc/passwd")
@example("..")
@example("%2e%2e%2fpasswd")
@example("\\\\server\\share\\x")
@example("C:x")
@example("x\udcff")
@example("COM\u00b9.txt")
def test_attack_57_a_name_never_leaves_its_folder(name: str) -> None:
    """On Linux, macOS and Windows it is one plain component, of a file and no device; so twice."""
    clean = cleaned_file_name(name)
    assert cleaned_file_name(clean) == clean
    assert PurePosixPath("folder", clean).parent == PurePosixPath("folder")
    windows = PureWindowsPath("C:/folder", clean)
    assert windows.parent == PureWindowsPath("C:/folder")
    assert clean.split(".")[0].strip().lower() not in _DEVICE_NAMES
    assert clean not in {"", ".", ".."}
    assert not clean.startswith((".", "-", "~", " "))
    assert not clean.endswith((".", " "))
    assert 1 <= len(clean.encode()) <= NAME_BYTES


@given(_HOSTILE | st.text(max_size=300))
@example("invoice\u202efdp.exe")
@example("photo.jpg" + " " * 200 + ".exe")
@example("photo.jpg" + "\u2800" * 90 + ".exe")
@example("x" * 400 + ".pdf.exe")
def test_attack_59_the_real_ending_is_seen(name: str) -> None:
    """No control turns letters around, no blank pushes the ending away; the ending survives."""
    clean = cleaned_file_name(name)
    for one in clean:
        assert one in " \u200c\u200d" or unicodedata.category(one)[0] in "LMNPS"
        assert one not in "\u2800\u3164\u115f\u1160\uffa0"
    assert "  " not in clean
    if name.endswith(".exe"):
        assert clean.endswith(".exe")


def test_media_types_have_one_form() -> None:
    """Lower case, no parameters, nothing that a program could take for an instruction."""
    assert checked_media_type("image/svg+xml") == "image/svg+xml"
    for wrong in ("", "image", "Image/PNG", "text/html; x", "a/" + "b" * 127, "../x", "a/b\n"):
        with pytest.raises(BadEncoding):
            checked_media_type(wrong)
