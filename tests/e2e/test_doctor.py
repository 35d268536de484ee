"""doctor in a box with a real node_exporter: clean, then each fault made, told, and mended."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.parts import Box, NodeExporter, free_port

pytestmark = pytest.mark.e2e

PROGRAM = "/opt/textfile-users/bin/textfile-users"
DIRECTORY = "/run/metrics"
FILE = f"{DIRECTORY}/users.prom"
STATE = "/run/kept"
CRON = f"""STATE_DIRECTORY={STATE}
RUNTIME_DIRECTORY=/run/volatile
* * * * * textfile-users {PROGRAM} --repeat 12 --interval 5
"""
ENTRY = "/etc/cron.d/textfile-users"
LINE = "2026-11-20T09:12:00.000000+00:00 host sshd[9]: Server listening on :: port 22."
# What install does, and a process named as cron is: no scan is to come between.
SETUP = f"""set -e
useradd --system --home-dir {STATE} textfile-users
usermod -aG adm,systemd-journal textfile-users
useradd --system tu-exporter
install -d -m 1775 -g textfile-users {DIRECTORY}
install -d -m 700 -o textfile-users {STATE} /run/volatile
printf '%s' '{CRON}' >/etc/cron.d/textfile-users
chmod 644 /etc/cron.d/textfile-users
touch -d '1 hour ago' /etc/cron.d/textfile-users
echo TEXTFILE_DIRECTORY={DIRECTORY} >/etc/default/textfile-users
cp /bin/sleep /run/cron
touch /etc/timezone
rm -f /etc/localtime; cp /usr/share/zoneinfo/UTC /etc/localtime
printf '%s\\n' '{LINE}' >/var/log/auth.log
chown root:adm /var/log/auth.log; chmod 640 /var/log/auth.log
"""
CLEANUP = f"""
rm -rf {DIRECTORY} {STATE} /run/volatile /run/cron /run/*.pid /etc/cron.d/textfile-users
rm -rf /etc/default/textfile-users /etc/textfile-users /var/log/auth.log
userdel textfile-users; userdel tu-exporter; true
"""


# Until it is what it is to be: before, it is a shell.
AWAIT = """for _ in $(seq 300); do
    pid=$(cat {pid}) && read -r comm </proc/$pid/comm && [ "$comm" = {comm} ] && exit
    sleep 0.1
done 2>/dev/null
exit 1
"""


class Doctor:
    """The box as a host where all is in place."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a script in the box as root."""
        return self.box.run("sh", "-c", script, check=check).stdout

    def look(self, *, check: bool = True) -> None:
        """Run the program as cron would."""
        as_user = "setpriv --reuid=textfile-users --regid=textfile-users --init-groups"
        self.sh(
            f"set -a; . /etc/default/textfile-users; {as_user} env STATE_DIRECTORY={STATE} "
            f"RUNTIME_DIRECTORY=/run/volatile {PROGRAM} --timeout 30 $OPTIONS",
            check=check,
        )

    def all(self) -> list[dict[str, str]]:
        """Return all findings."""
        done = self.box.run(PROGRAM, "doctor", "--json", check=False)
        found: list[dict[str, str]] = json.loads(done.stdout)
        return found

    def __call__(self, *argv: str) -> tuple[int, dict[str, dict[str, str]]]:
        """Return doctor's status and its findings by check, of several the gravest or first."""
        done = self.box.run(PROGRAM, "doctor", "--json", *argv, check=False)
        assert done.stdout, done.stderr
        findings: dict[str, dict[str, str]] = {}
        for one in json.loads(done.stdout):
            if one["check"] not in findings or one["status"] == "FAULT":
                findings[one["check"]] = one
        return done.returncode, findings

    def faults(self) -> dict[str, dict[str, str]]:
        """Return the faults by check, but for the box's having no init of its own."""
        status, findings = self()
        faults = {k: v for k, v in findings.items() if v["status"] == "FAULT"}
        assert status == (1 if faults else 0)
        faults.pop("container", None)
        if findings["node_exporter"]["status"] != "ok":  # a note only, in a container
            faults["node_exporter"] = findings["node_exporter"]
        return faults

    @contextmanager
    def process(self, name: str, *argv: str, user: str = "root") -> Iterator[None]:
        """Run a process in the box."""
        as_user = f"setpriv --reuid={user} --regid=nogroup --clear-groups"
        script = f'echo $$ >/run/{name}.pid; exec {as_user} "$@"'
        with subprocess.Popen(
            self.box.argv("sh", "-c", script, name, *argv),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ):
            try:
                self.sh(AWAIT.format(pid=f"/run/{name}.pid", comm=os.path.basename(argv[0])[:15]))
                yield
            finally:
                self.sh(f"kill $(cat /run/{name}.pid) || true")

    @contextmanager
    def node_exporter(self, *flags: str, user: str = "tu-exporter") -> Iterator[None]:
        """Run a real node_exporter in the box."""
        port = free_port()
        argv = ["prometheus-node-exporter", *flags, f"--web.listen-address=127.0.0.1:{port}"]
        with self.process(f"exporter-{port}", *argv, user=user):
            page = NodeExporter(self.box.directory, f"http://127.0.0.1:{port}/metrics")
            end = time.monotonic() + 30
            while True:
                try:
                    page.scrape()
                    break
                except urllib.error.URLError:
                    assert time.monotonic() < end, "node_exporter does not answer"
                    time.sleep(0.1)
            yield


FLAGS = (
    "--collector.disable-defaults",
    "--collector.textfile",
    f"--collector.textfile.directory={DIRECTORY}",
)


@pytest.fixture(scope="module")
def prepared(box: Box) -> Iterator[Doctor]:
    doctor = Doctor(box)
    doctor.sh(SETUP)
    try:
        yield doctor
    finally:
        doctor.sh(CLEANUP)


@pytest.fixture(scope="module")
def running(prepared: Doctor) -> Iterator[Doctor]:
    with prepared.node_exporter(*FLAGS):
        yield prepared


@pytest.fixture
def doctor(running: Doctor) -> Iterator[Doctor]:
    """The box with a fresh file, and with what has cron's name."""
    running.look()
    with running.process("crond", "/run/cron", "600"):
        yield running


def test_clean_where_all_is_in_place(doctor: Doctor) -> None:
    assert doctor.faults() == {}
    _, findings = doctor()
    assert findings["user"]["found"].startswith("textfile-users, in adm, ")
    assert findings["scrape"]["found"] == "node_exporter takes the file, without an error"
    assert findings["logind"]["found"] == "absent, as without systemd: utmp does its work"
    assert findings["cron"]["status"] == "ok"
    assert findings["forgery"]["status"] == "note"
    assert findings["textfile directory"]["found"].endswith("node_exporter reads it")
    text = doctor.box.run(PROGRAM, "doctor", check=False).stdout
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if not line.startswith("    mend: ")]
    assert max(map(len, lines)) <= 100


OPTIONS = "echo 'OPTIONS=\"--redact user\"' >>/etc/default/textfile-users"
SETTINGS = f"echo TEXTFILE_DIRECTORY={DIRECTORY} >/etc/default/textfile-users"
# What is done, the check that tells it, a part of what it says.
MENDED = [
    (f"chmod 600 {FILE}", "users.prom", "users.prom is closed to tu-exporter"),
    (f"chmod 666 {FILE}", "users.prom", "others can write it"),
    (f"chmod 700 {DIRECTORY}", "users.prom", f"{DIRECTORY} is closed to tu-exporter"),
    (f"chown root {FILE}", "users.prom", "root's: the sticky directory"),
    (f"rm {FILE}; ln -s nothing {FILE}", "users.prom", "is a link to nothing"),
    (f"rm {FILE}; mkdir {FILE}", "users.prom", "is a directory"),
    (f"chgrp root {DIRECTORY}; chmod 755 {DIRECTORY}", "textfile directory", "is closed"),
    (f"chmod 1777 {DIRECTORY}", "textfile directory", "everybody can write"),
    (f"chown -R root {STATE}", "state directory", "is root's, not textfile-users's"),
    (f"chmod 755 {STATE}", "state directory", "others get in"),
    (f"rm -r {STATE}", "state directory", "is not there"),
    (f"rm -r {STATE}; touch {STATE}", "state directory", "is no directory"),
    (f"mv {STATE} {STATE}.0; ln -s {STATE}.0 {STATE}; chown -h tu-alice {STATE}",
     "state directory", "is a link, of tu-alice's"),
    (f"rm -f {STATE}/lock; mkdir {STATE}/lock", "state directory", "lock is not textfile-users's"),
    (f"touch -d '+1 day' {STATE}/durable.json", "state directory", "from the future, by 24 h"),
    ("chmod 755 /run/volatile", "runtime directory", "others get in"),
    ("gpasswd -d textfile-users adm", "user", "textfile-users is not in adm"),
    ("gpasswd -d textfile-users adm", "auth log", "is closed to textfile-users"),
    ("chmod 600 /var/log/auth.log", "auth log", "is closed to textfile-users"),
    ("chown root:root /var/log/auth.log", "auth log", "is closed to textfile-users"),
    ("gpasswd -d textfile-users systemd-journal", "user", "is not in systemd-journal"),
    ("chmod 600 /run/utmp", "utmp", "is closed to textfile-users"),
    ("rm /run/utmp; mkdir /run/utmp", "utmp", "as a missing bind mount leaves"),
    ("rm /run/utmp", "utmp", "nobody is seen"),
    ("chmod 600 /etc/localtime", "time zone", "/etc/localtime: permission denied"),
    ("chmod 666 /etc/default/textfile-users", "settings", "others than root can write it"),
    ("chmod 600 /etc/default/textfile-users", "settings", "is closed to textfile-users"),
    (OPTIONS, "redact key", "no such file or directory"),
    (f"{OPTIONS}; install -D -m 644 -o textfile-users /bin/true /etc/textfile-users/redact.key",
     "redact key", "others than its owner"),
]  # fmt: skip
AFTER = f"""set -e
rm -rf {FILE}; chgrp textfile-users {DIRECTORY}; chmod 1775 {DIRECTORY}
{SETTINGS}; rm -rf /etc/textfile-users {STATE}.old {STATE}.0 {FILE}.old
[ -f /run/utmp ] || install -m 664 -g utmp /dev/null /run/utmp
chown root /etc/cron.d/textfile-users; chmod 644 /etc/cron.d/textfile-users /etc/localtime
usermod -aG adm,systemd-journal textfile-users
rm -rf {STATE} /run/volatile; install -d -m 700 -o textfile-users {STATE} /run/volatile
chmod 644 /etc/default/textfile-users; chgrp adm /var/log/auth.log; chmod 640 /var/log/auth.log
"""


@pytest.mark.parametrize(("script", "check", "found"), MENDED, ids=[m[0] for m in MENDED])
def test_faults_are_told_and_their_mend_mends(
    doctor: Doctor, script: str, check: str, found: str
) -> None:
    try:
        doctor.sh(script)
        faults = doctor.faults()
        assert found in faults[check]["found"]
        faults = {check: faults[check]}
        for _ in range(4):  # one fault may hide another
            for fault in faults.values():
                doctor.sh(f"export EDITOR=true; {fault['mend']}")
            doctor.look(check=False)
            faults = doctor.faults()
            if not faults:
                break
        assert faults == {}
    finally:
        doctor.sh(AFTER)


@contextmanager
def _mended_by_install(doctor: Doctor) -> Iterator[None]:
    """Put cron's entry back afterwards; then nothing is wrong."""
    doctor.sh(f"cp -p {ENTRY} /run/entry")
    try:
        yield
        doctor.sh(f"mv /run/entry {ENTRY}")
        doctor.look()
        assert doctor.faults() == {}
    finally:
        doctor.sh(f"[ ! -e /run/entry ] || mv /run/entry {ENTRY}; {AFTER}")
        doctor.sh("rm -rf /run/other /run/textfile-users")


def _install(doctor: Doctor, fault: dict[str, str]) -> None:
    """Do as doctor says. The box shares /var/lib with the host: here it is thrown away."""
    script = f"mount -t tmpfs tmpfs /var/lib; {fault['mend']}"
    doctor.box.run("unshare", "--mount", "sh", "-ec", script)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (f"chmod 666 {ENTRY}", "passed over: others can write it"),
        (f"chown tu-alice {ENTRY}", "passed over: it is not root's"),
    ],
)
def test_an_entry_that_others_could_write_is_made_anew(
    doctor: Doctor, spoil: str, found: str
) -> None:
    """As root's, what they have written would run: as whom they like."""
    with _mended_by_install(doctor):
        doctor.sh(f"echo '* * * * * root touch /run/ran' >>{ENTRY}; {spoil}")
        fault = doctor.faults()["cron"]
        assert fault["found"].endswith(found)
        _install(doctor, fault)
        assert doctor.sh(f"stat -c '%U %a' {ENTRY}; grep -c /run/ran {ENTRY} || :") == (
            "root 644\n0\n"
        )


def test_a_membership_that_is_too_much(doctor: Doctor) -> None:
    doctor.sh("usermod -aG utmp textfile-users")
    finding = [one for one in doctor.all() if one["check"] == "user"][-1]
    assert (finding["status"], "is in utmp" in finding["found"]) == ("note", True)
    doctor.sh(finding["mend"])
    assert [one["status"] for one in doctor.all() if one["check"] == "user"] == ["ok"]


# What a broken program could leave where node_exporter reads.
AS_USER = "setpriv --reuid=textfile-users --regid=textfile-users --init-groups"
LEFT = [
    (f"rm {FILE}; {AS_USER} mkfifo {FILE}", "users.prom", "is a FIFO"),
    (f"rm {FILE}; {AS_USER} ln -s /etc/shadow {FILE}", "users.prom",
     "is a link of textfile-users's to /etc/shadow"),
    (f"rm {FILE}; {AS_USER} truncate -s 9M {FILE}", "users.prom", "more than is ever written"),
    (f"{AS_USER} mkfifo {DIRECTORY}/x.prom", "textfiles", "each scrape waits for ever"),
    (f"{AS_USER} mkdir {DIRECTORY}/x.prom", "textfiles", "is a directory of textfile-users's"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "check", "found"), LEFT, ids=[left[0] for left in LEFT])
def test_what_a_broken_program_has_left(
    prepared: Doctor, script: str, check: str, found: str
) -> None:
    """A node_exporter that waits at a FIFO is none for other tests: each has its own."""
    shadow = "stat -c '%U:%G %a' /etc/shadow"
    before = prepared.sh(shadow)
    prepared.look()
    with prepared.node_exporter(*FLAGS), prepared.process("crond", "/run/cron", "600"):
        prepared.sh(script)
        fault = prepared.faults()[check]
        assert found in fault["found"]
        prepared.sh(fault["mend"])
        prepared.look()
    assert check not in prepared.faults()
    assert prepared.sh(shadow) == before


# The same where the mend is the administrator's work, or another run.
EDIT = "${EDITOR:-vi} +1 /etc/default/textfile-users"
TOLD = [
    ("TEXTFILE_DIRECTORY=relative", "settings", "line 1: TEXTFILE_DIRECTORY", EDIT),
    ('OPTIONS="--nonsense"', "settings", "--nonsense", EDIT),
    ("x; run: reboot #", "settings", "is not NAME=value", EDIT),
]  # fmt: skip


@pytest.mark.parametrize(("line", "check", "found", "mend"), TOLD, ids=[t[0] for t in TOLD])
def test_mistakes_in_the_settings(
    doctor: Doctor, line: str, check: str, found: str, mend: str
) -> None:
    try:
        doctor.sh(f"echo '{line}' >/etc/default/textfile-users")
        fault = doctor.faults()[check]
        assert found in fault["found"]
        assert fault["mend"] == mend
    finally:
        doctor.sh(SETTINGS)
    assert doctor.faults() == {}


@pytest.mark.parametrize("setting", ["TEXTFILE_DIRECTORY=/run/other", "# the default"])
def test_another_directory_than_node_exporter_reads(doctor: Doctor, setting: str) -> None:
    doctor.sh("install -d -m 1775 -g textfile-users /run/other")
    with _mended_by_install(doctor):
        doctor.sh(f"echo '{setting}' >/etc/default/textfile-users")
        fault = doctor.faults()["textfile directory"]
        assert fault["found"].endswith(f"; node_exporter reads {DIRECTORY}")
        _install(doctor, fault)


def test_a_file_that_node_exporter_cannot_take(doctor: Doctor) -> None:
    # Not written into: in a sticky directory that is not root's right where systemd is.
    doctor.sh(f"echo 'users_logged_in{{' >/run/broken; mv /run/broken {FILE}")
    doctor.sh(f"chown textfile-users {FILE}")
    fault = doctor.faults()["scrape"]
    assert fault["found"] == "node_exporter cannot take the file"
    said = doctor.box.run("sh", "-c", fault["mend"], check=False).stderr
    assert "parsing error in line 1" in said
    doctor.look()
    assert doctor.faults() == {}
    doctor.sh(f"cd {DIRECTORY}; echo 'poor_name 1' >good.prom; echo 'other{{' >'an other.prom'")
    fault = doctor.faults()["scrape"]
    assert fault["found"].startswith("node_exporter takes the file, and not all others")
    assert doctor.sh(fault["mend"], check=False) == f"{DIRECTORY}/an other.prom\n"
    doctor.sh(f"cd {DIRECTORY}; rm good.prom 'an other.prom'")
    assert doctor.faults() == {}


def test_a_file_that_is_old(doctor: Doctor) -> None:
    stamp = f"users_run_timestamp_seconds {time.time() - 600}"
    doctor.sh(
        f"sed -i 's/^users_run_timestamp_seconds .*/{stamp}/' {FILE}; chown textfile-users {FILE}"
    )
    faults = doctor.faults()
    assert "written 10 min ago" in faults["users.prom"]["found"]
    assert "the last run was 10 min ago" in faults["cron"]["found"]
    doctor.look()
    assert doctor.faults() == {}


def test_an_auth_log_in_another_zone(doctor: Doctor) -> None:
    later = time.strftime("%b %e %H:%M:%S", time.gmtime(time.time() + 7200))
    line = f"{later} host sshd[9]: Server listening on :: port 22."
    doctor.sh(f"printf '%s\\n' '{line}' >>/var/log/auth.log")
    try:
        fault = doctor.faults()["time zone"]
        assert "stamped 2 h in the future" in fault["found"]
        assert fault["mend"] == "service rsyslog restart"
    finally:
        doctor.sh(f"printf '%s\\n' '{LINE}' >/var/log/auth.log")
    assert doctor.faults() == {}


def test_nothing_that_runs_it(running: Doctor) -> None:
    running.look()
    fault = running.faults()["cron"]
    assert fault["found"].endswith("is there, and no crond runs")
    assert fault["mend"] == "service cron start"
    running.sh("mv /etc/cron.d/textfile-users /run/entry")
    # Without the entry its directories are not known either.
    given = ("--output", FILE, "--state-directory", STATE, "--runtime-directory", STATE)
    try:
        assert running(*given)[1]["schedule"]["status"] == "note", "the file is fresh"
        running.sh(f"rm {FILE}")
        status, findings = running(*given)
        assert status == 1
        # By its name alone where another test's fix has made the link.
        assert findings["schedule"]["mend"] in (f"{PROGRAM} install", "textfile-users install")
    finally:
        running.sh("mv /run/entry /etc/cron.d/textfile-users")


def test_the_user_of_the_unit_may_ask_too(doctor: Doctor) -> None:
    as_user = ["setpriv", "--reuid=textfile-users", "--regid=textfile-users", "--init-groups"]
    done = doctor.box.run(*as_user, PROGRAM, "doctor", "--json", check=False)
    findings = json.loads(done.stdout)
    faults = {one["check"] for one in findings if one["status"] == "FAULT"}
    assert faults <= {"container"}
    assert {one["check"] for one in findings} > {"scrape", "auth log", "users.prom"}


def test_an_ordinary_user_may_ask_too(doctor: Doctor) -> None:
    as_user = ["setpriv", "--reuid=tu-alice", "--regid=tu-alice", "--init-groups"]
    done = doctor.box.run(*as_user, PROGRAM, "doctor", "--json", check=False)
    findings = json.loads(done.stdout)
    faults = [one for one in findings if one["status"] == "FAULT"]
    assert {one["check"] for one in faults} <= {"container"}, faults
    commands = " ".join(one["mend"] for one in findings)
    assert not any(word in commands for word in ("rm ", "chgrp", "chown", "usermod"))
    assert {one["check"] for one in findings} > {
        "cron",
        "users.prom",
        "state directory",
        "the rest",
    }


def test_right_after_install_with_cron(doctor: Doctor) -> None:
    doctor.sh(f"rm {FILE}")
    assert doctor.faults().keys() == {"users.prom", "scrape"}
    doctor.sh(f"touch {ENTRY}")
    try:
        assert doctor.faults() == {}
    finally:
        doctor.sh(f"touch -d '1 hour ago' {ENTRY}")


def test_an_ordinary_users_node_exporter_is_not_obeyed(doctor: Doctor) -> None:
    flags = ("--collector.disable-defaults", "--collector.textfile")
    away = "--collector.textfile.directory=/home/tu-alice"
    with doctor.node_exporter(*flags, away, user="tu-alice"):
        assert doctor.faults() == {}
        done = doctor.box.run(PROGRAM, "doctor", "--json", check=False)
    notes = [one["found"] for one in json.loads(done.stdout) if one["check"] == "node_exporter"]
    assert any("of tu-alice is not believed: it is an ordinary user's" in note for note in notes)


def test_a_node_exporter_that_does_not_read_textfiles(doctor: Doctor) -> None:
    with doctor.node_exporter("--collector.disable-defaults", "--collector.cpu"):
        fault = doctor.faults()["scrape"]
    assert fault["found"].startswith("node_exporter's textfile collector is off: it needs --")


def test_a_file_in_memory_is_followed_by_its_link(doctor: Doctor) -> None:
    """As install leaves it; with cron no link is asked for, and one that is there does not harm."""
    public = "/run/textfile-users/public"
    made = f"install -d -m 755 -o textfile-users {public}"
    doctor.sh(f"{made}; ln -sf {'../' * DIRECTORY.count('/')}{public[1:]}/users.prom {FILE}")
    try:
        doctor.look()
        assert doctor.faults() == {}
        doctor.sh(f"chmod 700 {public}")
        fault = doctor.faults()["users.prom"]
        assert fault["found"].startswith(f"{public} is closed to tu-exporter")
        doctor.sh(fault["mend"])
        assert doctor.faults() == {}
        for left, found in (
            (f"rm {public}/users.prom; {AS_USER} mkfifo {public}/users.prom", "is a FIFO"),
            (f"{AS_USER} truncate -s 9M {public}/users.prom", "more than is ever written"),
            (f"rm {public}/users.prom; {AS_USER} ln -s /dev/zero {public}/users.prom", "is a link"),
        ):
            doctor.sh(left)
            fault = doctor.faults()["users.prom"]
            assert found in fault["found"]
            doctor.sh(fault["mend"])
            doctor.look()
            assert doctor.faults() == {}
    finally:
        doctor.sh(f"rm -rf /run/textfile-users {FILE}")
