"""The environment that the scripts make: pinned, refused when it is not, explained when it cannot.

Each test copies the bootstrap into a project of its own, so that the real ``.venv`` stays as it is.
"""

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from .conftest import ROOT, Run

ENTRIES = ("demo.py", "test.py", "generate_certs.py")
FIRST = [*ENTRIES, "_bootstrap/__init__.py"]
REQUIREMENT = re.compile(r"[a-z0-9-]+==(?:\d+!)?[0-9][\w.]*(?: ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
FILES = sorted((ROOT / "requirements").glob("*.txt"))


def names(path: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our bootstrap and a requirement: a wheel made here, found without network."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "scripts/_bootstrap", folder / "scripts/_bootstrap")
    shutil.copy(ROOT / "scripts/generate_certs.py", folder / "scripts")
    (folder / "scripts/_certs.py").write_text("def main(arguments):\n    return 0\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "p"\nversion = "1"\n')
    (folder / "requirements").mkdir()
    with zipfile.ZipFile(folder / "brick-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("brick.py", "")
        wheel.writestr(
            "brick-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: brick\nVersion: 1\n"
        )
        wheel.writestr("brick-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("brick-1.dist-info/RECORD", "")
    return folder


def start(run: Run, project: Path, requirement: str) -> "subprocess.CompletedProcess[str]":
    (project / "requirements/server.txt").write_text(requirement)
    return run(
        "scripts/generate_certs.py", cwd=project, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(project)
    )


def installed(project: Path) -> bool:
    return any((project / ".venv").rglob("brick.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_attack_78_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    """A requirement is one version and its hashes; no address, option or path stands beside it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert REQUIREMENT.fullmatch(lines[0])
    for before, line in pairwise(lines):
        assert REQUIREMENT.fullmatch(line) or HASH.fullmatch(line), line
        assert before.endswith("\\") == bool(HASH.fullmatch(line)), line  # each has a hash


def test_attack_78_a_package_with_another_hash_is_refused(run: Run, project: Path) -> None:
    """A wheel that was exchanged on its way is not installed, and the person is told."""
    done = start(run, project, f"brick==1 --hash=sha256:{'0' * 64}\n")
    assert done.returncode == 1
    assert "could not install the pinned packages" in done.stderr
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not installed(project)


def test_attack_78_the_right_hash_is_accepted(run: Run, project: Path) -> None:
    """The refusals above come from the hash: with the right one the package is installed."""
    digest = sha256((project / "brick-1-py3-none-any.whl").read_bytes()).hexdigest()
    done = start(run, project, f"brick==1 --hash=sha256:{digest}\n")
    assert installed(project)
    assert "install secure_chat itself" in done.stderr  # the next step: there is no such project


def test_attack_78_nothing_else_is_installed(run: Run, environment: Path) -> None:
    """The environment holds what the requirements name, pip and this project, and nothing more."""
    mark = json.loads((ROOT / ".venv/secure_chat.json").read_text())
    listed = json.loads(run("-m", "pip", "list", "--format", "json", python=environment).stdout)
    held = {re.sub(r"[-_.]+", "-", entry["name"]).lower() for entry in listed}
    allowed = names(ROOT / f"requirements/{mark['kind']}.txt") | {"pip", "secure-chat"}
    assert held <= allowed
    assert {"cryptography", "pynacl", "pyopenssl", "sqlalchemy"} <= held


def test_the_files_hold_each_other() -> None:
    """The server's requirements hold the client's, the tests' hold both, in the same versions."""
    client, server, test = (
        {
            line.partition(" ;")[0].strip(" \\")  # without the marker, which only grows narrower
            for line in (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines()
        }
        for name in ("client", "server", "test")
    )
    assert client < server < test


def test_a_second_start_reuses_the_environment(run: Run, project: Path) -> None:
    """With unchanged requirements nothing is made again."""
    shutil.copy(ROOT / "scripts/_bootstrap/environment.py", project / "scripts/_bootstrap")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True
    )
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from _bootstrap import environment as e\n"
        "import json\n"
        "mark = {'kind': 'server', 'wanted': e._wanted(), 'python': sys.version_info[:2]}\n"
        "e._MARK.write_text(json.dumps(mark))\n"
        "print(e._fits('client'), e._fits('server'), e._fits('test'))\n"
        "(e.REQUIREMENTS / 'server.txt').write_text('changed')\n"
        "print(e._fits('server'))\n"
    )
    assert run("-c", code, cwd=project).stdout.split() == ["True", "True", "False", "False"]


def test_an_interpreter_older_than_its_environment_starts_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who waited inside of .venv while another process made it begins again, to see what is there.

    Otherwise two commands started together end in a traceback of the slower one.
    """
    from _bootstrap import environment as bootstrap

    fits = iter([False, True])
    monkeypatch.setattr(bootstrap, "_fits", lambda _kind: next(fits))
    monkeypatch.setattr(bootstrap, "_inside", lambda: True)
    monkeypatch.setattr(bootstrap, "_restart", lambda: 42)
    assert bootstrap.run("server", "no_such_module") == 42


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_a_missing_part_of_python_is_named_with_its_package(
    run: Run, project: Path, module: str
) -> None:
    """Where the system split venv off, the person reads which package brings it."""
    code = (
        "import runpy, sys\n"
        f"sys.modules[{module!r}] = None\n"
        "sys.argv = ['scripts/generate_certs.py']\n"
        "sys.path.insert(0, 'scripts')\n"
        "runpy.run_path('scripts/generate_certs.py', run_name='__main__')\n"
    )
    done = run("-c", code, cwd=project)
    assert done.returncode == 1
    assert f"lacks the module '{module}'" in done.stderr
    assert "nstall" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ({"ID": "debian"}, "sudo apt install python3-tk"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "sudo apt install python3-tk"),
        ({"ID": "fedora"}, "sudo dnf install python3-tkinter"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse"}, "sudo zypper install python3-tk"),
        ({"ID": "unheard-of"}, "your system's package"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the names of Linux distributions' packages")
def test_each_system_has_its_own_package_name(
    run: Run, release: dict[str, str], words: str
) -> None:
    """The advice fits the system that it is given on."""
    code = (
        "import platform, sys; sys.path.insert(0, 'scripts')\n"
        f"platform.freedesktop_os_release = lambda: {release!r}\n"
        "from _bootstrap import packages\n"
        "print(packages.remedy('tkinter'))\n"
    )
    assert words in run("-c", code).stdout


@pytest.mark.parametrize("name", FIRST)
def test_what_runs_first_parses_on_every_python(name: str) -> None:
    """An old Python reads these files whole before it is told that it is too old."""
    source = (ROOT / "scripts" / name).read_text(encoding="utf-8")
    assert source.isascii()  # Python 2 refuses other letters
    ast.parse(source, feature_version=(3, 4))
    assert "f'" not in source.replace('f"', "f'")


def old_pythons() -> list[str]:
    """Interpreters below 3.11 that this machine has."""
    found = [shutil.which(f"python3.{minor}") for minor in range(4, 11)]
    versions = (Path.home() / ".pyenv/versions").glob("*/bin/python")
    candidates = [*filter(None, found), *map(str, versions)]
    code = "import sys; sys.exit(sys.version_info >= (3, 11))"
    return sorted(
        path
        for path in candidates
        if subprocess.run([path, "-c", code], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize("script", ENTRIES)
def test_an_old_python_is_told_what_it_lacks(run: Run, script: str) -> None:
    """Below 3.11 a script says which version it needs, and exits with 2."""
    olds = old_pythons()
    if not olds:
        pytest.skip("no Python below 3.11 is installed")
    for python in olds:
        done = run(f"scripts/{script}", python=python)
        assert done.returncode == 2, python
        assert done.stderr.startswith("secure_chat needs Python 3.11 or newer; this is ")
        assert "Traceback" not in done.stderr
