"""`doctor`: checks the set-up and suggests a fix for each problem."""

from __future__ import annotations

import json
import os
import sys
import time
from io import TextIOWrapper

from textfile_users.paths import SERVICE_USER, Paths
from textfile_users.processes.procfs import read_boot_time
from textfile_users.reading.text import printable
from textfile_users.scan import scan
from textfile_users.setup.checks.child import ChildFailed, find_identity, in_child, own_identity
from textfile_users.setup.checks.clock import check_clock
from textfile_users.setup.checks.collectors import check_collectors, check_readable
from textfile_users.setup.checks.container import CONTAINER, INITS, check_container, read_mark
from textfile_users.setup.checks.directories import RUNTIME, STATE, check_runtime, check_state
from textfile_users.setup.checks.exporters import check_exporters
from textfile_users.setup.checks.link import check_link
from textfile_users.setup.checks.result import FAULT, NOTE, CheckResult, Host, Seen
from textfile_users.setup.checks.rights import (
    KEY,
    check_installed,
    check_key,
    check_rest,
    check_settings,
    check_user,
)
from textfile_users.setup.checks.schedule import Runner, check_schedule, find_runner
from textfile_users.setup.checks.scrape import check_view
from textfile_users.setup.checks.sessions import check_sessions
from textfile_users.setup.checks.sources import check_forgery, check_sources
from textfile_users.setup.checks.textfile import check_directory, check_file
from textfile_users.setup.fixes import explain
from textfile_users.setup.node_exporter import NodeExporter, find_node_exporters
from textfile_users.setup.service import find_service, is_systemd_running
from textfile_users.setup.settings import read_settings
from textfile_users.setup.system import read_name, read_pids
from textfile_users.terminal import has_colour, style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from textfile_users.run import Options
    from textfile_users.setup.checks.child import Identity

SECONDS = 10.0  # of a check; one that scans has the scan's own time beside
TOTAL_SECONDS = 60.0  # of all, as a slow host needs
MIN_SECONDS = 1.0
COLOURS = {FAULT: "red", NOTE: "yellow"}
WIDTHS = (5, 18)

LOGINCTL: tuple[str, Callable[[Host], Iterable[CheckResult]]] = (
    "loginctl",
    lambda host: check_sessions(host, lambda: _scan(host).sessions or ()),
)
# In the order in which they are told: what others rest on comes first.
CHECKS: tuple[tuple[str, Callable[[Host], Iterable[CheckResult]]], ...] = (
    ("container", check_container),
    ("settings", check_settings),
    ("user", check_user),
    ("clock", check_clock),
    ("sources", check_sources),
    ("look", check_collectors),
    ("forgery", check_forgery),
    LOGINCTL,
    (STATE, check_state),
    (RUNTIME, check_runtime),
    (KEY, check_key),
    ("schedule", check_schedule),
    ("node_exporter", check_exporters),
    ("textfile directory", check_directory),
    ("link", check_link),
    ("users.prom", check_file),
    ("scrape", check_view),
    ("the rest", check_rest),
)
# Where nothing is installed yet: what can be said then.
FIRST_CHECKS = (("install", check_installed), ("sources", check_readable), LOGINCTL)

# What these look at is where the program runs, whatever root it is given.
OWN = (CONTAINER, STATE, RUNTIME, KEY)


def doctor(options: Options, as_json: bool) -> int:
    """Check the set-up, print what is found; return 1 where a fault is."""
    if options.paths.is_own_host and _identity(options) == _service_identity():
        os.environ.pop("TZ", None)  # the caller's: unit and cron entry have none
        time.tzset()
    findings = examine(options)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every locale has every name
    if as_json:
        print(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        print(format_findings(findings, colour=has_colour(sys.stdout)))
    return 1 if any(finding.status == FAULT for finding in findings) else 0


def format_findings(findings: Iterable[CheckResult], *, colour: bool) -> str:
    """Return a line for each finding, and for each mend one below."""
    lines = []
    for finding in findings:
        status = style(finding.status.ljust(WIDTHS[0]), COLOURS.get(finding.status, ""))
        status = status if colour else finding.status.ljust(WIDTHS[0])
        lines.append(f"{status}  {finding.check:{WIDTHS[1]}}  {printable(finding.found)}".rstrip())
        if finding.mend:
            lines.append(f"    mend: {printable(finding.mend)}")
    return "\n".join(lines)


def examine(options: Options) -> list[CheckResult]:
    """Return what every check finds; one that fails or hangs is a finding itself."""
    end = time.monotonic() + TOTAL_SECONDS
    findings: list[CheckResult] = []
    host = _with_scan(_host(options, findings), findings)
    for name, check in CHECKS if host.is_installed else FIRST_CHECKS:
        seconds = max(MIN_SECONDS, min(SECONDS + options.timeout, end - time.monotonic()))
        findings += _guarded(name, seconds, check, host)
    if options.paths.is_own_host:
        return findings
    # What mends another host would change this machine, but for what is the program's own here.
    return [one if one.check in OWN else one._replace(mend="") for one in findings]


def _guarded(
    name: str, seconds: float, check: Callable[[Host], Iterable[CheckResult]], host: Host
) -> list[CheckResult]:
    try:
        rows = in_child(lambda: [list(finding) for finding in check(host)], seconds)
        return [CheckResult(*row) for row in rows]
    except (ChildFailed, OSError) as error:
        return [CheckResult(name, FAULT, f"the check itself failed: {error}")]


def _host(options: Options, findings: list[CheckResult]) -> Host:
    """Return what the checks go on; what cannot be found out is among the findings."""
    paths = options.paths
    now = time.time() if options.now is None else options.now
    is_systemd = paths.is_own_host and is_systemd_running()
    identity, own = _identity(options), own_identity()
    has_rights = own.uid in (0, identity.uid)
    host = Host(options, identity, now, has_rights, is_systemd=is_systemd, container=read_mark())

    def ask(name: str, question: Callable[[], Any], seconds: float, otherwise: Any) -> Any:
        try:
            return in_child(question, seconds)
        except (ChildFailed, OSError) as error:
            findings.append(CheckResult(name, FAULT, f"cannot be found out: {error}"))
            return otherwise

    values = ask("settings", lambda: read_settings(paths)[0], SECONDS, {})
    running = ask("processes", lambda: _read_names(paths), SECONDS, [])
    exporters: list[list[Any]] = []
    runner: list[Any] = list(Runner(is_systemd, options.interval))
    cycle = is_systemd, options.interval, now, float(read_boot_time(paths) or 0)
    if paths.is_own_host:
        exporters = ask(
            "node_exporter", lambda: list(map(list, find_node_exporters(paths))), SECONDS, []
        )
        runner = ask("timer", lambda: list(find_runner(*cycle)), SECONDS, runner)
    by_timer, interval, awaits_scan, is_there = runner
    host = host._replace(
        runs_by_timer=by_timer,
        interval=interval,
        awaits_scan=awaits_scan,
        values=values,
        running=frozenset(running),
        init=read_name(paths, 1),
        exporters=tuple(
            NodeExporter(pid, user, uid, tuple(directories), *rest)
            for pid, user, uid, directories, *rest in exporters
        ),
    )
    return host._replace(is_installed=is_there or _is_used(host))


def _with_scan(host: Host, findings: list[CheckResult]) -> Host:
    """Return the host with what a scan finds, where this process can make one as the runs do."""
    if not host.has_rights:
        return host
    try:
        return host._replace(seen=_scan(host))
    except (ChildFailed, OSError) as error:
        findings.append(CheckResult("look", FAULT, str(error), explain(host)))
        return host


def _is_used(host: Host) -> bool:
    """Return whether something else than timer or cron may run the program here."""
    is_container = bool(host.container) and host.init not in INITS
    is_written = host.options.output not in ("", "-") and os.path.lexists(host.options.output)
    has_user = _service_identity() is not None
    return is_container or is_written or has_user or not host.options.paths.is_own_host


def _identity(options: Options) -> Identity:
    """Return who the runs are: the unit's user, if there is one, else this process.

    Whoever has a state directory of their own, or is to make it, has runs of their own.
    """
    own = own_identity()
    unit = _service_identity() if options.paths.is_own_host else None
    if unit is None:
        return own
    place = os.path.abspath(options.state_directory)
    while not os.path.exists(place):
        place = os.path.dirname(place)
    owner = os.stat(place).st_uid
    return own if owner == own.uid not in (0, unit.uid) else unit


def _service_identity() -> Identity | None:
    service = find_service()
    try:
        return find_identity(Paths(), service.user if service else SERVICE_USER)
    except OSError:
        return None


def _scan(host: Host) -> Seen:
    """Return what a scan as the unit's user finds, without saving. Raises ChildFailed."""
    options = host.options
    seconds = options.timeout

    def scan_once() -> list[object]:
        began = time.monotonic()
        wanted = options.wanted._replace(backfill=False, explain=False)
        found, _ = scan(options.paths, host.now, wanted, timeout=seconds)
        sessions = found.sessions
        return [
            {source.name: [source.status, source.faults] for source in found.sources},
            found.failed,
            found.faults,
            None if sessions is None else [[one.id, one.user] for one in sessions],
            found.auth_log,
            len(found.collectors),
            time.monotonic() - began,
        ]

    sources, failed, faults, sessions, auth_log, count, spent = in_child(
        scan_once, seconds + 1, host.identity
    )
    return Seen(
        {name: (status, tuple(told)) for name, (status, told) in sources.items()},
        tuple(failed),
        tuple(faults),
        None if sessions is None else tuple((ident, user) for ident, user in sessions),
        auth_log,
        count,
        spent,
    )


def _read_names(paths: Paths) -> list[str]:
    """Return the names of all processes, none where the root has no /proc."""
    return sorted({read_name(paths, pid) for pid in read_pids(paths)} - {""})
