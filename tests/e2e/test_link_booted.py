"""install's link on a host with a real systemd and node_exporter: kept, lost and undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.booted import INSTALL, PROGRAM, WITHOUT, Booted
from tests.e2e.parts import samples

pytestmark = pytest.mark.e2e

TEXTFILE = "/var/lib/prometheus/node-exporter"
LINK = f"{TEXTFILE}/users.prom"
TARGET = "../../../../run/textfile-users/public/users.prom"
OUTPUT = "/run/textfile-users/public/users.prom"
UNITS = "textfile-users.timer textfile-users.path textfile-users.service"
MAKE_PUBLIC = "systemd-tmpfiles --create textfile-users.conf"
SETUP = f"""{WITHOUT}
rm -rf {TEXTFILE}/*
systemctl start dbus systemd-logind prometheus-node-exporter
{INSTALL}"""
PAGE = """python3 -c 'from urllib.request import urlopen
print(urlopen("http://127.0.0.1:9100/metrics").read().decode())'"""
RIGHTS = f"stat -c '%U:%G %a' {TEXTFILE}"
# As an install of before has left it.
OLD_LAYOUT = """mv /run/textfile-users/private /run/new && rm -r /run/textfile-users
mv /run/new /run/textfile-users"""
HARDENED = "ProtectSystem=strict\\nProtectHome=yes\\nPrivateTmp=yes\\nPrivateDevices=yes\\n"


class Host:
    """The booted host, installed."""

    def __init__(self, booted: Booted) -> None:
        self.run = booted.run

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a script as root, whose shell finds the program."""
        words = f"PATH=$PATH:/usr/local/bin\n{script}"
        return self.run("sh", "-c", words, check=check).stdout

    def install(self, *argv: str, check: bool = True) -> tuple[int, str]:
        done = self.run(PROGRAM, "install", *argv, check=check)
        return done.returncode, done.stdout + done.stderr

    def faults(self) -> dict[str, dict[str, str]]:
        done = self.run(PROGRAM, "doctor", "--json", check=False)
        return {one["check"]: one for one in json.loads(done.stdout) if one["status"] == "FAULT"}

    def scan(self) -> str:
        """Start a scan of the unit's; return what it says."""
        before = self.sh("date +%s.%N").strip()
        self.sh("systemctl start textfile-users.service", check=False)
        self.sh("journalctl --sync")
        return self.sh(f"journalctl -q -t textfile-users -o cat --since @{before}", check=False)

    def page(self) -> dict[str, float]:
        return {name: value for name, value in samples(self.sh(PAGE).strip()).items()
                if name.startswith(("users_", "node_textfile_"))}  # fmt: skip

    def counters(self) -> dict[str, float]:
        return {name: value for name, value in self.page().items()
                if name.partition("{")[0].endswith("_total")}  # fmt: skip

    def node_exporter(self, lines: str) -> None:
        """Have node_exporter's unit say ``lines`` too."""
        place = "/run/systemd/system/prometheus-node-exporter.service.d"
        self.sh(f"mkdir -p {place}; printf '[Service]\\n{lines}' >{place}/a.conf; "
                "systemctl daemon-reload; systemctl restart prometheus-node-exporter; "
                "for i in $(seq 50); do python3 -c 'import socket; "
                'socket.create_connection(("127.0.0.1", 9100))\' 2>/dev/null && exit; sleep 0.1; '
                "done")  # fmt: skip


@pytest.fixture(scope="module")
def booted(new_directory: Callable[[], Path], packages: Path) -> Iterator[Host]:
    with Booted(new_directory(), packages) as booted:
        host = Host(booted)
        host.sh(SETUP)
        yield host


@pytest.fixture
def host(booted: Host) -> Host:
    """The host with the link, as install leaves it."""
    booted.node_exporter("")
    booted.install()
    return booted


def test_the_textfile_directory_stays_others(host: Host) -> None:
    assert host.sh(f"readlink {LINK}; {RIGHTS}") == f"{TARGET}\nroot:root 755\n"
    modes = "cd /run/textfile-users; stat -c '%n %U %a' . public private public/users.prom"
    assert host.sh(modes) == (
        ". root 755\npublic textfile-users 755\nprivate textfile-users 700\n"
        "public/users.prom textfile-users 644\n"
    )
    paths = host.sh("systemctl show -P ReadWritePaths textfile-users.service")
    assert paths == "-/run/textfile-users/public\n"
    page = host.page()
    assert page["node_textfile_scrape_error"] == 0
    assert page[f'node_textfile_mtime_seconds{{file="{LINK}"}}'] > 1.7e9
    assert page["users_run_timestamp_seconds"] > 1.7e9
    assert host.faults() == {}
    # What root runs by hand is the service's next scan.
    assert host.run(PROGRAM, "--timeout", "30").stderr == ""
    assert host.sh(f"stat -c %U {OUTPUT}; readlink {LINK}") == f"textfile-users\n{TARGET}\n"


def test_an_ansible_role_may_have_the_directory(host: Host) -> None:
    """It sets owner and mode with each of its runs, and may close it to all others."""
    host.sh(f"chown prometheus:prometheus {TEXTFILE}; chmod 750 {TEXTFILE}")
    try:
        assert host.scan() == ""
        assert host.faults() == {}
        assert "users_logged_in" in "".join(host.page())
    finally:
        host.sh(f"chown root:root {TEXTFILE}; chmod 755 {TEXTFILE}")


def test_back_in_place_and_to_the_link_again(host: Host) -> None:
    """Rights go and come, the state stays: no counter falls."""
    before = host.counters()
    assert before
    said = host.install("--in-place")[1]
    assert f"writes {LINK}.\n" in said
    assert host.sh(f"{RIGHTS}; stat -c '%F %U' {LINK}; ls /run/textfile-users") == (
        "root:textfile-users 1775\nregular file textfile-users\nprivate\n"
    )
    assert host.faults() == {}
    between = host.counters()
    assert all(between[name] >= value for name, value in before.items())
    # What an install of before has left is taken over too.
    host.sh(f"systemctl stop {UNITS}; {OLD_LAYOUT}")
    kept = host.sh("cat /run/textfile-users/volatile.json")
    host.install()
    assert host.sh(f"{RIGHTS}; readlink {LINK}") == f"root:root 755\n{TARGET}\n"
    assert host.sh("stat -c '%U %a' /run/textfile-users") == "root 755\n"
    first = kept.splitlines()[0]
    assert host.sh("head -1 /run/textfile-users/private/volatile.json") == f"{first}\n"
    after = host.counters()
    assert all(after[name] >= value for name, value in between.items())
    assert host.faults() == {}


def test_a_link_that_somebody_has_replaced_by_a_file(host: Host) -> None:
    host.sh(f"systemctl stop {UNITS}; rm {LINK}; echo 'users_logged_in 7' >{LINK}")
    said = host.scan()
    assert said.count("\n") == 1
    assert f"{LINK}: not written: " in said
    found = host.faults()["link"]
    assert "is a file in the place of install's link" in found["found"]
    host.sh(found["mend"])
    assert host.sh(f"readlink {LINK}") == f"{TARGET}\n"
    assert host.faults() == {}


@pytest.mark.parametrize("spoil", [f"rm {LINK}", f"ln -sfn ../x/users.prom {LINK}"])
def test_a_link_that_leads_nowhere(host: Host, spoil: str) -> None:
    host.sh(f"systemctl stop {UNITS}; {spoil}")
    host.sh(host.faults()["link"]["mend"])
    assert host.faults() == {}


def test_what_is_in_memory_is_removed_while_the_timer_runs(host: Host) -> None:
    host.sh("rm -rf /run/textfile-users")
    said = host.scan()
    assert said.count("\n") <= 1
    told = host.sh("journalctl -q -t textfile-users -o cat -n 1")
    assert told == (
        f"textfile-users: {OUTPUT}: not written: no such file or directory; run: {MAKE_PUBLIC}\n"
    )
    assert host.faults()["textfile directory"]["mend"] == MAKE_PUBLIC
    host.sh(MAKE_PUBLIC)
    assert host.scan() == ""
    assert host.sh("stat -c %a /run/textfile-users") == "755\n"
    host.sh("sleep 1")
    assert host.faults() == {}


def test_after_a_boot_the_link_leads_to_an_empty_file(host: Host) -> None:
    """Until the first scan: a dangling link would be a scrape error."""
    host.sh(f"systemctl stop {UNITS}; rm -rf /run/textfile-users")
    assert host.page()["node_textfile_scrape_error"] == 1
    host.sh("systemd-tmpfiles --create --boot --exclude-prefix=/dev || :")
    page = host.page()
    assert page["node_textfile_scrape_error"] == 0
    assert f'node_textfile_mtime_seconds{{file="{LINK}"}}' in page
    assert "users_run_timestamp_seconds" not in page


def test_a_directory_in_memory_gets_its_link_at_boot(host: Host) -> None:
    host.sh("mkdir /srv/mem; mount -t tmpfs -o mode=755 tmpfs /srv/mem; mkdir /srv/mem/prom")
    try:
        host.install("--textfile-directory", "/srv/mem/prom")
        target = "../../../run/textfile-users/public/users.prom\n"
        assert host.sh("readlink /srv/mem/prom/users.prom") == target
        assert host.sh(f"ls -A {TEXTFILE}") == "", "the one of before serves nothing"
        host.sh("umount /srv/mem; mount -t tmpfs -o mode=755 tmpfs /srv/mem")
        host.sh(MAKE_PUBLIC)
        assert host.sh("readlink /srv/mem/prom/users.prom") == target
    finally:
        host.sh("sed -i /TEXTFILE_DIRECTORY=/d /etc/default/textfile-users")
        host.install()
        host.sh("umount /srv/mem; rmdir /srv/mem")


def test_a_hardened_node_exporter_sees_the_hosts_run(host: Host) -> None:
    host.node_exporter(HARDENED)
    assert "in place" not in host.install()[1]
    assert host.sh(f"readlink {LINK}") == f"{TARGET}\n"
    assert host.page()["node_textfile_scrape_error"] == 0
    assert host.faults() == {}


def test_a_node_exporter_that_does_not_see_the_hosts_run(host: Host) -> None:
    host.node_exporter("TemporaryFileSystem=/run\\n")
    found = host.faults()["link"]
    assert "does not see /run/textfile-users" in found["found"]
    assert found["mend"] == "textfile-users install"
    said = host.install()[1]
    assert "no link is put there, users.prom is written in place" in said
    assert host.sh(f"stat -c '%F %U' {LINK}") == "regular file textfile-users\n"
    assert host.page()["node_textfile_scrape_error"] == 0
    assert host.faults() == {}
    host.node_exporter("")
    host.install()
    assert host.sh(f"readlink {LINK}") == f"{TARGET}\n"


def test_two_installs_at_once(host: Host) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: host.install(check=False), range(3)))
    refused = [said for status, said in done if "another install or uninstall is at work" in said]
    assert [status for status, _ in done].count(0) == 3 - len(refused)
    assert refused
    assert host.sh(f"readlink {LINK}; ls -d /run/textfile-users*") == (
        f"{TARGET}\n/run/textfile-users\n"
    )
    assert host.faults() == {}


def test_a_node_exporter_with_a_glob(host: Host) -> None:
    """It reads another directory now: the link moves, nothing stays behind."""
    host.sh("mkdir -m 755 /srv/prom")
    host.node_exporter("ExecStart=\\nExecStart=/usr/bin/prometheus-node-exporter "
                       "--collector.textfile.directory=/srv/pr*\\n")  # fmt: skip
    try:
        host.install()
        target = "../../run/textfile-users/public/users.prom\n"
        assert host.sh(f"readlink /srv/prom/users.prom; ls -A {TEXTFILE}") == target
        assert {check: one["found"] for check, one in host.faults().items()
                if check in ("link", "textfile directory")} == {}  # fmt: skip
    finally:
        host.sh("sed -i /TEXTFILE_DIRECTORY=/d /etc/default/textfile-users")
        host.node_exporter("")
        host.install()
        host.sh("ls /srv/prom; rmdir /srv/prom")


def test_uninstall_leaves_the_directory_as_it_was(host: Host) -> None:
    dry = host.sh(f"{PROGRAM} uninstall --dry-run")
    assert f"rm -f {LINK}\n" in dry
    assert host.sh(f"readlink {LINK}") == f"{TARGET}\n"
    host.sh(f"{PROGRAM} uninstall")
    assert host.sh(f"ls -A {TEXTFILE}; {RIGHTS}") == "root:root 755\n"
    assert host.sh("ls -d /run/textfile-users* /etc/tmpfiles.d/textfile-users.conf 2>/dev/null || :"
                   ) == ""  # fmt: skip
