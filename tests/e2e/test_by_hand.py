"""What root does by hand on a host where the service runs: ten good scans follow each time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.parts import Box, samples

pytestmark = pytest.mark.e2e

PROGRAM = "/opt/textfile-users/bin/textfile-users"
TEXTFILE = "/var/lib/prometheus/node-exporter"
OUTPUT = f"{TEXTFILE}/users.prom"
STATE, RUNTIME = "/var/lib/textfile-users", "/run/textfile-users/private"
PUBLIC = "/run/textfile-users/public"
LOG = "/var/log/auth.log"
# What install has put in place, with the unit that the project has.
INSTALLED = """set -e
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p /run/systemd/system /etc/systemd/system {textfile}
mkdir -m 700 /opt/root  # a box shares the host's /root
useradd --system --home-dir {state} --shell /usr/sbin/nologin --groups adm textfile-users
install -d -m 700 -o textfile-users -g textfile-users {state} {runtime}
{way}
cp {source}/systemd-timer/textfile-users.service /etc/systemd/system
: >{log}; chown root:adm {log}; chmod 640 {log}
"""
# By where the service's file is, what makes its place.
WAYS = {
    OUTPUT: f"chgrp textfile-users {TEXTFILE}; chmod 1775 {TEXTFILE}",
    f"{PUBLIC}/users.prom": f"install -d -m 755 -o textfile-users -g textfile-users {PUBLIC}; "
    f"ln -s ../../../..{PUBLIC}/users.prom {OUTPUT}",
}


class Installed:
    """A box with an installed service, its file, and what its counters must be."""

    def __init__(self, box: Box, file: str) -> None:
        self.box = box
        self.file = file
        self.failures = 0

    def sh(self, command: str, check: bool = True) -> tuple[int, str, str]:
        done = self.box.run("sh", "-c", command, check=check)
        return done.returncode, done.stdout, done.stderr

    def refuse(self) -> None:
        """Have the log tell of a refused password."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.failures += 1
        pid = 700 + self.failures
        said = "Failed password for root from 192.0.2.7 port 22 ssh2"
        self.sh(f"echo '{stamp} host sshd[{pid}]: {said}' >>{LOG}")

    def scan(self) -> tuple[int, str]:
        """Scan as the unit does; return status and stderr."""
        status, _, said = self.sh(
            "setpriv --reuid textfile-users --regid textfile-users --init-groups --no-new-privs "
            f"env -C / STATE_DIRECTORY={STATE} RUNTIME_DIRECTORY={RUNTIME} {PROGRAM} --timeout 60",
            check=False,
        )
        return status, said

    def count(self) -> float:
        family = "users_auth_failures_total"
        text = self.sh(f"cat {OUTPUT}")[1]
        return samples(text)[f'{family}{{method="password",program="sshd",user="root"}}']

    def owners(self) -> dict[str, str]:
        """Return owner and mode of all that the service writes."""
        where = f"{STATE} /run/textfile-users {TEXTFILE}"
        lines = self.sh(f"find {where} -printf '%p %u:%g %m\\n'")[1].splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def require_well(self) -> None:
        """Ten scans of the service succeed, say nothing, and count on."""
        owners = self.owners()
        for _ in range(10):
            self.refuse()
            assert self.scan() == (0, "")
            assert self.count() == self.failures
        assert self.owners() == owners
        assert owners[self.file] == "textfile-users:textfile-users 644"


@pytest.fixture(scope="module", params=WAYS, ids=["in place", "link"])
def installed(
    request: pytest.FixtureRequest, new_directory: Callable[[], Path], packages: Path
) -> Iterator[Installed]:
    with Box(new_directory()) as box:
        places = {"textfile": TEXTFILE, "state": STATE, "runtime": RUNTIME, "log": LOG}
        way = WAYS[request.param]
        script = INSTALLED.format(source=packages / "source", way=way, **places)
        box.run("sh", "-c", script)
        box.run("/usr/bin/python3", "-m", "venv", "/opt/textfile-users")
        wheels = ("--no-index", "--find-links", str(packages / "wheels"))
        box.run("/opt/textfile-users/bin/pip", "install", "-q", *wheels, "textfile-users")
        found = Installed(box, request.param)
        assert found.scan() == (0, "")
        found.refuse()
        assert found.scan() == (0, "")
        yield found


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ("", True),
        ("-v", True),
        ("collect --network office=192.0.2.0/24", True),
        (f"--output {OUTPUT}", True),
        (f"--output {TEXTFILE}/../node-exporter/users.prom", True),
        (f"--textfile-directory {TEXTFILE}", True),
        ("--output -", False),
        ("--output /opt/root/mine.prom", False),
        (f"--output {TEXTFILE}/../mine.prom", False),
        ("--root / --output -", False),
        ("--root /proc/self/root --output /opt/root/other.prom", False),
        ("--state-directory /opt/root/trial --output /opt/root/mine.prom", False),
        ("show", False),
        ("doctor", False),
    ],
)
def test_root_by_hand_harms_nothing(installed: Installed, words: str, counts: bool) -> None:
    """`counts`: what the run finds is in the service's file at once."""
    installed.refuse()
    status, _, said = installed.sh(f"cd /opt/root && sudo {PROGRAM} {words}", check=False)
    assert status == 0 or words == "doctor", said
    assert "Traceback" not in said
    if not words.startswith(("-v", "doctor")):
        assert said == ""
    assert (installed.count() == installed.failures) == counts
    installed.require_well()


def test_a_state_of_the_service_s_that_is_given(installed: Installed) -> None:
    """Root stays root, and what it saves stays the service's."""
    installed.refuse()
    installed.sh(f"sudo {PROGRAM} --state-directory {STATE} --runtime-directory {RUNTIME}")
    assert installed.count() == installed.failures
    installed.require_well()


@pytest.mark.parametrize("words", ["--state-directory /opt/root/trial", "--root /proc/self/root"])
def test_a_service_s_file_that_is_missing(installed: Installed, words: str) -> None:
    """Root's would stay root's in the sticky directory, where the service cannot replace it."""
    installed.sh(f"rm {installed.file}; sudo {PROGRAM} {words}")
    assert installed.owners()[installed.file] == "textfile-users:textfile-users 644"
    assert installed.scan() == (0, "")
    installed.require_well()


def test_the_key_is_the_service_s(installed: Installed) -> None:
    """The command that makes one would else make it root's, which the service cannot read."""
    status, _, said = installed.sh(f"sudo {PROGRAM} --redact user --output -", check=False)
    assert status == 1
    assert said.rstrip().endswith("chown textfile-users /etc/textfile-users/redact.key")
    assert "-g textfile-users " in said


def test_the_service_s_user_by_hand(installed: Installed) -> None:
    """It would begin a state of its own in its home, and the service's counters at 0."""
    installed.refuse()
    installed.sh(f"sudo -u textfile-users {PROGRAM}")
    assert installed.count() == installed.failures
    installed.require_well()


def test_another_user_by_hand(installed: Installed) -> None:
    status, _, said = installed.sh(f"sudo -u tu-alice {PROGRAM}", check=False)
    assert status == 1
    words = "not written: it is the service's; use sudo, or give --output"
    assert said == f"textfile-users: {installed.file}: {words}\n"
    installed.require_well()


def test_a_link_in_the_state_is_not_followed(installed: Installed) -> None:
    """Whoever is the service's user could have root read a file of root's and show its text."""
    installed.sh(f"cp -a {STATE}/durable.json /opt/root/kept; echo top secret >/opt/root/secret")
    installed.sh(f"ln -sf /opt/root/secret {STATE}/durable.json")
    _, text, said = installed.sh(f"sudo {PROGRAM} --output -", check=False)
    assert "secret" not in text + said.replace("/opt/root/secret", "")
    assert "is a link" in said
    assert installed.sh(f"readlink {STATE}/durable.json")[1] == "/opt/root/secret\n"
    installed.sh(f"rm {STATE}/durable.json; cp -a /opt/root/kept {STATE}/durable.json")
    installed.require_well()


def test_a_user_who_is_gone(installed: Installed) -> None:
    """Not run at all, rather than as somebody else."""
    drop_in = "/etc/systemd/system/textfile-users.service.d"
    installed.sh(f"mkdir {drop_in}; printf '[Service]\\nUser=nobody-here\\n' >{drop_in}/x.conf")
    status, _, said = installed.sh(f"sudo {PROGRAM}", check=False)
    assert status == 1
    assert said.startswith("textfile-users: not run as the service's user nobody-here: ")
    assert said.count("\n") == 1
    installed.sh(f"rm -r {drop_in}")
    installed.require_well()
