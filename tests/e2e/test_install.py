"""script/install and what it leads to on a host of its own: real crond, real systemd tools."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.parts import SECONDS, Box, run, samples

pytestmark = pytest.mark.e2e

TEXTFILE = "/var/lib/prometheus/node-exporter"
PROGRAM = "/opt/textfile-users/bin/textfile-users"
# What install may change; of the host's /usr the box has a copy of sbin, and a layer over local.
WATCHED = "/etc /opt /run /var/lib /var/spool /usr/sbin /usr/local/bin /usr/local/share"
PREPARE = """set -e
for name in /var/lib /var/spool; do mount -t tmpfs -o mode=755 tmpfs $name; done
mkdir -p /var/lib/prometheus/node-exporter /var/spool/cron/crontabs /etc/cron.d
mkdir {directory}/sbin
cp -a /usr/sbin/. {directory}/sbin
printf '#!/bin/sh\\ncat >>/run/mail\\n' >{directory}/sbin/sendmail
chmod 755 {directory}/sbin/sendmail
mount --bind {directory}/sbin /usr/sbin
rm -f /etc/cron.d/* /run/mail
"""
BUSYBOX = "rm /usr/sbin/cron; ln -s /usr/bin/busybox /usr/sbin/crond; mkdir /etc/crontabs"
CRONDS = {
    "cronie": ["/usr/sbin/crond"],
    "cron": ["/usr/sbin/cron"],
    "busybox": ["/usr/sbin/crond", "-c", "/etc/crontabs", "-L", "/run/crond.log"],
}
# Minutes that crond must have begun looks in, with the seconds of the next to be sure of it.
MINUTES = 2
PATIENCE = 60 * MINUTES + 30


class Host:
    """A box that is a fresh host, with the project and its wheels beside it."""

    def __init__(self, box: Box, packages: Path) -> None:
        self.box = box
        self.packages = packages

    def script(self, *argv: str, check: bool = True) -> tuple[int, str, str]:
        """Run script/install without a network; return status, stdout and stderr."""
        done = self.box.run(
            "env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={self.packages}/wheels",
            f"{self.packages}/source/script/install", *argv, check=check,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def prepare(self) -> None:
        """Put an environment in place as script/install makes it."""
        self.sh(f"[ -e /opt/textfile-users ] || cp -a {self.packages}/env /opt/textfile-users")

    def install(self, *argv: str, check: bool = True) -> tuple[int, str, str]:
        """Run `textfile-users install`; return status, stdout and stderr."""
        self.prepare()
        done = self.box.run(PROGRAM, "install", *argv, check=check)
        return done.returncode, done.stdout, done.stderr

    def uninstall(self, *argv: str) -> str:
        return self.box.run(PROGRAM, "uninstall", *argv).stdout

    def sh(self, command: str) -> str:
        return self.box.run("sh", "-c", command).stdout

    def listing(self) -> dict[str, str]:
        """Return what there is, with rights, owners and where links lead."""
        found = self.sh(f"find {WATCHED} -xdev -printf '%p\\t%y %m %U:%G %l\\n'")
        rows = [line.partition("\t") for line in found.splitlines()]
        # Programs that look up users leave caches and locks; the date of the last change stays.
        passing = re.compile(r"/etc/(\.pwd\.lock|(passwd|group|shadow|gshadow)-)$")
        return {name: rest for name, _, rest in rows if not passing.search(name)}

    def accounts(self) -> str:
        return self.sh("cat /etc/passwd /etc/group /etc/shadow /etc/gshadow")


@pytest.fixture(scope="module")
def installed(new_directory: Callable[[], Path], packages: Path) -> Path:
    """The project's packages, and in `env` what script/install has made of them."""
    with Box(new_directory()) as box:
        box.run("sh", "-c", PREPARE.format(directory=box.directory))
        Host(box, packages).script()
        box.run("cp", "-a", "/opt/textfile-users", str(packages / "env"))
    return packages


@pytest.fixture
def hosts(new_directory: Callable[[], Path], installed: Path) -> Iterator[Callable[..., Host]]:
    """Makes fresh hosts."""
    with ExitStack() as stack:

        def make(extra: str = "") -> Host:
            box = stack.enter_context(Box(new_directory()))
            box.run("sh", "-c", PREPARE.format(directory=box.directory) + extra)
            return Host(box, installed)

        yield make


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {
        name: (before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name, "") != after.get(name, "")
    }


def test_cron_runs_it_and_uninstall_leaves_nothing(
    hosts: Callable[..., Host], tmp_path: Path
) -> None:
    """Debian's cron, busybox's and cronie at once: each for two of its minutes."""
    made = {"cron": hosts(), "busybox": hosts(BUSYBOX)}
    cronie = _unpack_cronie(tmp_path)
    if cronie:
        made["cronie"] = hosts(f"rm /usr/sbin/cron; cp {cronie}/usr/sbin/crond /usr/sbin;"
                               f" cp {cronie}/etc/pam.d/* /etc/pam.d/")  # fmt: skip
    before = {name: (host.listing(), host.accounts()) for name, host in made.items()}
    for name, host in made.items():
        assert "no cron daemon runs: start it with: " in host.install()[1]
        host.script()  # twice without harm, as an update
        assert f"textfile-users 644 {TEXTFILE}/users.prom\n" in host.sh(
            f"stat -c '%U %a %n' {TEXTFILE}/*"
        ), "the first scan was made"
        assert host.box.run("textfile-users", "--version").stdout.startswith("textfile-users ")
        assert host.sh("readlink -e /usr/local/share/man/man1/textfile-users.1")
        # Settings that only reach the program if the entry hands them on; a glob stays one.
        host.sh("echo 'OPTIONS=\"--exclude-user * --ssh-port 2222\"' >>/etc/default/textfile-users")
        host.box.run(*CRONDS[name])
        again = host.install()[1]  # with a daemon, whose entry it is that runs
        assert re.match("Installed: /etc/cron[a-z./]*/textfile-users scans every 5 seconds", again)
        assert re.search(r"doctor finds:\n.*\nok +cron ", again, re.DOTALL)
    looks: dict[str, set[float]] = {name: set() for name in made}
    by_install = {name: set(_run_times(host)) for name, host in made.items()}
    end = time.monotonic() + PATIENCE + 60
    while time.monotonic() < end and not all(map(_two_minutes, looks.values())):
        for name, host in made.items():
            looks[name].update(set(_run_times(host)) - by_install[name])
        time.sleep(0.5)
    for name, host in made.items():
        assert _two_minutes(looks[name]), (name, sorted(looks[name]), _crond_log(host))
        _check_looks(sorted(looks[name]), name)
        assert not host.sh("cat /run/mail 2>/dev/null || :"), "no mail on success"
        owner = host.sh(f"stat -c '%U %a' {TEXTFILE}/users.prom {TEXTFILE}").splitlines()
        assert owner == ["textfile-users 644", "root 1775"]
        told = host.uninstall()
        assert told.endswith("rm -r /opt/textfile-users\n")
        host.sh("pkill -x cron; pkill -x crond; rm -r /opt/textfile-users; sleep 0.2;"
                " rm -f /run/cron*; :")  # fmt: skip
        assert differences(before[name][0], host.listing()) == {}
        assert host.accounts() == before[name][1]


def _unpack_cronie(directory: Path) -> str:
    """Return where cronie is unpacked, which conflicts with cron; '' before Debian 13."""
    run("apt-get", "download", "cronie", check=False, cwd=directory)
    for package in directory.glob("cronie_*.deb"):
        run("dpkg", "-x", str(package), str(directory))
        return str(directory)
    return ""


def _run_times(host: Host) -> list[float]:
    path = host.box.root / TEXTFILE[1:] / "users.prom"
    try:
        return [samples(path.read_text())["users_run_timestamp_seconds"]]
    except OSError:
        return []


def _two_minutes(looks: set[float]) -> bool:
    """Whether looks began in a minute that crond had begun, and in the next."""
    minutes = sorted({look // 60 for look in looks})
    # The first may be the rest of one: an install at its end. A minute has twelve looks.
    return len(minutes) >= MINUTES and max(looks) % 60 > 10


def _check_looks(looks: list[float], name: str) -> None:
    gaps = [later - earlier for earlier, later in zip(looks, looks[1:])]
    # One of them may be late on a busy machine, and the first comes with the minute.
    usual = [gap for gap in gaps if 3 < gap < 7]
    assert len(usual) >= len(gaps) * 0.8, (name, gaps)


def _crond_log(host: Host) -> str:
    return host.sh("cat /run/crond.log /run/mail 2>/dev/null; ls -la /etc/cron* ; :")


def test_what_cron_mails(hosts: Callable[..., Host]) -> None:
    """The entry as a shell runs it: each fault in one line, with what to do."""
    host = hosts()
    host.install()
    entry = host.sh("cat /etc/cron.d/textfile-users")
    (line,) = [line for line in entry.splitlines() if line.startswith("* ")]
    words = line.split(None, 6)[6].replace("--repeat 12", "--repeat 1")
    directories = re.findall(r"^[A-Z]+_DIRECTORY=.*", entry, re.MULTILINE)

    def look() -> tuple[int, str]:
        as_user = ["setpriv", "--reuid=textfile-users", "--regid=textfile-users", "--init-groups"]
        done = host.box.run(*as_user, "env", "-i", *directories, "/bin/sh", "-c", words,
                            check=False)  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert look() == (0, "")
    host.sh(f"rm {TEXTFILE}/users.prom; mkdir {TEXTFILE}/users.prom")
    status, said = look()
    assert status == 1
    assert said.count("\n") == 1
    host.sh(f"rmdir {TEXTFILE}/users.prom")
    host.sh("ln -sfn /nonexistent/python3 /opt/textfile-users/bin/python3")
    status, said = look()
    assert (status, said.count("\n")) == (127, 1)
    assert "/opt/textfile-users/bin/python3: not found" in said


def test_dry_run_changes_nothing(hosts: Callable[..., Host]) -> None:
    host = hosts()
    before = host.listing(), host.accounts()
    status, out, err = host.script("--dry-run")
    assert (status, err) == (0, "")
    assert (host.listing(), host.accounts()) == before
    assert f"chmod 1775 {TEXTFILE}\n" in out
    assert " -m venv /opt/.textfile-users.XXXXXX/env\n" in out
    assert "cat >/etc/cron.d/textfile-users" in out
    host.install()
    before = host.listing(), host.accounts()
    printed = host.uninstall("--dry-run")
    assert (host.listing(), host.accounts()) == before
    assert "rm -rf /var/lib/textfile-users" in printed
    # What is printed is what is done: a shell does the same.
    host.sh("setpriv --reuid=textfile-users --clear-groups sleep 600 >/dev/null 2>&1 & sleep 0.2")
    assert host.sh("pgrep -U textfile-users")
    host.box.run("sh", "-e", input=printed)
    assert "textfile-users" not in host.accounts()
    assert host.sh("pgrep -x sleep -a").count(f"sleep {SECONDS}") == 1, "the box's own"


def test_cron_writes_in_place_where_a_link_was(hosts: Callable[..., Host]) -> None:
    """As after `install --cron` on a host that had the timer, and where a link was before that."""
    host = hosts()
    before = host.listing()
    link = f"{TEXTFILE}/users.prom"
    host.sh(f"ln -s ../../../../run/textfile-users/public/users.prom {link}; "
            "mkdir -p /run/textfile-users/public")  # fmt: skip
    host.install()
    assert host.sh(f"stat -c '%F %U' {link}; stat -c '%U %a' /run/textfile-users/private") == (
        "regular file textfile-users\ntextfile-users 700\n"
    )
    assert host.sh("ls /run/textfile-users; stat -c '%U %a' /run/textfile-users") == (
        "private\nroot 755\n"
    )
    # Of `install --runtime-file` before there was this link.
    host.sh(f"ln -sf /run/textfile-users/users.prom {link}; mv /run/textfile-users/private /run/x; "
            "rmdir /run/textfile-users; mv /run/x /run/textfile-users")  # fmt: skip
    host.install()
    assert host.sh(f"stat -c '%F %U' {link}") == "regular file textfile-users\n"
    assert host.sh("ls /run/textfile-users/private") == "volatile.json\n"
    host.uninstall()
    host.sh("rm -r /opt/textfile-users")
    assert differences(before, host.listing()) == {}


def test_another_textfile_directory(hosts: Callable[..., Host]) -> None:
    host = hosts("mkdir -m 755 /opt/one /opt/two; chgrp adm /opt/one; chmod 750 /opt/one")
    before = host.listing()
    host.install("--textfile-directory", "/opt/one")
    assert "\nTEXTFILE_DIRECTORY=/opt/one\n" in host.sh("cat /etc/default/textfile-users")
    status, _, err = host.install("--textfile-directory", "/opt/two", check=False)
    assert (status, err.count("\n")) == (1, 2)
    assert "run: sed -i" in err
    host.sh(re.findall("run: (sed .*)", err)[0])
    assert host.sh("ls /opt/one") == "users.prom\n", "the first scan's"
    host.install("--textfile-directory", "/opt/two")
    assert host.sh("stat -c '%U:%G %a' /opt/one /opt/two; ls /opt/one") == (
        "root:adm 750\nroot:textfile-users 1775\n"
    )
    host.uninstall()
    host.sh("rm -r /opt/textfile-users")
    assert differences(before, host.listing()) == {}


@pytest.mark.parametrize(
    ("spoil", "argv", "said"),
    [
        (f"ln -s /etc {TEXTFILE}/users.prom", [], "users.prom: is a link to /etc; run: rm"),
        (f"mkdir {TEXTFILE}/users.prom", [], "users.prom: is no file; run: rm -r"),
        ("ln -s /etc /var/lib/textfile-users", [], "textfile-users: is a link to /etc; run: rm"),
        ("mkdir /var/lib/textfile-users; chown tu-alice /var/lib/textfile-users", [],
         "is another user's (uid 20001)"),
        (f"chown tu-alice {TEXTFILE}", [], "is an ordinary user's (uid 20001); run: chown root"),
        (f"chmod 777 {TEXTFILE}", [], "others can write it; run: chmod o-w"),
        (f"chgrp tu-alice {TEXTFILE}; chmod 775 {TEXTFILE}", [], "run: chmod g-w"),
        (f"rmdir {TEXTFILE}", [], "no textfile directory: none of"),
        ("", ["--textfile-directory", "/none"], "/none: is not there"),
        ("", ["--textfile-directory", "/opt/a b"], "without odd characters"),
        ("echo 'OPTIONS=--nonsense' >/etc/default/textfile-users", [],
         "line 1: OPTIONS: '--nonsense' is no option"),
        ("rm /usr/sbin/cron", [], "neither systemd nor cron runs here"),
    ],
)  # fmt: skip
def test_bad_hosts_are_said_and_left_alone(
    hosts: Callable[..., Host], spoil: str, argv: list[str], said: str
) -> None:
    host = hosts(spoil)
    host.prepare()
    before = host.listing(), host.accounts()
    status, _, err = host.install(*argv, check=False)
    assert status == 1
    assert said in err
    assert "Traceback" not in err
    assert (host.listing(), host.accounts()) == before


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (f"chmod 777 {TEXTFILE}", "others can write it; run: chmod o-w"),
        ("mkdir /opt/textfile-users", "no environment of Python's: move it away"),
    ],
)
def test_script_install_asks_before_it_changes_anything(
    hosts: Callable[..., Host], spoil: str, said: str
) -> None:
    host = hosts(spoil)
    before = host.listing(), host.accounts()
    status, _, err = host.script(check=False)
    assert status == 1
    assert said in err
    assert (host.listing(), host.accounts()) == before


def test_nothing_of_roots_is_given_away(hosts: Callable[..., Host]) -> None:
    """Another name of a file of root's, where the service's user could have made one."""
    state = "/var/lib/textfile-users"
    host = hosts(
        "install -m 600 /dev/null /var/lib/secret; echo secret >/var/lib/secret;"
        f"ln /var/lib/secret {TEXTFILE}/users.prom; mkdir {state}; ln /var/lib/secret {state}/lock"
    )
    look = "stat -c '%U:%G %a %h' /var/lib/secret"
    status, _, err = host.install(check=False)
    assert status == 1
    assert "lock: is no file of root's with one name; remove it" in err
    assert host.sh(look) == "root:root 600 3\n"
    host.sh(f"rm {state}/lock; touch {state}/durable.json")  # as root's own runs leave one
    host.install()
    assert host.sh(look) == "root:root 600 1\n"
    assert "users_logged_in" in host.sh(f"cat {TEXTFILE}/users.prom")
    assert host.sh(f"stat -c %U {state} {state}/durable.json") == "textfile-users\n" * 2


def test_the_group_that_writes_btmp_is_left_when_a_log_is_read(hosts: Callable[..., Host]) -> None:
    host = hosts()
    host.install()
    assert "utmp" in host.sh("id -nG textfile-users").split(), "the box has neither log nor journal"
    host.sh("install -m 640 -g adm /dev/null /var/log/auth.log")
    doctor = host.box.run(PROGRAM, "doctor", check=False).stdout
    assert "mend: gpasswd -d textfile-users utmp\n" in doctor
    host.install()
    assert host.sh("id -nG textfile-users").split() == ["textfile-users", "adm", "systemd-journal"]


# As anybody may leave it where root works: what Python and pip find in their directory.
SHARED = """mkdir -m 1777 /run/shared; cd /run/shared; mkdir pip ensurepip
for file in venv.py site.py shlex.py pip/__init__.py pip/__main__.py ensurepip/__init__.py; do
    echo "open('/run/ran', 'a').write(__file__)" >$file
done
printf '[install]\\nprefix = /run/ran\\n' >setup.cfg
"""


def test_nothing_in_the_callers_directory_runs(hosts: Callable[..., Host]) -> None:
    host = hosts(SHARED)
    host.box.run(
        "env", "-C", "/run/shared", "PYTHONPATH=/run/shared", "PIP_NO_INDEX=1",
        f"PIP_FIND_LINKS={host.packages}/wheels", f"{host.packages}/source/script/install",
    )  # fmt: skip
    assert host.sh("ls /run/ran 2>&1 || :").startswith("ls: cannot access")
    firsts = host.sh("cd /opt/textfile-users/bin; head -qn 1 textfile-users pip").splitlines()
    assert [first.partition("/python3")[2].partition(" ")[2] for first in firsts] == ["-I", "-I"]
    command = ["env", "-C", "/run/shared", "PYTHONPATH=/run/shared", "textfile-users", "--version"]
    assert host.box.run(*command).stdout.startswith("textfile-users ")
    assert host.sh("ls /run/ran 2>&1 || :").startswith("ls: cannot access")


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["-h"], 0, "[--prefix DIR]"),
        (["--cron", "--help"], 0, "usage: textfile-users install"),
        (["--root", "/srv"], 2, "textfile-users.pyz install --root DIR"),
        (["--root=/srv"], 2, "textfile-users.pyz install --root DIR"),
        (["--nonsense"], 2, "'--nonsense' is no option"),
    ],
)
def test_words_of_script_install_that_change_nothing(
    hosts: Callable[..., Host], argv: list[str], status: int, said: str
) -> None:
    host = hosts()
    before = host.listing(), host.accounts()
    got, out, err = host.script(*argv, check=False)
    assert (got, said in out + err) == (status, True)
    assert (host.listing(), host.accounts()) == before


def test_an_update_replaces_the_environment_whole(hosts: Callable[..., Host]) -> None:
    """Who looks meanwhile finds the old one or the new one, never some of each.

    After a failure it is the old one; for a moment between two renames there is none.
    """
    host = hosts()
    host.install()
    host.sh("touch /opt/textfile-users/old /opt/textfile-users.old")
    watch = (
        "while [ ! -e /run/stop ]; do /opt/textfile-users/bin/textfile-users --version"
        " >>/run/said 2>&1; done & echo"
    )
    host.sh(f"({watch}) >/dev/null 2>&1")
    host.packages.joinpath("none").mkdir(exist_ok=True)
    failed = host.box.run(
        "env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={host.packages}/none",
        f"{host.packages}/source/script/install", check=False,
    )  # fmt: skip
    assert failed.returncode
    assert failed.stderr.endswith("textfile-users.pyz install\n"), "the way without packages"
    assert host.sh("ls -A /opt; ls /opt/textfile-users/old").split() == [
        "textfile-users", "textfile-users.old", "/opt/textfile-users/old",
    ]  # fmt: skip
    host.script()
    host.sh("touch /run/stop; sleep 0.5")
    assert host.sh("ls -A /opt").split() == ["textfile-users", "textfile-users.old"]
    assert "old" not in host.sh("ls /opt/textfile-users").split()
    said = host.sh("sort -u /run/said").splitlines()
    assert sum(line.startswith("textfile-users ") for line in said) == 1, said
    mixed = ("cannot import name", "has no attribute")
    assert not any(word in line for line in said for word in mixed), said
    assert "/opt/.textfile" not in host.sh("grep -rIl /opt/.textfile /opt/textfile-users/bin || :")
    assert host.sh("/opt/textfile-users/bin/pip --version").startswith("pip ")


def test_without_a_network_pips_words_are_few(hosts: Callable[..., Host]) -> None:
    """The reason and the way that needs no network; none of pip's tries."""
    host = hosts()
    failed = host.box.run(
        "unshare", "--net", "env", "-u", "PIP_FIND_LINKS", "PIP_CONFIG_FILE=/dev/null",
        "PIP_RETRIES=1", f"{host.packages}/source/script/install", check=False,
    )  # fmt: skip
    assert failed.returncode == 1
    assert "No matching distribution found for setuptools" in failed.stderr
    assert "Retrying" not in failed.stderr
    assert failed.stderr.endswith("textfile-users.pyz install\n")
    assert host.sh("ls -A /opt") == ""


def test_links_lead_to_the_program_and_no_further(hosts: Callable[..., Host]) -> None:
    """Another prefix, a file of another's, directories of Debian's group staff."""
    host = hosts("rm -rf /usr/local/share/man; chgrp staff /usr/local /usr/local/bin;"
                 " chmod 2775 /usr/local /usr/local/bin")  # fmt: skip
    before = host.listing()
    host.script("--prefix", "/opt/first")
    host.sh("rm -r /opt/first")  # what it leads to is gone
    host.script("--prefix", "/opt/second")
    link, page = "/usr/local/bin/textfile-users", "/usr/local/share/man/man1/textfile-users.1"
    assert host.sh(f"readlink {link} {page}") == (
        "/opt/second/bin/textfile-users\n/opt/second/share/man/man1/textfile-users.1\n"
    )
    host.sh(f"rm {link}; echo another >{link}")
    _, _, err = host.script("--prefix", "/opt/second")
    assert err == (
        f"textfile-users: {link}: is not ours and stays; use /opt/second/bin/textfile-users, "
        "or remove it and install again\n"
    )
    host.box.run("/opt/second/bin/textfile-users", "uninstall")
    assert host.sh(f"cat {link}; rm {link} -r /opt/second") == "another\n"
    assert differences(before, host.listing()) == {}
    # One of the group puts a link in the way: root's ends nowhere else.
    host.sh("mv /usr/local/bin /usr/local/old; ln -s /etc /usr/local/bin;"
            " chown -h tu-alice /usr/local/bin")  # fmt: skip
    _, _, err = host.script()
    assert f"{link}: no link is made: a link on the way is not root's; " in err
    assert host.sh("ls -d /etc/textfile-users*") == "/etc/textfile-users\n"


def test_a_first_scan_that_fails_is_said(hosts: Callable[..., Host]) -> None:
    """With its own words; all is in place, and doctor names the fault."""
    host = hosts("echo 'OPTIONS=\"--timeout 0.000001\"' >/etc/default/textfile-users")
    status, out, err = host.install(check=False)
    assert status == 1
    assert "textfile-users: the first scan: " in err
    assert err.endswith("the first scan failed with status 1; all else is in place\n")
    assert "doctor finds:" in out
    assert host.sh("ls /etc/cron.d") == "textfile-users\n"


def test_an_impostor_does_not_steer(hosts: Callable[..., Host]) -> None:
    """An ordinary user's process with the name and the flag, beside a real one of the system's."""
    host = hosts("mkdir -m 777 /opt/evil; mkdir -p /opt/real; useradd --system tu-exporter")
    path = host.sh("readlink -f $(command -v prometheus-node-exporter)").strip()
    flags = "--web.listen-address=127.0.0.1:0 --collector.textfile.directory"
    for user, directory in (("tu-alice", "/opt/evil"), ("tu-exporter", "/opt/real")):
        host.sh(f"setpriv --reuid={user} --clear-groups {path} {flags}={directory}"
                " >/dev/null 2>&1 &")  # fmt: skip
    _wait(lambda: host.sh("pgrep -fc textfile.directory=/opt || :").strip() >= "2")
    _, out, err = host.script("--dry-run")
    assert "calls itself node_exporter: not believed, it is an ordinary user's (uid 20001)" in err
    assert "chmod 1775 /opt/real" in out
    assert "evil" not in out


def _wait(until: Callable[[], bool]) -> None:
    for _ in range(100):
        if until():
            return
        time.sleep(0.1)
    raise AssertionError("it does not come true")


def test_an_image_with_systemd(hosts: Callable[..., Host]) -> None:
    """Below --root nothing runs; units are enabled, names are the image's."""
    host = hosts()
    image = f"{host.box.directory}/image"
    host.sh(f"mkdir -p {image}/etc/systemd/system {image}/usr/lib/systemd {image}{TEXTFILE}; "
            f"touch {image}/usr/lib/systemd/systemd; "
            f"echo 'root:x:0:0::/root:/bin/sh' >{image}/etc/passwd; "
            f"printf 'root:x:0:\\nadm:x:4:\\n' >{image}/etc/group")  # fmt: skip
    listing = f"cd {image}; find . -printf '%p %y %m %U:%G %l\\n' | sort"
    before = host.sh(listing)
    own = host.listing()
    archive = f"{host.box.directory}/textfile-users.pyz"
    run(sys.executable, "-I", str(host.packages / "source/script/pyz.py"), archive)
    program = ["/usr/bin/python3", "-I", archive]
    host.sh(f"mkdir {image}/usr/bin; cp -d /usr/bin/python3 {image}/usr/bin")
    before = host.sh(listing)
    # What a dry run prints is what is done, but for the program itself.
    printed = host.box.run(*program, "install", "--root", image, "--dry-run")
    host.sh(f"cp -a {image} {image}.printed")
    host.box.run("sh", "-e", input=printed.stdout.replace(f"{image}/", f"{image}.printed/")
                 .replace(f"root={image} ", f"root={image}.printed "))  # fmt: skip
    host.box.run(*program, "install", "--root", image)
    made = [
        host.sh(
            f"cd {place}; find . -path ./opt -prune -o -path './etc/*-' -o "
            "-printf '%p %y %m %U:%G %l\n' | sort"
        )
        for place in (image, f"{image}.printed")
    ]
    assert made[0] == made[1]
    for path, name in (("bin", "bin/textfile-users"), ("share/man/man1", "textfile-users.1")):
        told = f"./usr/local/{path}/{os.path.basename(name)} l 777 0:0 /opt/textfile-users/"
        assert f"{told}{'' if path == 'bin' else 'share/man/man1/'}{name}\n" in made[0]
    host.sh(f"rm -r {image}.printed")
    link = host.sh(f"readlink {image}{TEXTFILE}/users.prom")
    assert link == "../../../../run/textfile-users/public/users.prom\n"
    assert host.sh(f"stat -c '%u:%g %a' {image}{TEXTFILE}") == "0:0 755\n"
    host.box.run(*program, "install", "--root", image, "--in-place")
    assert host.sh(f"ls -A {image}{TEXTFILE}") == ""
    assert differences(own, host.listing()) == {}, "nothing of the host itself"
    units = f"{image}/etc/systemd/system"
    for kind in ("timer", "path"):
        link = f"{units}/{kind}s.target.wants/textfile-users.{kind}"
        assert host.sh(f"readlink {link}").endswith(f"/etc/systemd/system/textfile-users.{kind}\n")
    accounts = host.sh(f"cat {image}/etc/passwd {image}/etc/group")
    (uid,) = re.findall(r"^textfile-users:x:(\d+):\d+:", accounts, re.MULTILINE)
    (gid,) = re.findall(r"^textfile-users:x:(\d+):$", accounts, re.MULTILINE)
    assert "adm:x:4:textfile-users" in accounts
    assert "utmp" not in accounts, "no group that the image does not have"
    assert host.sh(f"stat -c '%u:%g %a' {image}{TEXTFILE} {image}/var/lib/textfile-users") == (
        f"0:{gid} 1775\n{uid}:{gid} 700\n"
    )
    script = f"{image}/opt/textfile-users/bin/textfile-users"
    assert host.sh(f"head -1 {script}") == "#!/opt/textfile-users/bin/python3 -I\n"
    host.box.run(*program, "uninstall", "--root", image)
    host.sh(f"rm -r {image}/opt/textfile-users")
    left = set(host.sh(listing).splitlines()) - set(before.splitlines())
    assert {row.split()[0] for row in left} <= {
        f"./etc/{name}" for name in ("passwd-", "group-", "shadow", "shadow-", "gshadow",
                                     "gshadow-", ".pwd.lock", "sysusers.d", "default", "tmpfiles.d")
    } | {"./etc", "./opt", "./etc/systemd/system/timers.target.wants",
         "./etc/systemd/system/paths.target.wants", "./etc/passwd", "./etc/group"}  # fmt: skip


def test_units_verify_and_are_closed(hosts: Callable[..., Host], tmp_path: Path) -> None:
    host = hosts()
    host.install()  # the units' program
    units = "/opt/textfile-users/share/textfile-users/systemd-timer"
    names = [f"{units}/textfile-users.{kind}" for kind in ("service", "timer", "path")]
    done = host.box.run("systemd-analyze", "verify", "--man=no", *names, check=False)
    assert "textfile-users" not in done.stderr + done.stdout
    rating = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    plain = _exposure(host.box.run(*rating, names[0]).stdout)
    assert plain <= 1.5
    drop_in = "/run/systemd/system/textfile-users.service.d"
    host.sh(
        f"mkdir -p {drop_in}; cp {names[0]} /run/systemd/system; cp {units}/ptrace.conf {drop_in}"
    )
    traced = _exposure(host.box.run(*rating, "/run/systemd/system/textfile-users.service").stdout)
    assert plain < traced <= 1.5
    # The drop-in says what it costs.
    assert f"{traced:g} instead of {plain:g}" in host.sh(f"cat {units}/ptrace.conf")


def _exposure(text: str) -> float:
    return float(re.findall(r"Overall exposure level.*: ([\d.]+)", text)[0])


# Of the units the parts that a manager of root's own, without cgroups to limit, can take.
MANAGER = r"""set -e
mkdir -p /run/systemd/system /run/systemd/sessions /run/units
mkdir -m 700 /run/manager
cd /opt/textfile-users/share/textfile-users/systemd-timer
for kind in service path; do
    { echo '[Unit]'; echo DefaultDependencies=no
      grep -E '^(Type|ExecStart|Environment|StartLimit|TimeoutSt|Path|TriggerLimit|\[)' \
          textfile-users.$kind; } >/run/units/textfile-users.$kind
done
printf '[Unit]\nDefaultDependencies=no\nWants=textfile-users.path\n' >/run/units/default.target
cat >>/run/units/textfile-users.service <<'END'
[Service]
Environment="OPTIONS=--timeout 30" STATE_DIRECTORY=/run/state RUNTIME_DIRECTORY=/run/state
ExecStartPost=/bin/sh -c 'date +%%s.%%N >>/run/looks'
END
XDG_RUNTIME_DIR=/run/manager SYSTEMD_UNIT_PATH=/run/units \
    setsid /lib/systemd/systemd --user --log-target=console >/run/manager.log 2>&1 </dev/null &
"""


def test_changes_are_looked_at_at_once_and_the_watching_goes_on(
    hosts: Callable[..., Host],
) -> None:
    """A real systemd, as the manager of a user: what a path unit does is the same there."""
    host = hosts("rm /run/utmp")
    host.install()
    host.sh(MANAGER)
    control = "XDG_RUNTIME_DIR=/run/manager systemctl --user"
    _wait(lambda: host.sh(f"{control} is-active textfile-users.path || :") == "active\n")

    def looks_after(change: str, seconds: float) -> list[float]:
        """Return when looks ended after a change, in seconds after it began."""
        began = float(host.sh("rm -f /run/looks; date +%s.%N"))
        host.sh(f"cd /run/systemd/sessions; {change}")
        time.sleep(seconds)
        times = host.sh("cat /run/looks 2>/dev/null || :").split()
        assert host.sh(f"{control} is-active textfile-users.path || :") == "active\n"
        return [float(text) - began for text in times]

    assert len(looks_after(": >5", 4)) == 1
    # Of ten logins in a second the first are seen at once and the last ones a second later.
    ten = looks_after("for i in 1 2 3 4 5 6 7 8 9 10; do : >1$i; sleep 0.09; done", 4)
    assert 2 <= len(ten) <= 3
    assert all(later - earlier > 0.9 for earlier, later in zip(ten, ten[1:]))
    # Far above systemd's own limits for path units and services.
    storm = looks_after("for i in $(seq 300); do : >2$i; sleep 0.01; done", 3)
    assert 3 <= len(storm) <= 9
    assert looks_after(": >/run/utmp", 3), "Debian 13 may get one later"
    assert looks_after("echo x >>/run/utmp", 3)


def test_a_look_that_hangs_is_ended_and_shown(hosts: Callable[..., Host]) -> None:
    host = hosts()
    host.install()
    host.sh(MANAGER)
    control = "XDG_RUNTIME_DIR=/run/manager systemctl --user"
    _wait(lambda: host.sh(f"{control} is-active textfile-users.path || :") == "active\n")
    # The unit's own program, one scan of which goes on until it is stopped as if on a dead disk.
    host.sh("echo 'Environment=\"OPTIONS=--timeout 30 --repeat 12\"' "
            f">>/run/units/textfile-users.service; {control} daemon-reload")  # fmt: skip
    show = f"{control} show textfile-users.service -P"

    def is_stopped() -> bool:
        """Stop a scan that goes on; it may end with its minute. Pid 0 would be this test."""
        host.sh(f"{control} start --no-block textfile-users.service")
        pid = host.sh(f"{show} MainPID").strip()
        return pid != "0" and host.box.run("kill", "-STOP", pid, check=False).returncode == 0

    _wait(is_stopped)
    began = time.monotonic()
    while host.sh(f"{show} ActiveState") == "activating\n":
        assert time.monotonic() - began < 30
        time.sleep(0.2)
    assert 8 < time.monotonic() - began < 20
    assert host.sh(f"{show} Result") == "timeout\n"
    assert host.sh(f"{control} is-failed textfile-users.service") == "failed\n"
    host.sh("sed -i '$d' /run/units/textfile-users.service; "
            f"{control} daemon-reload; {control} start textfile-users.service")  # fmt: skip
    assert host.sh(f"{show} Result") == "success\n", "until the next"


def test_busybox_is_whole() -> None:
    """Debian's package `busybox` has no crond."""
    assert "crond" in run("busybox", "--list").stdout.split()
    assert shutil.which("busybox")
    assert os.path.exists("/usr/sbin/cron")
