"""The shape of the project, read from its source: who imports whom, and what nobody may.

The import graph is the proof that the server is blind: it reaches no module that can decrypt, of
ours or of a library.
"""

import ast
import re
import sys
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
    r"(?<![\w.~$}:/-])/(?:home|root|Users|opt|work|srv|mnt|builds?|workspace)/(?!secure-chat\b)"
    r"|\bissue ?#?\d"
    r"|^\s*--(?:index-url|extra-index-url|find-links)[ =]|^[\w.-]+ @ \w+://",
    re.IGNORECASE,
)
"""Paths in homes and build folders (but where it is installed), task numbers, package indexes."""
LIBRARIES = {
    "OpenSSL", "alembic", "msgspec", "platformdirs", "prometheus_client", "segno", "sqlalchemy",
}  # fmt: skip
"""What the server and all it reaches may import whole: TLS, storage, forms of data."""
CIPHERS = {"cryptography", "nacl"}
"""Libraries that could decrypt: of these only what `VERIFYING` lists."""
_PRIMITIVES = "cryptography.hazmat.primitives"
VERIFYING = {
    "cryptography": {"x509"},
    "cryptography.exceptions": {"UnsupportedAlgorithm"},
    # OpenSSL itself, for TLS: no `CRYPTO_CALL` may be made through it.
    "cryptography.hazmat.bindings.openssl.binding": {"Binding"},
    "cryptography.hazmat.bindings.openssl.binding.Binding": {"ffi", "lib"},
    _PRIMITIVES: {"hashes", "serialization"},
    f"{_PRIMITIVES}.asymmetric": {"ec", "ed25519", "ed448", "rsa"},
    f"{_PRIMITIVES}.asymmetric.ec": {
        "EllipticCurvePrivateKey", "SECP256R1", "generate_private_key",
    },
    f"{_PRIMITIVES}.asymmetric.ed25519": {"Ed25519PrivateKey"},
    f"{_PRIMITIVES}.asymmetric.ed448": {"Ed448PrivateKey"},
    f"{_PRIMITIVES}.asymmetric.rsa": {"RSAPrivateKey"},
    f"{_PRIMITIVES}.hashes": {"SHA256"},
    f"{_PRIMITIVES}.serialization": {
        "Encoding", "NoEncryption", "PrivateFormat", "PublicFormat", "load_pem_private_key",
        "load_pem_public_key",
    },
    f"{_PRIMITIVES}.serialization.Encoding": {"DER", "PEM"},
    f"{_PRIMITIVES}.serialization.PrivateFormat": {"PKCS8"},
    "nacl": {"bindings"},
    "nacl.bindings": {"crypto_sign_open"},
    "nacl.exceptions": {"CryptoError"},
}  # fmt: skip
"""Certificates and their keys, and the check of a signature."""
CRYPTO_CALL = re.compile(r"(EVP|RSA|EC|ECDH|DH|AES|CMS|PKCS7|PKCS12|CRYPTO)_")


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


def _spelt(tree: ast.AST) -> Iterator[str]:
    """What a module imports of others, and the names below that it uses: ``ec``, ``ec.ECDH``."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                bound[alias.asname or whole] = whole
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            start = bound.get(ast.unparse(node.value))
            if start is not None:
                yield f"{start}.{node.attr}"


def sights(source: str) -> set[str]:
    """What in a source of the server could decrypt, or could bring something that can."""
    tree = ast.parse(source)
    found = set()
    for name in _spelt(tree):
        top = name.partition(".")[0]
        if top in CIPHERS:
            place, _, last = name.rpartition(".")
            if last not in VERIFYING.get(place, ()) and not name.startswith("cryptography.x509."):
                found.add(name)
        elif top == "importlib" or top not in LIBRARIES | {PACKAGE} | sys.stdlib_module_names:
            found.add(name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and CRYPTO_CALL.match(node.attr):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and node.id in {"__import__", "eval", "exec"}:
            found.add(node.id)
    return found


def test_the_server_uses_no_cipher_of_a_library() -> None:
    """Nothing that the server reaches imports a library's decryption, or one not listed."""
    server = [name for name in modules() if layer(name) == "server"]
    held = set().union(*(reachable(name) for name in server))
    found = {name: sights(modules()[name].path.read_text(encoding="utf-8")) for name in held}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305",
        "from cryptography.hazmat.primitives import ciphers",
        "from cryptography.hazmat import primitives",
        "import cryptography.hazmat.primitives.ciphers.aead as sums",
        "from cryptography.fernet import Fernet",
        "from cryptography.hazmat.primitives.asymmetric import x25519",
        "from cryptography.hazmat.primitives.asymmetric import ec\nec.ECDH()",
        "from cryptography.hazmat.primitives.serialization import pkcs7",
        "from cryptography.hazmat.bindings.openssl.binding import Binding\nBinding.lib.EVP_x()",
        "import nacl",
        "import nacl.public",
        "from nacl import secret",
        "from nacl.bindings import *",
        "from nacl import bindings\nbindings.crypto_aead_xchacha20poly1305_ietf_decrypt()",
        "import importlib",
        "__import__('nacl.public')",
        "import Crypto.Cipher",
    ],
)
def test_a_cipher_in_the_server_would_be_seen(source: str) -> None:
    """Each of these ways to decrypt is found: the test above is not blind itself."""
    assert sights(source)


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
    """No path of one machine, no index of packages, no number of a task stands in any file."""
    for word in ("home", "opt"):
        assert FOREIGN.search(f"see /{word}/x"), "or this test sees nothing"
    found = []
    for path in _files(*TEXT):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := FOREIGN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert not found


def test_every_test_states_its_guarantee() -> None:
    """In its docstring: what a reader may rely on as long as the test passes."""
    silent = [
        f"{path.relative_to(ROOT)}:{each.lineno} {each.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for each in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")
        if ast.get_docstring(each) is None
    ]
    assert not silent, "tests without a docstring"


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
