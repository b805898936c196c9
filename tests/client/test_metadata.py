"""What a camera wrote into a photograph does not leave with it; the picture itself does."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from secure_chat.client.events import FileState
from secure_chat.client.files.metadata import without_metadata
from tests.client.filing import flow, offer, people, save
from tests.client.sim import Sim

CANARY = b"CANARY 52.5N 13.4E"
DOCS = Path(__file__).parents[2] / "docs"
CODED = b"\x12\x34\xff\x00\x56\xff\xd3\x78" * 40


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(content)) + content


def exif(orientation: int, order: str = ">") -> bytes:
    """As a camera writes it: the orientation, and a text in the same directory."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    entries = [
        struct.pack(order + "HHII", 0x010F, 2, len(CANARY), 38),
        struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0),
    ]
    tiff = mark + struct.pack(order + "IH", 8, 2) + b"".join(entries) + bytes(4) + CANARY
    return segment(0xE1, b"Exif\0\0" + tiff)


JFIF = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\2\1" + CANARY[:6])  # with a thumbnail of 2 by 1
PICTURE = (
    segment(0xDB, bytes(65))
    + segment(0xC0, bytes(15))
    + segment(0xC4, bytes(20))
    + segment(0xDA, bytes(8))
    + CODED
    + segment(0xC4, bytes(20))
    + segment(0xDA, bytes(8))
    + CODED
)
PROFILE = segment(0xE2, b"ICC_PROFILE\0\1\1colours")
ADOBE = segment(0xEE, b"Adobe\0d\0\0\0\0\0")


def jpeg(*first: bytes, behind: bytes = b"") -> bytes:
    return b"\xff\xd8" + b"".join(first) + PICTURE + b"\xff\xd9" + behind


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def png(*more: bytes, behind: bytes = b"") -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"\0\x7f"))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + body + chunk(b"IEND", b"") + behind


@pytest.mark.parametrize("order", "<>")
def test_attack_62_a_photograph_loses_what_the_camera_wrote(order: str) -> None:
    """Exif, XMP, IPTC, comments, thumbnails, makers' segments, and what lies behind the end."""
    dirty = jpeg(
        JFIF, exif(6, order), segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + CANARY),
        segment(0xED, b"Photoshop 3.0\0" + CANARY), segment(0xFE, CANARY),
        segment(0xE2, b"MPF\0" + CANARY), segment(0xE0, b"JFXX\0" + CANARY), PROFILE, ADOBE,
        behind=jpeg(segment(0xFE, CANARY)),
    )  # fmt: skip
    clean = without_metadata(dirty)
    assert clean is not None
    assert CANARY not in clean
    assert CANARY[:6] not in clean
    assert clean.endswith(PROFILE + ADOBE + PICTURE + b"\xff\xd9"), "the picture is untouched"
    assert clean.startswith(b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\2\0\0\1\0\1\0\0\xff\xe1")
    assert b"\x01\x12\0\x03\0\0\0\x01\0\x06" in clean, "it still stands upright"
    assert without_metadata(clean) == clean


def test_a_picture_that_stands_upright_needs_no_exif() -> None:
    """Orientation 1, none, or nonsense: nothing of Exif stays."""
    for first in ([exif(1)], [exif(99)], [segment(0xE1, b"Exif\0\0MM\0*" + b"\xff" * 40)], []):
        assert without_metadata(jpeg(*first)) == jpeg()


def test_attack_62_a_png_loses_texts_times_and_exif() -> None:
    """What shows it rightly stays; whatever lies behind its end goes."""
    gamma, moving = chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"acTL", bytes(8))
    dirty = png(
        gamma, chunk(b"tEXt", b"Comment\0" + CANARY), chunk(b"iTXt", CANARY), moving,
        chunk(b"zTXt", CANARY), chunk(b"eXIf", CANARY), chunk(b"tIME", bytes(7)),
        chunk(b"prVt", CANARY), behind=CANARY,
    )  # fmt: skip
    assert without_metadata(dirty) == png(gamma, moving)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.png")), ids=lambda path: path.name)
def test_real_pictures_keep_every_byte_of_the_picture(path: Path) -> None:
    """The screenshots of the documents: their image data comes through as it is."""
    data = path.read_bytes()
    clean = without_metadata(data)
    assert clean is not None
    assert clean.count(b"IDAT") == data.count(b"IDAT")
    assert len(data) - len(clean) < 2000


@given(
    st.binary(max_size=300)
    | st.binary(max_size=300).map(lambda data: b"\xff\xd8\xff" + data)
    | st.binary(max_size=300).map(lambda data: b"\x89PNG\r\n\x1a\n" + data)
    | st.tuples(st.integers(0, 900), st.integers(0, 255)).map(
        lambda change: (
            (whole := jpeg(JFIF, exif(6), PROFILE))[: change[0] % len(whole)]
            + bytes([change[1]])
            + whole[change[0] % len(whole) + 1 :]
        )
    )
)
@example(b"")
@example(b"\xff\xd8\xff")
@example(jpeg()[:-2])
def test_any_bytes_come_out_and_never_grow(data: bytes) -> None:
    """What is no well-formed picture is not touched; cleaning twice is cleaning once."""
    clean = without_metadata(data)
    assert clean is None or len(clean) <= len(data)
    assert clean is None or without_metadata(clean) == clean


@pytest.mark.parametrize("kept", [False, True])
def test_photographs_are_cleaned_unless_the_person_says_otherwise(
    sim: Sim, tmp_path: Path, folder: Path, kept: bool
) -> None:
    """By default, and by what a file is rather than by its name."""
    source = tmp_path / "holiday"
    source.write_bytes(jpeg(exif(1)))
    offer(sim, source, keep_metadata=kept)
    saved = save(sim, folder)
    expected = jpeg(exif(1)) if kept else jpeg()
    assert Path(saved.path).read_bytes() == expected
    assert saved.size == len(expected)
    assert source.read_bytes() == jpeg(exif(1)), "the person's own file stays as it is"


def test_who_sends_what_cannot_be_cleaned_is_told(sim: Sim, tmp_path: Path) -> None:
    """Other pictures, videos and broken ones, by what they are or are called; and nothing else.

    It stands beside the message as long as that is there, and only at the sender.
    """
    alice, bob = people(sim)
    heic = b"\0\0\0\x18ftypheic" + CANARY
    telling = {
        "holiday.heic": heic, "holiday.jpg": heic, "holiday": heic, "clip.mov": b"moov",
        "a.webp": b"RIFF\1\2\3\4WEBPVP8 ", "scan.tif": b"II*\0" + CANARY, "cut.jpg": jpeg()[:-2],
    }  # fmt: skip
    silent = {"a.jpg": jpeg(exif(6)), "a.png": png(), "a.pdf": b"%PDF", "a.gif": b"GIF89a"}
    for name, data in {**telling, **silent}.items():
        (tmp_path / name).write_bytes(data)
        alice.engine.send_file(bob.name, tmp_path / name)
    alice.engine.send_file(bob.name, tmp_path / "holiday.heic", keep_metadata=True)
    flow(sim)
    files = [line.file for line in alice.lines(bob) if line.file is not None]
    assert {one.state for one in files} == {FileState.SENT}
    assert [one.name for one in files if "may stand in this file" in one.problem] == list(telling)
    assert len(files) == len(telling) + len(silent) + 1
    assert not any(line.file.problem for line in bob.lines(alice) if line.file is not None)
