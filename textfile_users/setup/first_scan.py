"""What install does when all is in place: the first scan, and what it says of cron."""

from __future__ import annotations

import os
import time
from subprocess import TimeoutExpired

from textfile_users import product as places
from textfile_users.console import ERROR, PROGRAM, WARNING, say
from textfile_users.paths import Paths
from textfile_users.reading.files import reason
from textfile_users.setup.checks.child import TOOLS, error_lines, run_command
from textfile_users.setup.checks.schedule import DAEMONS, SERVICES
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.fixes import service
from textfile_users.setup.giving import read_ids
from textfile_users.setup.steps import AS_USER, Step
from textfile_users.setup.system import host_pids, read_name

SAID = f"{PROGRAM}: "
JOURNAL_SECONDS = 10.0


def describe(facts: HostFacts, *, is_timer: bool, is_link: bool) -> str:
    """Return what was installed, as a sentence for people."""
    entry = f"{facts.cron}/{places.USER}"
    if not is_timer and facts.is_running and not has_crond():
        start = service("start", SERVICES, facts.is_systemd)
        return f"Installed: {entry}, but no cron daemon runs: start it with: {start}"
    by = "the timer" if is_timer else entry
    way = f", a link to {places.LINKED_OUTPUT}" if is_link else ""
    return f"Installed: {by} scans every 5 seconds and writes {facts.output.path}{way}."


def has_crond() -> bool:
    """Return whether a cron daemon runs on this host, and not in a container on it."""
    return any(read_name(Paths(), pid) in DAEMONS for pid in host_pids())


def scan_first(step: Step) -> bool:
    """Do the step of the first scan and wait for it; return whether the file was written.

    What the scan says is said: cron's would be silent about the same fault for an hour.
    """
    began = int(time.time())
    is_cron = step.words[0] == AS_USER
    try:
        status, said = _scan_as_user(step.words[1:]) if is_cron else _run(step.words)
    except OSError as error:
        status, said = 1, [f"{error.filename}: {reason(error)}"]
    if status and not is_cron:
        said = _journal_since(began) or said
    for line in said:
        say(ERROR if status else WARNING, f"the first scan: {line.removeprefix(SAID)}")
    if status:
        say(ERROR, f"the first scan failed with status {status}; all else is in place")
    return not status


def _scan_as_user(words: tuple[str, ...]) -> tuple[int, list[str]]:
    uid, gid = read_ids(Paths())
    groups = os.getgrouplist(places.USER, gid)
    return _run(words, user=uid, group=gid, extra_groups=groups)


def _run(words: tuple[str, ...], **options: object) -> tuple[int, list[str]]:
    """Return the status of a command and the lines it says on stderr."""
    environment = {**os.environ, "PATH": TOOLS}
    done = run_command(words, environment, is_read=False, cwd="/", **options)
    return done.returncode, error_lines(done)


def _journal_since(began: int) -> list[str]:
    """Return why the unit failed: what the program said, else what systemd did."""
    _journal("--sync")
    found = _journal("-u", places.SERVICE, f"--since=@{began}")
    said = [line for line in found if line.startswith(SAID)]
    if not said and any("status=1/" in line for line in found):
        # A fault that lasts is said once an hour. With --since= journalctl's -n counts from there.
        said = _journal("-t", PROGRAM, "--since=-1h")[-1:]
    return said or found[:1]


def _journal(*words: str) -> list[str]:
    """Return what journalctl prints, [] where there is none, or it hangs."""
    try:
        environment, argv = {**os.environ, "PATH": TOOLS}, ("journalctl", "-q", "-o", "cat", *words)
        done = run_command(argv, environment, timeout=JOURNAL_SECONDS)
    except (OSError, TimeoutExpired):
        return []
    return done.stdout.decode("utf-8", "backslashreplace").splitlines()
