"""A disk that fails on request and forgets what was not synced, put under SQLite in this process.

SQLite writes through a table of functions (https://sqlite.org/vfs.html). The one for the system's
files is replaced while a `Disk` is in use: each write, truncation and sync passes through here, may
be refused with an error of the disk, and is remembered until a sync makes it durable. So a test can
see what a machine would find after its power was cut, which a copy of the files does not show.
"""

import _sqlite3
import ctypes
import random
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

OK: Final = 0
FULL: Final = 13  # SQLITE_FULL
WRITE_ERROR: Final = 10 | 3 << 8  # SQLITE_IOERR_WRITE
SYNC_ERROR: Final = 10 | 4 << 8  # SQLITE_IOERR_FSYNC
_KEPT: Final = 0x100 | 0x80000  # SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_WAL
_SECTOR: Final = 512
_IO_METHODS: Final = 18

# The name as an address: SQLite keeps it, so it must get back the very same one.
_Open = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
)
_Write = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
)
_Truncate = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class _IoMethods(ctypes.Structure):
    """``sqlite3_io_methods``; the functions in the order of the header."""

    _fields_ = [("version", ctypes.c_int), ("calls", ctypes.c_void_p * _IO_METHODS)]


_WRITE, _TRUNCATE, _SYNC = 2, 3, 4


class _Vfs(ctypes.Structure):
    """The beginning of ``sqlite3_vfs``."""

    _fields_ = [
        ("version", ctypes.c_int),
        ("file_size", ctypes.c_int),
        ("longest_path", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
    ]


class _Unsynced(NamedTuple):
    at: int
    data: bytes | None  # None: the file was cut here


_alive: list[Any] = []  # SQLite may call these as long as a file is open


def _system_files() -> _Vfs | None:
    """The functions for the system's files of the SQLite that this Python uses."""
    try:
        library = ctypes.CDLL(_sqlite3.__file__)
        find = library.sqlite3_vfs_find
    except (OSError, AttributeError):
        return None
    find.restype = ctypes.POINTER(_Vfs)
    find.argtypes = [ctypes.c_char_p]
    found = find(None)
    vfs: _Vfs = found.contents
    return vfs


class Disk:
    """Stands under the database in ``folder`` once it is opened inside the ``with``.

    ``write_result`` and ``sync_result`` are what writes and syncs end with; `OK` lets them pass.
    With ``only`` the writes to that file alone fail.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.write_result = OK
        self.sync_result = OK
        self.only = ""
        self.refused = 0
        self.syncs = 0
        self._lock = threading.RLock()
        self._durable: dict[Path, bytearray] = {}
        self._unsynced: dict[Path, list[_Unsynced]] = {}
        self._paths: dict[int, Path] = {}
        self._vfs = _system_files()
        self._open_before: int | None = None

    @property
    def works(self) -> bool:
        """Whether this Python's SQLite can be reached."""
        return self._vfs is not None

    def __enter__(self) -> Self:
        assert self._vfs is not None
        self._open_before = self._vfs.open
        replacement = _Open(self._opened)
        _alive.append(replacement)
        self._vfs.open = ctypes.cast(replacement, ctypes.c_void_p).value
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._vfs is not None
        self._vfs.open = self._open_before
        self.write_result = self.sync_result = OK

    # ------------------------------------------------------------ after the power was cut

    def image(self, folder: Path, torn: random.Random | None = None) -> None:
        """Write to ``folder`` what is on the disk for certain.

        With ``torn``, chance decides of each sector that was written and not synced whether it got
        there; cuts of files count as done or not in the same way.
        """
        folder.mkdir()
        with self._lock:
            for path, durable in self._durable.items():
                content = bytearray(durable)
                for at, data in self._unsynced[path] if torn is not None else ():
                    assert torn is not None
                    if data is None:
                        if torn.random() < 0.5:
                            del content[at:]
                        continue
                    for start in range(0, len(data), _SECTOR):
                        if torn.random() < 0.5:
                            _put(content, at + start, data[start : start + _SECTOR])
                (folder / path.name).write_bytes(content)

    # ------------------------------------------------------------ what SQLite calls

    def _opened(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        assert self._open_before is not None
        result = _Open(self._open_before)(vfs, name, file, flags, out)
        if result == OK and name is not None and flags & _KEPT:
            path = Path(ctypes.string_at(name).decode())
            if path.parent == self._folder:
                self._take_over(path, file)
        return int(result)

    def _take_over(self, path: Path, file: int) -> None:
        slot = ctypes.cast(file, ctypes.POINTER(ctypes.POINTER(_IoMethods)))
        before = slot.contents.contents
        methods = _IoMethods.from_buffer_copy(before)
        with self._lock:
            self._paths[file] = path
            if path not in self._durable:
                self._durable[path] = bytearray(path.read_bytes() if path.exists() else b"")
                self._unsynced[path] = []
        calls: list[tuple[int, Any, Callable[..., int]]] = [
            (_WRITE, _Write, self._write),
            (_TRUNCATE, _Truncate, self._truncate),
            (_SYNC, _Sync, self._sync),
        ]
        for number, kind, call in calls:
            original = kind(before.calls[number])
            ours = kind(lambda *a, call=call, original=original: call(original, *a))
            _alive.append(ours)
            methods.calls[number] = ctypes.cast(ours, ctypes.c_void_p).value
        _alive.append(methods)
        slot[0] = ctypes.pointer(methods)

    def _write(self, original: Any, file: int, data: int, size: int, at: int) -> int:
        with self._lock:
            if self.write_result != OK and self.only in {"", self._paths[file].name}:
                self.refused += 1
                return self.write_result
            written = ctypes.string_at(data, size)
            self._unsynced[self._paths[file]].append(_Unsynced(at, written))
            return int(original(file, data, size, at))

    def _truncate(self, original: Any, file: int, size: int) -> int:
        with self._lock:
            self._unsynced[self._paths[file]].append(_Unsynced(size, None))
            return int(original(file, size))

    def _sync(self, original: Any, file: int, flags: int) -> int:
        with self._lock:
            self.syncs += 1
            if self.sync_result != OK:
                self.refused += 1
                return self.sync_result
            path = self._paths[file]
            for at, data in self._unsynced[path]:
                if data is None:
                    del self._durable[path][at:]
                else:
                    _put(self._durable[path], at, data)
            self._unsynced[path].clear()
        return OK  # the disk of this test is the image above: the real one need not be waited for


def _put(content: bytearray, at: int, data: bytes) -> None:
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data
