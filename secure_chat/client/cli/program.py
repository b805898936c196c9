"""From arguments to an exit code: 0 done, 1 failed, 2 wrong arguments, 130 interrupted.

Whatever goes wrong is one line of words on standard error; a traceback reaches nobody.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

from secure_chat.client.cli import output
from secure_chat.client.cli.arguments import parse
from secure_chat.client.cli.backend import real_backend
from secure_chat.client.cli.commands import COMMANDS
from secure_chat.client.cli.grammar import PROGRAM
from secure_chat.client.cli.language import words
from secure_chat.client.cli.session import Backend
from secure_chat.errors import SecureChatError, WrongArguments
from secure_chat.streams import replace_closed

DONE, FAILED, WRONG_ARGUMENTS = 0, 1, 2
INTERRUPTED = 128 + 2  # SIGINT
PIPE_CLOSED = 128 + 13  # SIGPIPE
TERMINATED = 128 + 15  # SIGTERM


class _Terminated(BaseException):
    """SIGTERM: stops like Ctrl-C."""


def run(arguments: Sequence[str], backend: Backend | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    _no_core_dumps()
    replace_closed()
    _lenient_streams()
    try:
        with _sigterm_stops(), _threads_speak_plainly():
            chosen = parse(arguments)
            return COMMANDS[chosen.command](chosen, backend or real_backend())
    except SystemExit as ended:  # --help
        return ended.code if isinstance(ended.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except _Terminated:
        return TERMINATED
    except BrokenPipeError:
        _abandon_stdout()
        return PIPE_CLOSED
    except BaseException as wrong:  # the last line of defence
        return _failed(wrong)


def _failed(wrong: BaseException) -> int:
    with suppress(OSError):  # nobody reads standard error any more
        output.note(f"{PROGRAM}: {in_words(wrong)}")
    return WRONG_ARGUMENTS if isinstance(wrong, WrongArguments) else FAILED


def in_words(wrong: BaseException) -> str:
    """One sentence for any failure."""
    if isinstance(wrong, SecureChatError):
        return words.error(wrong)
    if isinstance(wrong, UnicodeError):
        return words("The input is not valid UTF-8 text.")
    if isinstance(wrong, OSError):
        reason = wrong.strerror or str(wrong) or type(wrong).__name__
        return f"{wrong.filename}: {reason}." if wrong.filename else f"{reason}."
    if isinstance(wrong, MemoryError):
        return words("There is not enough memory.")
    return words(
        "A mistake in this program: {kind} at {place}. Please report it.",
        kind=type(wrong).__name__,
        place=_place(wrong.__traceback__),
    )


def _place(trace: TracebackType | None) -> str:
    """Where it happened: file and line, never values."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _no_core_dumps() -> None:
    """A core file would hold the vault's key."""
    if sys.platform != "win32":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def _lenient_streams() -> None:
    """What a terminal cannot show is escaped instead of failing the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def _sigterm_stops() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _threads_speak_plainly() -> Iterator[None]:
    """A thread that dies says one line too."""

    def say(death: threading.ExceptHookArgs) -> None:
        if death.exc_value is not None:
            _failed(death.exc_value)

    before, threading.excepthook = threading.excepthook, say
    try:
        yield
    finally:
        threading.excepthook = before


def _abandon_stdout() -> None:
    """Nobody reads on: keep the interpreter's last flush from complaining."""
    with suppress(OSError, ValueError, AttributeError):  # a stream without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
