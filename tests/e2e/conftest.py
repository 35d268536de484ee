"""Real servers: what they need, and a box to run them in without touching the host.

A test whose parts are missing is left out with the reason. With TEXTFILE_USERS_E2E=required
it fails instead: that is how CI knows that none was.
"""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.debian import leave_out, program
from tests.e2e.parts import Box, NodeExporter, run, serving

CLONE_NEWCGROUP = 0x0200_0000
PROJECT = Path(__file__).parents[2]
NEEDED = {
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "pivot_root": "util-linux-extra",  # before util-linux 2.42: util-linux
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
    "groff": "groff-base",
    "mandoc": "mandoc",
    "w": "procps",
    "cron": "cron",
    "busybox": "busybox-static",  # the other one has no crond
    "dbus-daemon": "dbus",
}


def missing_parts() -> str:
    """Return why the tests here cannot run, '' where they can."""
    if os.geteuid() != 0:
        return "needs root"
    search = os.environ["PATH"] + ":/usr/lib/systemd:/lib/systemd"
    packages = {package for name, package in NEEDED.items() if not shutil.which(name, path=search)}
    if not glob.glob("/usr/lib/*/security/pam_systemd.so"):
        packages.add("libpam-systemd")
    if not os.path.exists("/usr/bin/python3"):
        packages.add("python3-venv")
    return f"needs Debian's {', '.join(sorted(packages))}" if packages else ""


@pytest.fixture(scope="session", autouse=True)
def _parts() -> None:
    if why := missing_parts():
        leave_out(why)
    # The login of whom runs the tests has a slice and a session of systemd's; what the tests start
    # would be in both, and so root's. In a namespace its cgroup is the uppermost.
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWCGROUP):
        raise OSError(ctypes.get_errno(), "no namespace for cgroups")


@pytest.fixture(scope="session")
def new_directory(request: pytest.FixtureRequest) -> Callable[[], Path]:
    """Makes directories that all can read, unlike pytest's, for as long as the tests run."""

    def make() -> Path:
        directory = Path(tempfile.mkdtemp(prefix="textfile-users-box."))
        directory.chmod(0o755)
        request.addfinalizer(lambda: shutil.rmtree(directory, ignore_errors=True))
        return directory

    return make


@pytest.fixture(scope="session")
def packages(new_directory: Callable[[], Path]) -> Path:
    """A directory with the project in `source`, and it and what it needs in `wheels`."""
    directory = new_directory()
    source = directory / "source"
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    shutil.copytree(PROJECT, source, ignore=ignored)
    wheels = str(directory / "wheels")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", wheels, str(source))
    return directory


@pytest.fixture(scope="session")
def box(new_directory: Callable[[], Path], packages: Path) -> Iterator[Box]:
    """A box with the program installed in /opt/textfile-users and users of its own."""
    with Box(new_directory()) as box:
        box.run("/usr/bin/python3", "-m", "venv", "/opt/textfile-users")
        pip = "/opt/textfile-users/bin/pip"
        wheels = str(packages / "wheels")
        box.run(pip, "install", "--no-index", "--find-links", wheels, "textfile-users")
        yield box


@pytest.fixture(scope="session", params=["own", "sid"])
def promtool(request: pytest.FixtureRequest) -> str:
    """How promtool is called: of Prometheus 2, as Debian 12 has it, and of 3."""
    return program("promtool", request.param)


@pytest.fixture(params=["own", "sid"])
def each_node_exporter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NodeExporter]:
    """A real node_exporter, and the newest one."""
    name = program("prometheus-node-exporter", request.param)
    with serving(tmp_path / "textfile", name) as exporter:
        yield exporter


@pytest.fixture
def node_exporter(tmp_path: Path) -> Iterator[NodeExporter]:
    """A real node_exporter on a loopback port that reads `directory`."""
    with serving(tmp_path / "textfile") as exporter:
        yield exporter
