"""Every setting of the server, in one table: the fields of `Config`.

The command line, the TOML file and the reference in the README are all made from it. The command
line wins over the file, the file over the defaults.
"""

import ipaddress
import os
import re
import sys
import tomllib
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import platformdirs
from msgspec import Meta, Struct

from secure_chat.errors import BadInviteLink, BadSetting, ConfigFileUnreadable
from secure_chat.protocol.invite import DEFAULT_PORT, ServerAddress
from secure_chat.server.core.settings import Settings
from secure_chat.server.net.settings import EdgeSettings

Registration = Literal["open", "invite", "closed"]
Directory = Literal["everybody", "by-name"]
LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

FILE_VARIABLE = "SECURE_CHAT_SERVER_CONFIG"
"""The variable that names a file of settings, so that services and containers say it once."""

_MESSAGES = Settings().messages
_SHOWN = 60  # characters of a wrong value
_RELOAD = {"reload": True}
"""Marks a setting that a running server follows when it is told to reload (SIGHUP)."""


def default_data_dir() -> Path:
    """Where this platform keeps a program's data."""
    return platformdirs.user_data_path("secure-chat-server", appauthor=False)


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the operator decides. Each field's description is its documentation."""

    host: Annotated[
        str,
        Meta(
            min_length=1,
            description="name or address to listen on; 0.0.0.0 or :: for every interface",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port to listen on; 0 lets the system choose")
    ] = DEFAULT_PORT
    advertise: Annotated[
        str,
        Meta(
            description="HOST:PORT that invite links name, when clients see another address",
            extra=_RELOAD,
        ),
    ] = ""
    cert: Annotated[Path, Meta(description="the server's certificate (PEM)", extra=_RELOAD)] = Path(
        "certs/server.pem"
    )
    key: Annotated[Path, Meta(description="the certificate's private key (PEM)", extra=_RELOAD)] = (
        Path("certs/server.key")
    )
    data_dir: Annotated[
        Path, Meta(description="folder for the database, the sealed files and the lock")
    ] = msgspec.field(default_factory=default_data_dir)
    registration: Annotated[
        Registration,
        Meta(description="who may make an account: anybody, the invited, nobody", extra=_RELOAD),
    ] = "invite"
    directory: Annotated[
        Directory,
        Meta(
            description="whom people see: all accounts, or only those whose exact names they know"
        ),
    ] = "everybody"
    retention_days: Annotated[
        int,
        Meta(ge=1, le=365, description="how long messages wait for somebody absent", extra=_RELOAD),
    ] = 30
    max_file_mib: Annotated[
        int,
        Meta(
            ge=0,
            le=4096,
            description="size of the largest file in MiB; 0 takes no files",
            extra=_RELOAD,
        ),
    ] = 100
    account_files_mib: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000_000,
            description="what the files of one account may take together, in MiB",
            extra=_RELOAD,
        ),
    ] = 1000
    account_messages: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="messages of up to 4 KiB that one account may send a second, "
            f"beyond {_MESSAGES.burst:,} at once",
        ),
    ] = int(_MESSAGES.per_second)
    connections: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="how many may be connected at once; each takes an open file",
        ),
    ] = EdgeSettings().connections
    metrics: Annotated[
        str,
        Meta(description="HOST:PORT for Prometheus (/metrics) and /healthz; empty: none"),
    ] = ""
    metrics_anywhere: Annotated[
        bool, Meta(description="let metrics listen where others can reach it, in the clear")
    ] = False
    log_addresses: Annotated[
        bool,
        Meta(description="name peers' network addresses in the log", extra=_RELOAD),
    ] = False
    log_format: Annotated[
        LogFormat, Meta(description="lines for people or for programs", extra=_RELOAD)
    ] = "text"
    log_level: Annotated[
        LogLevel, Meta(description="the least important line that is logged", extra=_RELOAD)
    ] = "info"


class Setting(Struct, frozen=True):
    """One line of the table, as the command line and the reference need it."""

    name: str
    kind: Any  # str, int, bool, Path, or a tuple of the permitted words
    default: str
    description: str
    reload: bool  # else only a restart follows it
    least: int | None = None  # of a number, which always has both
    most: int | None = None

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """Which numbers it takes; empty for everything else."""
        return "" if self.kind is not int else f"from {self.least} to {self.most}"

    @property
    def wanted(self) -> str:
        """What it takes, in words."""
        if isinstance(self.kind, tuple):
            return "one of " + ", ".join(self.kind)
        return {
            int: f"a whole number {self.range}",
            bool: "true or false",
            Path: "a path",
        }.get(self.kind, "a text that is not empty")


def settings() -> list[Setting]:
    """The table, in the order of `Config`."""
    hints = get_type_hints(Config, include_extras=True)
    return [_setting(field, hints[field.name]) for field in msgspec.structs.fields(Config)]


def _setting(field: msgspec.structs.FieldInfo, hint: Any) -> Setting:
    kind, meta = get_args(hint)
    if get_origin(kind) is Literal:
        kind = get_args(kind)
    default = str(field.default)
    if field.default is msgspec.NODEFAULT:
        default = "the platform's data folder"
    elif kind is bool:
        default = default.lower()
    reload = bool((meta.extra or {}).get("reload"))
    text = meta.description or ""
    return Setting(field.name, kind, default, text, reload, meta.ge, meta.le)


def from_options(options: Namespace) -> Config:
    """The settings of a command line: its ``--config`` file, and over it what it names.

    Without ``--config`` the file is the one that the environment names. It is read anew each time.
    Raises `ConfigFileUnreadable`, `BadSetting`.
    """
    names = {setting.name for setting in settings()}
    given = {k: v for k, v in vars(options).items() if k in names and v is not None}
    return load(file_of(options), given)


def file_of(options: Namespace) -> Path | None:
    """The file of settings that a command line or the environment names."""
    named = os.environ.get(FILE_VARIABLE, "")
    chosen: Path | None = options.config
    return chosen or (Path(named) if named else None)


def reloaded(old: Config, new: Config) -> tuple[Config, list[str], list[str]]:
    """``old`` with what may change while a server runs taken from ``new``.

    Also the names of the settings that changed, and of those that wait for a restart.
    """
    differing = [one for one in settings() if getattr(old, one.name) != getattr(new, one.name)]
    changed = [one.name for one in differing if one.reload]
    config = msgspec.structs.replace(old, **{name: getattr(new, name) for name in changed})
    return config, changed, [one.name for one in differing if not one.reload]


def load(file: Path | None, given: Mapping[str, object]) -> Config:
    """Read ``file``, lay ``given`` (the command line) over it and check all of it.

    Relative paths in the file count from the file's folder. Raises `ConfigFileUnreadable` and
    `BadSetting`, which names the setting as it was written.
    """
    values: dict[str, object] = {}
    if file is not None:
        values = _read(file)
        _convert(values, _in_file)
        for setting in settings():
            if setting.kind is Path and setting.name in values:
                path = Path(str(values[setting.name])).expanduser()
                values[setting.name] = str(file.parent / path)
    _convert(given, _on_command_line)
    config = _convert({**values, **given}, _in_file)
    if config.advertise:
        advertised(config.advertise)
    if config.metrics:
        metrics_address(config.metrics, anywhere=config.metrics_anywhere)
    return config


def advertised(text: str) -> ServerAddress:
    """The address that invite links name. Raises `BadSetting`."""
    try:
        return ServerAddress.parse(text)
    except BadInviteLink:
        raise BadSetting(
            name="advertise", problem=f"{text!r} is no HOST:PORT, such as chat.example.org:7443"
        ) from None


def metrics_address(text: str, *, anywhere: bool) -> ServerAddress:
    """Where to listen. Raises `BadSetting` for no HOST:PORT, or one that others could reach."""
    try:
        if not re.search(r":\d+$", text):
            raise BadInviteLink(reason="no port")
        address = ServerAddress.parse(text)
    except BadInviteLink:
        problem = f"{text!r} is no HOST:PORT, such as 127.0.0.1:9090"
        raise BadSetting(name="metrics", problem=problem) from None
    if not (anywhere or _is_loopback(address.host)):
        problem = (
            f"{address.host} is not loopback, and metrics are plain HTTP without a password; "
            "if that is meant, set metrics_anywhere too"
        )
        raise BadSetting(name="metrics", problem=problem)
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ConfigFileUnreadable(path=file, reason=wrong.strerror) from None
    except (ValueError, RecursionError) as wrong:  # no UTF-8, no TOML, a number of 5,000 digits
        raise ConfigFileUnreadable(path=file, reason=f"it is no TOML ({wrong})") from None


def _convert(values: Mapping[str, object], spell: Callable[[str], str]) -> Config:
    try:
        return msgspec.convert(values, Config, dec_hook=_path)
    except msgspec.ValidationError as wrong:
        raise _bad_setting(str(wrong), values, spell) from None


def _path(kind: type[Any], value: object) -> Path:
    if kind is not Path:
        raise NotImplementedError(kind)
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("Expected a path")
    return Path(value).expanduser()


def _bad_setting(
    message: str, values: Mapping[str, object], spell: Callable[[str], str]
) -> BadSetting:
    """Which setting the decoder stopped at, as the operator wrote it, and what it takes."""
    if unknown := re.search(r"unknown field `(.*)`", message):
        return BadSetting(name=spell(unknown[1]), problem="there is no such setting")
    name = message.partition(" - at `$.")[2].rstrip("`")
    wanted = {one.name: one.wanted for one in settings()}.get(name)
    if wanted is None:
        return BadSetting(name="configuration", problem="a setting's name is no text")
    problem = f"it takes {wanted}, and not {_shown(values[name])}"
    return BadSetting(name=spell(name), problem=problem)


def _shown(value: object) -> str:
    """A value in the words of the file; of what may be long, only the beginning or the kind."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {value[:_SHOWN]!r}" if value else "an empty text"
    return str(value).lower()[:_SHOWN]


def _in_file(name: str) -> str:
    return name


def _on_command_line(name: str) -> str:
    return "--" + name.replace("_", "-")


def reference() -> str:
    """The table of settings in Markdown, as the README shows it."""
    lines = [
        "| option | in the file | default | on reload | meaning |",
        "|---|---|---|---|---|",
    ]
    for setting in settings():
        words = f" ({', '.join(setting.kind)})" if isinstance(setting.kind, tuple) else ""
        words = f" ({setting.range})" if setting.range else words
        lines.append(
            f"| `{setting.flag}` | `{setting.name}` | {setting.default or '—'} "
            f"| {'yes' if setting.reload else 'restart'} | {setting.description}{words} |"
        )
    return "\n".join(lines)


def example(config: Config) -> str:
    """A file with every setting: those of ``config`` that are not the default, the others as notes.

    Relative paths are written in full, since those in a file count from its folder.
    """
    plain = Config()
    parts = [_FILE_HEAD]
    for setting in settings():
        words = f"\n# one of: {', '.join(setting.kind)}" if isinstance(setting.kind, tuple) else ""
        words = f"\n# {setting.wanted}" if setting.range else words
        when = "" if setting.reload else "\n# followed after a restart"
        value, default = getattr(config, setting.name), getattr(plain, setting.name)
        mark = "" if value != default else "# "
        if mark == "" and isinstance(value, Path):
            value = value.absolute()
        line = f"{mark}{setting.name} = {_toml(value)}"
        parts.append(f"# {setting.description}{words}{when}\n{line}\n")
    return "\n".join(parts)


_FILE_HEAD = """\
# Settings of secure-chat-server: secure-chat-server --config THIS_FILE
# Options of the command line win over this file; relative paths count from its folder.
# A running server reads it again on SIGHUP, except where a restart is named.
"""


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    # A JSON string is a basic string of TOML (both escape the same way below U+0020 and \" \\).
    return msgspec.json.encode(str(value)).decode()


if __name__ == "__main__":
    sys.stdout.write(reference() + "\n")
