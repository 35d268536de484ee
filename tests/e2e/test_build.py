"""The one file on a host with neither pip nor network: Debian's Python, and an image to install."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.parts import run, samples
from tests.hosts import Host

pytestmark = pytest.mark.e2e

PACK = Path(__file__).parents[2] / "script" / "pyz.py"
DIRECTORY = "/var/lib/prometheus/node-exporter"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The file system of a host with cron, and of systemd no more than sysusers."""
    root = tmp_path / "image"
    for name in ("usr/bin", "usr/sbin", "opt", "etc/cron.d", DIRECTORY[1:]):
        (root / name).mkdir(parents=True)
    os.symlink(os.readlink("/usr/bin/python3"), root / "usr/bin/python3")
    (root / "usr/sbin/cron").touch(mode=0o755)
    for name in ("passwd", "group", "shadow", "gshadow", "login.defs"):
        shutil.copy(f"/etc/{name}", root / "etc")
    return root


def test_an_image_without_pip_or_network(tmp_path: Path, image: Path) -> None:
    """The entry of cron, as written, looks and writes; uninstall leaves the program alone."""
    archive = str(tmp_path / "textfile-users.pyz")
    run(sys.executable, "-I", str(PACK), archive)
    offline = ["unshare", "--net", "--", "/usr/bin/python3", "-I", archive]
    assert run(*offline, "install", "--root", str(image), "--dry-run").stdout.count(str(image)) > 5
    assert not list((image / "opt").iterdir())
    for _ in range(2):  # the second time it is an update
        assert run(*offline, "install", "--root", str(image)).stderr == ""

    entry = (image / "etc/cron.d/textfile-users").read_text().splitlines()[-1]
    command = entry.partition(" textfile-users ")[2].replace("/opt/", f"{image}/opt/")
    command = command.replace("--repeat 12", "--repeat 1")
    host = Host(str(tmp_path / "host"))
    host.logind("5", LEADER=1, REMOTE_HOST="192.0.2.7")
    output = tmp_path / "users.prom"
    state = str(tmp_path / "state")
    argv = ["--root", host.root, "--output", str(output), "--timeout", "60"]
    argv += ["--state-directory", state, "--runtime-directory", state]
    done = subprocess.run(
        ["sh", "-c", f"{command} {shlex.join(argv)}"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert samples(output.read_text())['users_sessions{session_type="ssh",user="alice"}'] == 1

    said = run(*offline, "uninstall", "--root", str(image)).stdout
    assert said == "Removed, but for the program itself: rm -r /opt/textfile-users\n"
    assert not list((image / "etc/cron.d").iterdir())
