"""What `script/test-guests` tries of install, the units, doctor, cron and uninstall on a guest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.guests.guest import OUTPUT, PROGRAM, Guest

PROJECT = str(Path(__file__).parents[2])
SOURCE = "/opt/source"
WHEELS = "/opt/wheels"
SETTINGS = "/etc/default/textfile-users"
# An emulated guest is many times slower than the hosts that the deadlines and limits are for, from
# the first scan on.
EMULATED = f"""set -e
grep -qs timeout {SETTINGS} || echo 'OPTIONS="--timeout 24"' >>{SETTINGS}
mkdir -p /etc/systemd/system/textfile-users.service.d
printf '[Service]\\nTimeoutStartSec=30\\nCPUQuota=\\n' \\
    >/etc/systemd/system/textfile-users.service.d/emulated.conf
systemctl daemon-reload
"""
NOT_EMULATED = """cd /etc/systemd/system && rm textfile-users.service.d/emulated.conf
rmdir textfile-users.service.d 2>/dev/null || true"""
# What is found by name: the command and its version, the page's file, and the page by man(1).
LINKED = """textfile-users --version; readlink -e /usr/local/share/man/man1/textfile-users.1
command -v man >/dev/null && man -w textfile-users || echo no-man"""
# A guest that has just booted has a day's work to catch up with: packages, manuals, logs.
CALM = """for i in $(seq 60); do
    read -r load _ </proc/loadavg; [ ${load%.*} -gt 0 ] || break; sleep 5
done"""
# A scan that runs then, or is about to, would yet write its file, on a slow guest much later.
STOP = "systemctl stop textfile-users.timer textfile-users.path textfile-users.service"
START = "systemctl start textfile-users.timer textfile-users.path; sleep 6"
FLAGS = "/etc/default/prometheus-node-exporter"
# The check that must tell of a fault, the commands that make it and that mend it.
FAULTS = (
    ("timer", "systemctl stop textfile-users.timer", "systemctl start textfile-users.timer"),
    (
        "textfile-users.path",
        "systemctl stop textfile-users.path",
        "systemctl start textfile-users.path",
    ),
    (
        "schedule",
        "cp /opt/textfile-users/share/textfile-users/cron/textfile-users /etc/cron.d",
        "rm /etc/cron.d/textfile-users",
    ),
    (
        "state directory",
        f"{STOP}; chown root /var/lib/textfile-users",
        f"chown textfile-users /var/lib/textfile-users; {START}",
    ),
    ("users.prom", f"{STOP}; chmod 600 {OUTPUT}", f"chmod 644 {OUTPUT}; {START}"),
    (
        "textfile directory",
        "rm -rf /run/textfile-users; sleep 6",
        "systemd-tmpfiles --create textfile-users.conf; sleep 6",
    ),
    ("link", f"{STOP}; rm {OUTPUT}; echo x 1 >{OUTPUT}", f"{PROGRAM} install; sleep 6"),
    (
        "textfile directory",
        f"cp -p {FLAGS} /root; echo 'ARGS=--collector.textfile.directory=/srv' >{FLAGS}; "
        "systemctl restart prometheus-node-exporter; sleep 5",
        f"mv /root/prometheus-node-exporter {FLAGS}; "
        "systemctl restart prometheus-node-exporter; sleep 5",
    ),
    (
        "scrape",
        "echo 'no metric{' >/var/lib/prometheus/node-exporter/other.prom",
        "rm /var/lib/prometheus/node-exporter/other.prom",
    ),
    (
        "node_exporter",
        "systemctl stop prometheus-node-exporter",
        "systemctl start prometheus-node-exporter; sleep 5",
    ),
    (
        "settings",
        f"cp -p {SETTINGS} /root/settings; echo 'OPTIONS=--nonsense' >>{SETTINGS}",
        f"mv /root/settings {SETTINGS}; sleep 6",
    ),
    (
        "redact key",
        f"cp -p {SETTINGS} /root/settings; echo 'OPTIONS=\"--redact user\"' >>{SETTINGS}",
        f"mv /root/settings {SETTINGS}; sleep 6",
    ),
    ("procfs", "mount -o remount,hidepid=2 /proc", "mount -o remount,hidepid=0 /proc; sleep 6"),
    (
        "time zone",
        "chmod 600 $(readlink -f /etc/localtime)",
        "chmod 644 $(readlink -f /etc/localtime)",
    ),
)
FAULTS_OF = {
    "journal": (
        (
            "user",
            "gpasswd -d textfile-users systemd-journal",
            "usermod -aG systemd-journal textfile-users; sleep 6",
        ),
        (
            "lastlog2",
            "chmod 600 /var/lib/lastlog/lastlog2.db",
            "chmod 644 /var/lib/lastlog/lastlog2.db; sleep 6",
        ),
    ),
    "log file": (
        (
            "user",  # the log is closed then, and the journal tells the same
            "gpasswd -d textfile-users adm",
            "usermod -aG adm textfile-users; sleep 6",
        ),
        ("utmp", "chmod 600 /run/utmp", "chmod 664 /run/utmp; sleep 6"),
    ),
}
DOCTOR = f"{PROGRAM} doctor --json"
# What is there: files but those that others write all the time, rights included; accounts.
LISTING = """{ find / -xdev \\( -path /proc -o -path /sys -o -path /tmp -o -path /root \\
    -o -path /dev -o -path /var/tmp -o -path /opt -o -path /var/log -o -path /var/cache \\
    -o -path /var/lib/systemd -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/backups \\
    -o -path /run -o -name '*.pyc' \\) -prune -o -printf '%p %U %G %m\\n'
    ls -d /run/textfile-users* 2>/dev/null
    getent passwd; getent group; } | sort"""
# For so many seconds: when the timer last fired, as systemd has it, and the last scan, as the
# file has it. An emulated guest starts Python late by up to a second, but the timer may not be;
# to ask more often would keep it from its work.
WATCH = """end=$(($(date +%s) + SECONDS_TO_WATCH)); while [ $(date +%s) -lt $end ]; do
    busctl get-property org.freedesktop.systemd1 \\
        /org/freedesktop/systemd1/unit/textfile_2dusers_2etimer \\
        org.freedesktop.systemd1.Timer LastTriggerUSec
    sed -n 's/^users_run_timestamp_seconds /l /p' OUTPUT; sleep 1.5
done""".replace("OUTPUT", OUTPUT)


def listing(guest: Guest) -> set[str]:
    """Return what is on the guest's file system, and its accounts."""
    return set(guest.sh(LISTING).splitlines())


def install(guest: Guest, *arguments: str) -> str:
    """Install as the README says, with packages from a folder since a guest has no network."""
    command = f"{SOURCE}/script/install {' '.join(arguments)}"
    guest.sh(EMULATED)
    said = guest.sh(f"PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS} {command} 2>&1")
    is_scanned = "users_run_timestamp_seconds" in guest.sh(f"cat {OUTPUT} || true")
    guest.check("install has made the first scan", is_scanned, said.splitlines()[:3])
    is_told = re.search(
        "^Installed: .*doctor finds:\n.* users.prom ", said, re.DOTALL | re.MULTILINE
    )
    guest.check("and tells what doctor finds", bool(is_told), said.splitlines()[-3:])
    found = guest.sh(LINKED).split()
    guest.check("command and manual page are found", len(found) == 4, found)
    return said


def check_timer(guest: Guest, seconds: int, tries: int = 1) -> None:
    """A scan every 5 s, none missed, and no line in the journal."""
    since = guest.sh("date '+%F %T'").strip()
    for _ in range(tries):  # in one of which nothing else may slow the guest down
        watch = WATCH.replace("SECONDS_TO_WATCH", str(seconds))
        lines = dict.fromkeys(guest.sh(watch).splitlines())
        fired = [float(line[2:]) / 1e6 for line in lines if line.startswith("t ")]
        scans = [float(line[2:]) for line in lines if line.startswith("l ")]
        gaps = [round(later - earlier, 2) for earlier, later in zip(fired, fired[1:])]
        late = [round(min(scan - at for scan in scans if scan >= at), 2) for at in fired[:-1]]
        odd = [
            f"{at - fired[0]:.0f} s: {gap}" for at, gap in zip(fired, gaps) if abs(gap - 5) > 0.3
        ]
        right = len(gaps) >= seconds / 5 - 3 and not odd
        if right and max(late) < 5:
            break
    guest.check(
        f"the timer for {seconds} s, {len(gaps) + 1} times", right, (min(gaps), max(gaps), odd)
    )
    guest.check("each is followed by its scan before the next", max(late) < 5, max(late))
    journal = guest.sh(f"journalctl -q -u textfile-users.service --since '{since}' -o cat")
    guest.check("no line in the journal per run", journal == "", repr(journal))


def check_path(guest: Guest) -> None:
    """With the timer stopped, the path unit alone sees logins; ten at once do not stop it."""
    guest.sh("systemctl stop textfile-users.timer; sleep 6")
    for what, number in (("a login of a second", 1), ("ten logins within a second", 10)):
        before = guest.samples()["users_run_timestamp_seconds"]
        with ThreadPoolExecutor(number + 1) as pool:
            watched = pool.submit(
                guest.sh, f"for i in $(seq 60); do grep -h ^users_sessions {OUTPUT}; sleep .5; done"
            )
            time.sleep(1)
            for _ in range(number):
                pool.submit(guest.attempt, "ssh", f"alice@{guest.suite}", "sleep 1")
            counts = re.findall(
                r'users_sessions\{session_type="ssh",user="alice"\} (\S+)', watched.result()
            )
        after = guest.samples()["users_run_timestamp_seconds"]
        guest.check(f"the path unit sees {what}", after > before, f"{after - before:.1f} s later")
        if number == 1:
            guest.check("the file has shown its session", "1.0" in counts, sorted(set(counts)))
    guest.sh("sleep 5")
    active = guest.sh("systemctl is-active textfile-users.path || true").strip()
    guest.check("the path unit still watches", active == "active", active)
    before = guest.samples()["users_run_timestamp_seconds"]
    guest.attempt("ssh", f"alice@{guest.suite}", "sleep 1")
    time.sleep(5)
    after = guest.samples()["users_run_timestamp_seconds"]
    guest.check("and sees the next login", after > before, f"{after - before:.1f} s later")
    guest.sh("systemctl start textfile-users.timer; sleep 6")


def diagnose(
    guest: Guest, is_right: Callable[[list[dict[str, str]]], bool], command: str = DOCTOR
) -> tuple[int, list[dict[str, str]]]:
    """Return doctor's status and the faults that it tells of.

    Asked up to three times: an emulated guest may be too slow for a check's five seconds.
    """
    for _ in range(3):
        text = guest.sh(f"{command}; echo $?")
        findings, _, status = text.strip().rpartition("\n")
        told = [found for found in json.loads(findings) if found["status"] == "FAULT"]
        if is_right(told):
            break
    return int(status), told


def check_doctor(guest: Guest) -> None:
    """Clean; then each fault, made by hand, is told with its mend; clean again."""
    status, told = diagnose(guest, lambda told: not told)
    guest.check("doctor is clean", status == 0 and not told, told)
    status, told = diagnose(guest, lambda told: not told, f"su alice -c '{DOCTOR}'")
    guest.check("doctor is clean for an ordinary user", status == 0 and not told, told)
    for check, make, mend in (*FAULTS, *FAULTS_OF["log file" if guest.has_log_file else "journal"]):
        guest.sh(f"{make}; sleep 1")

        def tells(told: list[dict[str, str]], check: str = check) -> bool:
            return check in {found["check"] for found in told if found["mend"]}

        status, told = diagnose(guest, tells)
        guest.check(f"doctor tells of {make[:50]}", status == 1 and tells(told), told)
        guest.sh(mend)
    guest.sh("sleep 15")
    status, told = diagnose(guest, lambda told: not told)
    guest.check("doctor is clean again", status == 0 and not told, told)


def check_link(guest: Guest) -> None:
    """The textfile directory stays as it was; in place and back no counter falls."""
    directory = os.path.dirname(OUTPUT)
    listed = f"stat -c '%U:%G %a' {directory}; readlink {OUTPUT} || true"
    linked = "root:root 755\n../../../../run/textfile-users/public/users.prom\n"
    found = guest.sh(listed)
    guest.check("a link of root's, no right given", found == linked, found)
    before = _counters(guest)
    guest.sh(f"{PROGRAM} install --in-place; sleep 6")
    found = guest.sh(listed)
    guest.check("in place", found == "root:textfile-users 1775\n", found)
    guest.sh(f"{PROGRAM} install; sleep 6")
    found = guest.sh(listed)
    guest.check("the link again", found == linked, found)
    after = _counters(guest)
    fallen = [name for name, value in before.items() if after.get(name, 0) < value]
    guest.check("no counter falls", bool(before) and not fallen, fallen)


def _counters(guest: Guest) -> dict[str, float]:
    found = guest.samples().items()
    return {name: value for name, value in found if name.partition("{")[0].endswith("_total")}


def check_uninstall(guest: Guest, before: set[str]) -> None:
    """Nothing is left behind but /opt/textfile-users, which script/install has made."""
    guest.sh(NOT_EMULATED)
    guest.sh(f"{PROGRAM} uninstall")
    after = listing(guest)
    guest.check("uninstall leaves nothing", after == before, sorted(after ^ before)[:20])
    units = guest.sh("systemctl list-units --all --no-legend 'textfile-users*'").strip()
    guest.check("no unit is left", units == "", units)


def check_cron(guest: Guest) -> None:
    """cron instead of the timer: a scan every 5 s for two minutes, no mail, nothing said."""
    install(guest, "--cron")
    end = time.monotonic() + 150
    scans: set[float] = set()
    while time.monotonic() < end:
        scans.add(guest.samples()["users_run_timestamp_seconds"])
        time.sleep(0.5)
    times = sorted(scans)[1:]
    gaps = [round(later - earlier, 1) for earlier, later in zip(times, times[1:])]
    guest.check("cron scans every 5 s", len(gaps) >= 20 and max(gaps) < 9, gaps)
    said = guest.sh("ls -A /var/mail; journalctl -q -t textfile-users -o cat --since -3min")
    guest.check("cron sends no mail, nothing is said", said == "", repr(said))
    timer = guest.sh("systemctl is-active textfile-users.timer || true").strip()
    guest.check("the timer is gone", timer != "active", timer)


def check_ten_minutes(guest: Guest) -> None:
    """The timer alone, on a guest without the program: none late, none missed, silence."""
    guest.sh(CALM)
    install(guest)
    time.sleep(60)
    check_timer(guest, 600)
    guest.sh(NOT_EMULATED)
    guest.sh(f"{PROGRAM} uninstall")


def check_install(guest: Guest) -> None:
    """All the rest, on a guest without the program."""
    before = listing(guest)
    print(install(guest))
    changed = listing(guest)
    print(install(guest))  # run again it updates
    again = listing(guest)
    guest.check("installed twice", again == changed, sorted(again ^ changed)[:20])
    guest.check("dry run", "textfile-users" in guest.sh(f"{PROGRAM} install --dry-run"), "")
    check_path(guest)
    check_link(guest)
    check_doctor(guest)
    check_uninstall(guest, before)
    check_cron(guest)
    guest.sh(f"systemctl stop cron; {NOT_EMULATED}")
    guest.sh(f"{PROGRAM} uninstall; systemctl start cron")
    after = listing(guest)
    guest.check("uninstall after cron leaves nothing", after == before, sorted(after ^ before)[:20])


def unpack_source(directory: str) -> None:
    """Put the project's files, as they are committed, into a folder."""
    git = ["git", "-C", PROJECT, "archive", "HEAD"]
    archive = subprocess.run(git, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
