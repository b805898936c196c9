"""testssl.sh looks at a real server: nothing above "low" but what SECURITY.md explains."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess

EXPLAINED = {"cert_revocation"}
"""See SECURITY.md, "What scanners say"."""

HARMLESS = {"OK", "INFO", "LOW", "WARN", "DEBUG"}


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_attack_3_testssl_finds_nothing_above_low(tmp_path: Path) -> None:
    """Protocols, ciphers, certificate and the known attacks on TLS; WARN is of the tool itself."""
    program = shutil.which("testssl.sh") or shutil.which("testssl")
    if program is None:
        pytest.skip("testssl.sh is not installed (Debian: apt install testssl.sh)")
    report = tmp_path / "report.json"
    with ServerProcess(tmp_path / "server") as server:
        subprocess.run(
            [
                program, "--quiet", "--color", "0", "--warnings", "batch", "--ip", "127.0.0.1",
                "--add-ca", str(server.ca_file), "--jsonfile", str(report),
                f"localhost:{server.port}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=540,
        )  # fmt: skip
        assert server.stop() == 0
        assert "Traceback" not in server.log
    findings = json.loads(report.read_text(encoding="utf-8"))
    assert any(found["id"] == "TLS1_3" and found["severity"] == "OK" for found in findings)
    bad = {found["id"]: found["finding"] for found in findings if found["severity"] not in HARMLESS}
    assert bad.keys() <= EXPLAINED, bad
