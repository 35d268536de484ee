"""What runs the program: systemd's timer or cron, one of them, and on time."""

from __future__ import annotations

import calendar
import os
import stat
import time

from textfile_users.paths import PRIVATE, SERVICE_USER, STATE
from textfile_users.product import CRON_ENTRIES
from textfile_users.reading.files import read_regular, reason
from textfile_users.record import Record
from textfile_users.setup.checks.child import ChildFailed, run_tool
from textfile_users.setup.checks.container import hides_processes
from textfile_users.setup.checks.link import writes_elsewhere
from textfile_users.setup.checks.result import (
    FAULT,
    NOTE,
    OK,
    PATH_UNIT,
    SERVICE,
    TIMER,
    CheckResult,
    Host,
    age,
)
from textfile_users.setup.checks.textfile import max_age, written_time
from textfile_users.setup.fixes import install, quote, run, service, start_unit
from textfile_users.setup.service import UNIT_DIRECTORIES
from textfile_users.setup.system import parse_units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 2.0
WAIT_SECONDS = 2.5  # for a scan that is running
POLL_SECONDS = 0.1
RUNNING = "activating"  # as systemd calls a oneshot service that runs
MAX_BYTES = 1 << 20
ENTRIES = (*CRON_ENTRIES, f"/var/spool/cron/{SERVICE_USER}")
DAEMONS = ("cron", "crond", "fcron", "busybox-crond")
SERVICES = ("cron", "crond", "cronie", "fcron")
PROPERTIES = (
    "Id,LoadState,ActiveState,UnitFileState,Result,LastTriggerUSec,NextElapseUSecRealtime,"
    "NeedDaemonReload,ReadWritePaths,ExecMainStatus,ActiveEnterTimestamp"
)
RESULTS = {
    "timeout": "it was ended, for it hung",
    "exit-code": "it failed",
    "signal": "it was killed",
    "oom-kill": "it took more memory than MemoryMax= gives",
    "start-limit-hit": "it was started too often",
}


class CronEntry(Record):
    """A cron entry: whether a line of it is one, and what cron dislikes in the file.

    ``is_hidden`` is whether one may be there that this user cannot see; ``changed`` is when it was.
    """

    path: str
    is_live: bool
    dislike: str = ""
    error: str = ""
    is_hidden: bool = False
    changed: float = 0.0


class Runner(Record):
    """What starts the runs: ``by_timer``, or would after install; ``interval`` seconds apart.

    ``awaits_scan`` is whether the first scan since install or boot is still to come.
    ``is_there`` is whether a timer or a cron entry is.
    """

    by_timer: bool
    interval: float
    awaits_scan: bool = False
    is_there: bool = True


class ScheduleFacts(Record):
    """``units`` are systemctl's properties by unit, empty where it could not be asked (``error``).

    ``silence`` is the age of users.prom in seconds, None without; ``directory`` is the one
    it is in. ``awaits_scan`` is as in Runner. ``installing`` is the command that installs anew,
    ``admitting`` the one that has the unit write that directory, ``running`` that of one run.
    """

    is_systemd: bool
    units: Mapping[str, Mapping[str, str]]
    entries: tuple[CronEntry, ...]
    has_crond: bool
    now: float
    silence: float | None
    directory: str = ""
    interval: float = 5.0
    error: str = ""
    installing: str = ""
    admitting: str = ""
    running: str = ""
    awaits_scan: bool = False

    @property
    def has_timer(self) -> bool:
        """Whether systemd has the timer."""
        return self.units.get(TIMER, {}).get("LoadState") == "loaded"


def find_runner(is_systemd: bool, interval: float, now: float, booted: float) -> Runner:
    """Return what starts the runs.

    ``interval`` is that of runs by cron, and of a timer that does not tell; ``booted`` is when the
    host was.
    """
    units = _read_units()[0] if is_systemd else {}
    timer, entries = units.get(TIMER, {}), _read_entries()
    live = [entry for entry in entries if entry.is_live]
    is_there = any(not entry.is_hidden for entry in entries) or any(
        os.path.exists(f"{unit}/{TIMER}") for unit in UNIT_DIRECTORIES
    )
    if not is_systemd or (timer.get("ActiveState") != "active" and live):
        began = max([booted, *(entry.changed for entry in live)])
        awaits = bool(live) and 0 <= now - began < max_age(interval)
        return Runner(False, interval, awaits, is_there)
    interval = max(interval, period_of(timer))
    return Runner(True, interval, awaits_timer(timer, units.get(SERVICE, {}), now), is_there)


def awaits_timer(timer: Mapping[str, str], service: Mapping[str, str], now: float) -> bool:
    """Return whether the first run of a timer is to come, or is the one that runs."""
    if timer.get("ActiveState") != "active":
        return False
    entered = parse_time(timer.get("ActiveEnterTimestamp", ""))
    if service.get("ActiveState") == RUNNING:
        return now - entered < max_age(0)
    due = parse_time(timer.get("NextElapseUSecRealtime", "")) or entered
    return not parse_time(timer.get("LastTriggerUSec", "")) and now - due < max_age(0)


def period_of(timer: Mapping[str, str]) -> float:
    """Return the seconds from a timer's last start to its next one, 0 where one is not known."""
    last, following = (
        parse_time(timer.get(name, "")) for name in ("LastTriggerUSec", "NextElapseUSecRealtime")
    )
    return max(0.0, following - last) if last and following else 0.0


def check_schedule(host: Host) -> Iterator[CheckResult]:
    """Yield what runs the program, and whether that works."""
    if not host.options.paths.is_own_host:
        return iter(())
    output = host.options.output
    try:
        silence = host.now - written_time(output) if output not in ("", "-") else None
    except OSError:
        silence = None
    units, error = _read_units() if host.is_systemd else ({}, "")
    return judge_schedule(
        ScheduleFacts(
            host.is_systemd,
            units,
            _read_entries(),
            any(name in host.running for name in DAEMONS) or hides_processes(host),
            host.now,
            silence,
            os.path.dirname(output) if host.identity.user == SERVICE_USER else "",
            host.interval,
            error,
            install(host),
            install(host, os.path.dirname(output), in_place=writes_elsewhere(host)),
            run(host),
            host.awaits_scan,
        )
    )


def judge_schedule(facts: ScheduleFacts) -> Iterator[CheckResult]:
    """Yield what is found of timer and cron."""
    live = [entry for entry in facts.entries if entry.is_live]
    hidden = [entry for entry in facts.entries if entry.is_hidden]
    if facts.error:
        yield CheckResult("timer", NOTE, facts.error)
    if facts.has_timer and facts.units[TIMER].get("ActiveState") == "active" and live:
        found = f"the timer and {live[0].path} both run it"
        yield CheckResult("schedule", FAULT, found, f"rm {quote(live[0].path)}")
    if facts.has_timer and not (live and facts.units[TIMER].get("ActiveState") == "inactive"):
        yield from _judge_units(facts)
    for entry in facts.entries:
        if entry not in hidden:
            yield _judge_entry(entry, facts)
    if not (facts.has_timer or live or facts.error):
        yield _judge_nothing(facts, bool(hidden))


def _judge_nothing(facts: ScheduleFacts, is_hidden: bool) -> CheckResult:
    if facts.silence is not None and -60 < facts.silence < max_age(facts.interval):
        found = "neither timer nor cron entry; something else runs it"
        return CheckResult("schedule", NOTE, found)
    if is_hidden:
        return CheckResult("schedule", NOTE, "no timer, and the users' crontabs cannot be seen")
    return CheckResult("schedule", FAULT, "neither timer nor cron entry", facts.installing)


def _judge_units(facts: ScheduleFacts) -> Iterator[CheckResult]:
    yield _judge_timer(facts.units[TIMER], facts)
    yield _judge_service(facts.units.get(SERVICE, {}), facts)
    path = facts.units.get(PATH_UNIT, {})
    if path.get("LoadState") != "loaded":
        found = "not installed: a login is seen with the next scan only"
        yield CheckResult(PATH_UNIT, NOTE, found, facts.installing)
    elif path.get("ActiveState") != "active":
        state = path.get("ActiveState", "") or "unknown"
        yield CheckResult(PATH_UNIT, FAULT, f"{state}: it watches no more", start_unit(PATH_UNIT))
    else:
        yield CheckResult(PATH_UNIT, OK, "active")
    for name, unit in facts.units.items():
        if unit.get("NeedDaemonReload") == "yes":
            found = "its file has changed since systemd read it"
            yield CheckResult(name, NOTE, found, "systemctl daemon-reload")


def _judge_timer(timer: Mapping[str, str], facts: ScheduleFacts) -> CheckResult:
    state = timer.get("ActiveState", "")
    if state != "active":
        return CheckResult("timer", FAULT, f"{TIMER} is {state or 'unknown'}", start_unit(TIMER))
    last = parse_time(timer.get("LastTriggerUSec", ""))
    if last and facts.now - last > max_age(facts.interval):
        found = f"active, but last ran {age(facts.now - last)} ago"
        return CheckResult("timer", FAULT, found, f"systemctl restart {TIMER}")
    if last and last - facts.now > max_age(facts.interval):
        found = f"last ran {age(last - facts.now)} in the future: see the clock"
        return CheckResult("timer", FAULT, found, f"systemctl restart {TIMER}")
    if timer.get("UnitFileState", "enabled") in ("disabled", ""):
        found = "active, but not after the next boot"
        return CheckResult("timer", FAULT, found, f"systemctl enable {TIMER}")
    said = f", last ran {age(max(0.0, facts.now - last))} ago" if last else ", has not run yet"
    return CheckResult("timer", OK, f"active{said}")


def _judge_service(unit: Mapping[str, str], facts: ScheduleFacts) -> CheckResult:
    if unit.get("LoadState") != "loaded":
        return CheckResult("service", FAULT, f"{SERVICE} is not there", facts.installing)
    result = unit.get("Result", "")
    if result not in ("success", ""):
        meaning = RESULTS.get(result, "it failed")
        found = f"the last run: {meaning} ({result})"
        if unit.get("ExecMainStatus") == "203":
            return CheckResult("service", FAULT, "its program is not there", facts.installing)
        return CheckResult("service", FAULT, found, f"journalctl -u {SERVICE} -n 5")
    if unit.get("ActiveState") == RUNNING and not facts.awaits_scan:
        found = f"a scan is running, for more than {WAIT_SECONDS:g} s"
        return CheckResult("service", NOTE, found)
    writable = [path.lstrip("-+") for path in unit.get("ReadWritePaths", "").split()]
    if facts.directory and writable and not _is_below(facts.directory, writable):
        found = f"the unit may not write {facts.directory}"
        return CheckResult("service", FAULT, found, facts.admitting)
    return CheckResult(
        "service", OK, "no scan yet" if facts.awaits_scan else "the last run was good"
    )


def _is_below(directory: str, paths: list[str]) -> bool:
    given = (PRIVATE, STATE)  # the unit's own
    return any(f"{directory}/".startswith(f"{path.rstrip('/')}/") for path in (*paths, *given))


def _judge_entry(entry: CronEntry, facts: ScheduleFacts) -> CheckResult:
    path = quote(entry.path)
    if entry.error:
        return CheckResult("cron", NOTE, f"{entry.path}: {entry.error}")
    if not entry.is_live:
        return CheckResult("cron", NOTE, f"{entry.path} has no entry: all is comment")
    if entry.dislike:
        # Whoever could write it has maybe written what is in it, for cron to run.
        mend = f"rm {path} && {facts.installing}"
        return CheckResult("cron", FAULT, f"{entry.path} is passed over: {entry.dislike}", mend)
    if not facts.has_crond:
        mend = service("start", SERVICES, facts.is_systemd)
        return CheckResult("cron", FAULT, f"{entry.path} is there, and no crond runs", mend)
    if facts.awaits_scan:
        return CheckResult("cron", OK, f"{entry.path}, and a crond runs; no scan yet")
    if facts.silence is not None and facts.silence > max_age(facts.interval):
        found = f"a crond runs, and the last run was {age(facts.silence)} ago"
        return CheckResult("cron", FAULT, found, f"cat -v {path}; {facts.running}")
    return CheckResult("cron", OK, f"{entry.path}, and a crond runs")


def parse_time(text: str) -> float:
    """Return a time as systemctl prints it in UTC, in seconds since the epoch, 0 for none."""
    words = text.split()
    if len(words) != 4:
        return 0.0
    try:
        return float(calendar.timegm(time.strptime(" ".join(words[1:3]), "%Y-%m-%d %H:%M:%S")))
    except ValueError:
        return 0.0


def judge_entry_file(path: str, uid: int, mode: int, data: bytes) -> CronEntry:
    """Return what a crontab is; cron passes over one of /etc/cron.d that others could write."""
    is_live = any(_is_command(line.strip()) for line in data.split(b"\n"))
    dislike = ""
    if path.startswith("/etc/cron.d/") and uid != 0:
        dislike = "it is not root's"
    elif mode & 0o022:
        dislike = "others can write it"
    return CronEntry(path, is_live, dislike)


def _is_command(line: bytes) -> bool:
    """Return whether a crontab's line runs us again and again; others set variables."""
    is_timed = line[:1] in b"*0123456789@" and not line.startswith(b"@reboot")
    return bool(line) and is_timed and (b"textfile_users" in line or b"textfile-users" in line)


def _read_entries() -> tuple[CronEntry, ...]:
    return tuple(entry for entry in map(_read_entry, ENTRIES) if entry)


def _read_entry(path: str) -> CronEntry | None:
    try:
        status = os.stat(path)
        data = read_regular(path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        return CronEntry(path, is_live=False, is_hidden=True)  # those of users are closed to others
    except OSError as error:
        return CronEntry(path, is_live=False, error=reason(error))
    entry = judge_entry_file(path, status.st_uid, stat.S_IMODE(status.st_mode), data)
    return entry._replace(changed=status.st_mtime)


def _read_units() -> tuple[dict[str, dict[str, str]], str]:
    """Return what systemd says of our units, and why it says nothing.

    A scan that is running is waited for a little: meanwhile the timer does not tell when the next
    one is due.
    """
    argv = ["systemctl", "show", TIMER, SERVICE, PATH_UNIT, f"--property={PROPERTIES}"]
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            units = parse_units(run_tool(argv, SECONDS))
        except ChildFailed as error:
            return {}, str(error)
        if units.get(SERVICE, {}).get("ActiveState") != RUNNING or time.monotonic() > end:
            return units, ""
        time.sleep(POLL_SECONDS)
