"""Real servers: what they need, and a box to run them in without touching the host.

A test whose parts are missing is left out with the reason. With TEXTFILE_USERS_E2E=required
it fails instead: that is how CI knows that none was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.parts import Box, NodeExporter, free_port, run

PROJECT = Path(__file__).parents[2]
NEEDED = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "who": "coreutils",
    "useradd": "passwd",
    "pgrep": "procps",
    "su": "util-linux",
    "sudo": "sudo",
    "rsyslogd": "rsyslog",
    "logrotate": "logrotate",
    "systemd-journal-remote": "systemd-journal-remote",
    "Xtigervnc": "tigervnc-standalone-server",
    "ss": "iproute2",
    "gcc": "build-essential",
    "tmux": "tmux",
    "screen": "screen",
    "mosh-server": "mosh",
    "dropbear": "dropbear-bin",
    "w": "procps",
}


def missing_parts() -> str:
    """Return why the tests here cannot run, '' where they can."""
    if os.geteuid() != 0:
        return "needs root"
    search = os.environ["PATH"] + ":/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd"
    packages = {package for name, package in NEEDED.items() if not shutil.which(name, path=search)}
    if not os.path.exists("/usr/bin/python3"):
        packages.add("python3-venv")
    return f"needs Debian's {', '.join(sorted(packages))}" if packages else ""


@pytest.fixture(scope="session", autouse=True)
def _parts() -> None:
    why = missing_parts()
    if why and os.environ.get("TEXTFILE_USERS_E2E") == "required":
        pytest.fail(f"left out: {why}")
    elif why:
        pytest.skip(f"left out: {why}")


@pytest.fixture(scope="session")
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """A box with the program installed in /opt/textfile-users and a user alice."""
    # Not pytest's directory, which another pytest takes the rights of other users from.
    directory = Path(tempfile.mkdtemp(prefix="textfile-users-box."))
    directory.chmod(0o755)
    request.addfinalizer(lambda: shutil.rmtree(directory, ignore_errors=True))
    with Box(directory) as box:
        box.run("/usr/bin/python3", "-m", "venv", "/opt/textfile-users")
        source = directory / "source"
        ignored = shutil.ignore_patterns(".*", "build", "*.egg-info")
        shutil.copytree(PROJECT, source, ignore=ignored)
        wheels = str(directory / "wheels")
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, str(source))
        pip = "/opt/textfile-users/bin/pip"
        box.run(pip, "install", "--no-index", "--find-links", wheels, "textfile-users")
        yield box


@pytest.fixture
def node_exporter(tmp_path: Path) -> Iterator[NodeExporter]:
    """A real node_exporter on a loopback port that reads `directory`."""
    directory = tmp_path / "textfile"
    directory.mkdir()
    port = free_port()
    with subprocess.Popen(
        [
            "prometheus-node-exporter",
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={directory}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        exporter = NodeExporter(directory, f"http://127.0.0.1:{port}/metrics")
        try:
            for _ in range(100):
                try:
                    exporter.scrape()
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            yield exporter
        finally:
            process.terminate()
