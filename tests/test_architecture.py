"""The shape of the project, read from its source: who imports whom, and what nobody may.

The import graph is the proof that the server is blind: it reaches no module that can decrypt.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "secure_chat"
MAY_IMPORT = {
    "errors": set(),
    "protocol": {"errors"},
    "crypto": {"errors", "protocol"},
    "shared": {"errors", "protocol"},
    "server": {"errors", "protocol", "shared"},
    "client": {"errors", "protocol", "shared", "crypto"},
}
"""Layers and what each may import beside itself. ``shared`` is what lies beside the folders, such
as ``secure_chat/tls.py``."""

VERIFY = "secure_chat.crypto.verify"
IO = {
    "asyncio", "datetime", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
    "random", "secrets", "select", "selectors", "shutil", "socket", "sqlite3", "ssl",
    "subprocess", "tempfile", "threading", "time", "urllib.request", "uuid", "nacl.utils",
}  # fmt: skip
RANDOMNESS = f"{PACKAGE}.crypto.rng"
LINES = {
    "secure_chat": 450,
    "secure_chat/errors.py": 950,  # a table, which is looked up and not read through
    "secure_chat/protocol/messages.py": 700,  # another one
    "scripts": 400,
    "benchmarks": 400,
    "tests": 600,
}
NOT_OURS = {
    ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", "build", "dist",
    "__pycache__", "secure_chat.egg-info",
}  # fmt: skip
TEXT = {".py", ".md", ".toml", ".txt", ".sh", ".yml", ".json", ".po", ".pot", ".mako", ""}
FOREIGN = re.compile(
    r"/wor[k]/|/opt/de[v]|/roo[t]/|\bissue ?#?\d|pythonhoste[d]\.|\bsub-?agent", re.IGNORECASE
)
"""Paths of one machine, hosts of packages and numbers of tasks: none of them is the project's."""


class Module(NamedTuple):
    """A source file of the package."""

    name: str
    path: Path
    imports: frozenset[str]  # every module or name that it imports, spelt out


@cache
def modules() -> dict[str, Module]:
    """All modules of the package, by name."""
    found = {}
    for path in (ROOT / PACKAGE).rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path, frozenset(_imports(path)))
    return found


def _imports(path: Path, *, for_types: bool = True) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not for_types:
        tree = _WithoutTypes().visit(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class _WithoutTypes(ast.NodeTransformer):
    """Takes out what only a type checker runs."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def layer(name: str) -> str:
    """The layer that a module of the package belongs to."""
    parts = name.split(".")
    if len(parts) == 1:
        return "package"
    return parts[1] if parts[1] in MAY_IMPORT else "shared"


def ours(module: Module, *, for_types: bool = True) -> set[str]:
    """The modules of the package that ``module`` imports."""
    found = set()
    for name in module.imports if for_types else _imports(module.path, for_types=False):
        if name == PACKAGE or name.startswith(PACKAGE + "."):
            found.add(name if name in modules() else name.rpartition(".")[0])
    return found


def reachable(start: str) -> set[str]:
    """All modules that an import of ``start`` runs, the packages above each included."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        parent = name.rpartition(".")[0]
        waiting += [*ours(modules()[name]), *([parent] if parent else [])]
    return seen


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_run_one_way(name: str) -> None:
    """errors <- protocol, crypto <- server | client: no module imports against the arrows."""
    here = layer(name)
    for target in ours(modules()[name]):
        there = layer(target)
        if there in {here, "package"}:  # the package itself holds the version alone
            continue
        if here == "server" and target == VERIFY:
            continue
        assert there in MAY_IMPORT.get(here, set()), f"{name} imports {target}"


def test_the_server_reaches_no_module_that_can_decrypt() -> None:
    """Whatever the server imports, and that imports in turn, holds of crypto only `verify`."""
    server = [name for name in modules() if layer(name) == "server"]
    held = set().union(*(reachable(name) for name in server))
    assert {name for name in held if layer(name) == "crypto"} <= {VERIFY, f"{PACKAGE}.crypto"}
    assert not {name for name in held if layer(name) == "client"}


def test_the_client_reaches_nothing_of_the_server() -> None:
    """A client can be installed without the server."""
    client = [name for name in modules() if layer(name) == "client"]
    held = set().union(*(reachable(name) for name in client))
    assert not {name for name in held if layer(name) == "server"}


def test_no_import_cycles() -> None:
    """Modules can be read, and imported, in some order."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for target in ours(modules()[name], for_types=False) & set(modules()) - {name}:
            visit(target, (*path, name))
        done.add(name)

    for name in modules():
        visit(name, ())


@pytest.mark.parametrize(
    "name", sorted(name for name in modules() if layer(name) in {"protocol", "crypto"})
)
def test_protocol_and_crypto_do_no_io(name: str) -> None:
    """Bytes, time and randomness come as arguments; only crypto/rng asks the system for some."""
    module = modules()[name]
    if name != RANDOMNESS:
        bad = {i for i in module.imports for io in IO if i == io or i.startswith(io + ".")}
        assert not bad, f"{name} imports {sorted(bad)}"
    for node in ast.walk(ast.parse(module.path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"open", "input", "print"}, f"{name}: {called}()"
            from_nowhere = called.endswith(".generate") and not node.args and not node.keywords
            assert not from_nowhere, f"{name}: {called}() takes randomness that was not passed in"


def test_tkinter_stays_in_the_window() -> None:
    """Everything but the window runs, and is tested, without a screen."""
    users = {
        n for n, m in modules().items() if any(i.split(".")[0] == "tkinter" for i in m.imports)
    }
    assert all(name.startswith(f"{PACKAGE}.client.window") for name in users), users


def _files(*suffixes: str) -> list[Path]:
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix in suffixes and not NOT_OURS & set(path.parts)
    ]


def test_files_are_short() -> None:
    """A file fits into one reading."""
    long = {}
    for path in _files(".py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        name = path.relative_to(ROOT).as_posix()
        if lines > LINES.get(name, LINES.get(name.partition("/")[0], 400)):
            long[name] = lines
    assert not long


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of one machine, no host of packages, no number of a task stands in any file."""
    found = []
    for path in _files(*TEXT):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert not found


def test_no_source_holds_unfinished_work() -> None:
    """What is there works; what is not there is not announced in the code."""
    unfinished = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files(".py", ".md", ".toml")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if unfinished.search(line)
    ]
    assert not found
