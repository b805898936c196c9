"""The server's settings: one table behind the command line, the file and the reference."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import BadSetting, ConfigFileUnreadable
from secure_chat.server import config


def written(folder: Path, text: str) -> Path:
    file = folder / "server.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_need_no_file() -> None:
    """Without any setting the server listens on loopback alone and invites."""
    plain = config.load(None, {})
    assert (plain.host, plain.port, plain.registration) == ("127.0.0.1", 7443, "invite")


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """A setting given twice is the command line's; others come from the file."""
    file = written(tmp_path, 'host = "::"\nport = 7000\n')
    loaded = config.load(file, {"port": 7001})
    assert (loaded.host, loaded.port) == ("::", 7001)


def test_paths_in_the_file_count_from_its_folder(tmp_path: Path) -> None:
    """The server may be started from anywhere; absolute paths and ~ stay what they are."""
    file = written(tmp_path, 'cert = "tls/a.pem"\nkey = "/etc/a.key"\ndata_dir = "~/data"\n')
    loaded = config.load(file, {})
    assert loaded.cert == tmp_path / "tls/a.pem"
    assert loaded.key == Path("/etc/a.key")
    assert loaded.data_dir == Path("~/data").expanduser()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "prot: there is no such setting"),
        ("port = 70000", "port: it takes a whole number from 0 to 65535, and not 70000"),
        ("port = 1" + "0" * 30, "port: it takes a whole number from 0 to 65535, and not 10000"),
        ('port = "7443"', "port: it takes a whole number from 0 to 65535, and not the text '7443'"),
        ("port = true", "port: it takes a whole number from 0 to 65535, and not true"),
        ('registration = "everybody"', "registration: it takes one of open, invite, closed, and"),
        ('data_dir = ""', "data_dir: it takes a path, and not an empty text"),
        ("cert = [1]", "cert: it takes a path, and not a list"),
        ('host = ""', "host: it takes a text that is not empty, and not an empty text"),
        ("log_addresses = 1", "log_addresses: it takes true or false, and not 1"),
        ("retention_days = 0", "retention_days: it takes a whole number from 1 to 365, and not 0"),
        ('advertise = "a b/c"', "advertise: 'a b/c' is no HOST:PORT"),
        ("[table]\nx = 1", "table: there is no such setting"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, words: str) -> None:
    """Each mistake is said with the setting's name as it stands in the file."""
    with pytest.raises(BadSetting, match=re.escape(words)):
        config.load(written(tmp_path, text), {})


def test_a_wrong_option_is_named_as_an_option() -> None:
    """On the command line the same mistake is said with the option's name."""
    with pytest.raises(BadSetting, match="--port: it takes a whole number from 0 to 65535"):
        config.load(None, {"port": 65536})


def test_every_number_has_a_range() -> None:
    """Whoever writes one down wrongly is told both ends, in the help and in the reference too."""
    numbers = [setting for setting in config.settings() if setting.kind is int]
    assert len(numbers) > 3
    for setting in numbers:
        assert setting.range == f"from {setting.least} to {setting.most}"
        assert None not in (setting.least, setting.most)
        assert f"({setting.range})" in config.reference()


@pytest.mark.parametrize(
    "data", [b"port = ", b"\xff\xfe", b"a = " + b"[" * 5000, b"port = " + b"7" * 5000]
)
def test_a_file_that_is_no_toml_is_said(tmp_path: Path, data: bytes) -> None:
    """Damaged files, and those in another encoding, are one sentence."""
    file = tmp_path / "server.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigFileUnreadable, match="it is no TOML"):
        config.load(file, {})


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A mistyped name is not taken for an empty configuration."""
    with pytest.raises(ConfigFileUnreadable, match="No such file"):
        config.load(tmp_path / "none.toml", {})


@given(
    st.dictionaries(
        st.sampled_from([s.name for s in config.settings()]) | st.text(max_size=8),
        st.integers() | st.text(max_size=12) | st.booleans() | st.none() | st.lists(st.integers()),
    )
)
def test_any_values_are_a_configuration_or_a_named_mistake(values: dict[str, object]) -> None:
    """Whatever is given ends in a checked configuration or in BadSetting."""
    try:
        loaded = config.load(None, values)
    except BadSetting:
        return
    assert 0 <= loaded.port <= 65535
    assert isinstance(loaded.cert, Path)


def test_every_setting_is_described() -> None:
    """The reference has a line for each setting, with its option and its meaning."""
    lines = config.reference().splitlines()[2:]
    assert len(lines) == len(config.settings())
    for setting, line in zip(config.settings(), lines, strict=True):
        assert setting.description
        assert f"`{setting.flag}`" in line
