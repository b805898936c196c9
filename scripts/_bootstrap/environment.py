"""Makes ``.venv`` in the project's folder and continues a script inside it.

Only the standard library: this runs before anything is installed. The user's own settings of pip
(a registry, a proxy, a certificate) hold, because pip itself is called and given none.
"""

import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from _bootstrap import packages

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
REQUIREMENTS = ROOT / "requirements"
KINDS = ("client", "server", "test")
"""What can be installed; each holds all that the one before it holds."""

_MARK = VENV / "secure_chat.json"
_LOCK = ROOT / ".venv.lock"


class SetupFailed(Exception):
    """The environment cannot be made; the text says why and what to do."""


def run(kind: str, module: str) -> int:
    """Call ``main(arguments)`` of ``module`` inside an environment of this ``kind``.

    Outside of ``.venv`` this makes the environment first and starts the same script in it.
    Returns the exit code; a failed setup is said in words and gives 1.
    """
    stood = _fits(kind)
    try:
        ensure(kind)
    except SetupFailed as failed:
        print(f"{Path(sys.argv[0]).name}: {failed}", file=sys.stderr)
        return 1
    if not (stood and _inside()):  # an interpreter older than the environment cannot import of it
        return _restart()
    return int(importlib.import_module(module).main(sys.argv[1:]))


def ensure(kind: str) -> None:
    """Make ``.venv`` or bring it up to date; does nothing when the requirements are unchanged."""
    if _fits(kind):
        return
    with _alone():
        if not _fits(kind):  # another process may have made it while this one waited
            _make(kind)


def python() -> Path:
    """The environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _inside() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def _restart() -> int:
    command = [str(python()), *sys.argv]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    with contextlib.suppress(KeyboardInterrupt):  # the script inside hears Ctrl+C as well
        return subprocess.call(command)
    return 130


def _wanted() -> str:
    """A hash of all that decides what belongs into the environment."""
    digest = hashlib.sha256()
    for path in [ROOT / "pyproject.toml", *sorted(REQUIREMENTS.glob("*.txt"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _fits(kind: str) -> bool:
    """Whether the environment stands, for this Python, and holds at least ``kind``."""
    try:
        mark = json.loads(_MARK.read_text(encoding="utf-8"))
        return (
            mark["wanted"] == _wanted()
            and mark["python"] == list(sys.version_info[:2])
            and KINDS.index(mark["kind"]) >= KINDS.index(kind)
            and python().exists()
        )
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _make(kind: str) -> None:
    if _inside():
        raise SetupFailed(
            "the requirements have changed; run this with the Python outside of .venv, "
            "which makes it anew"
        )
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupFailed(packages.missing(module))
    print(f"Setting up {VENV} (once; it downloads the pinned packages) ...", file=sys.stderr)
    _call("make the environment", sys.executable, "-m", "venv", "--clear", str(VENV))
    pip = (str(python()), "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    _call(
        "install the pinned packages",
        *pip, "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS / f"{kind}.txt"),
    )  # fmt: skip
    _call(  # without an index: nothing but this folder can be installed by it
        "install secure_chat itself",
        *pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT),
    )  # fmt: skip
    mark = {"kind": kind, "wanted": _wanted(), "python": sys.version_info[:2]}
    _MARK.write_text(json.dumps(mark), encoding="utf-8")


def _call(what: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        raise SetupFailed("\n".join([f"could not {what}; it said:", *("  " + s for s in said)]))


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock file: two scripts started together make one environment, not two halves."""
    try:
        with _LOCK.open("w") as file:
            _wait_for(file.fileno())
            yield
    except PermissionError as refused:
        raise SetupFailed(f"this folder cannot be written to: {refused.filename}") from None


def _wait_for(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        while True:  # msvcrt gives up after ten seconds; making an environment takes longer
            with contextlib.suppress(OSError):
                msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
                return
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
