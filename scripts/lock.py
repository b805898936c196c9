"""Pin the requirements: write requirements/*.txt from pyproject.toml with uv (needs the network).

python3 scripts/lock.py              # keep the pinned versions where they still fit
python3 scripts/lock.py --upgrade    # take the newest
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = {
    "test": ("server", "install", "notify", "qr", "test"),
    "server": ("server", "install"),
    "window": ("install", "notify", "qr"),
    "client": ("install",),
}
"""The files and the extras in each. The largest comes first and binds the others."""


def main() -> int:
    """Write every file anew; the exit code is uv's first failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = parser.parse_args().upgrade
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        print("lock.py: uv is missing; install it with: pipx install uv", file=sys.stderr)
        return 2
    for name, extras in EXTRAS.items():
        if code := _compile(uv, name, extras, upgrade=upgrade and name == "test"):
            return code
    return 0


def _compile(uv: str, name: str, extras: tuple[str, ...], *, upgrade: bool) -> int:
    command = [
        uv, "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--generate-hashes",
        "--no-emit-index-url", "--no-header", "--no-annotate", "--python-version", "3.11",
        "--only-binary", ":all:", "--output-file", f"requirements/{name}.txt",
    ]  # fmt: skip
    for extra in extras:
        command += ["--extra", extra]
    if name != "test":
        command += ["--constraint", "requirements/test.txt"]
    if upgrade:
        command.append("--upgrade")
    return subprocess.call(command, cwd=ROOT, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
