"""Who is logged in, and what they do: utmp, logind and /proc, merged."""

from __future__ import annotations

from itertools import islice

from textfile_users.accounts.account import Account, name_of
from textfile_users.collecting import OK, Reports, reports_of
from textfile_users.connections.connection import SSH
from textfile_users.connections.sockets import read_peers
from textfile_users.processes.procfs import (
    read_command_lines,
    read_descents,
    read_processes,
    read_terminals,
)
from textfile_users.record import Record
from textfile_users.sessions.activity import activities, stat_terminals, with_commands
from textfile_users.sessions.logind import read_logind
from textfile_users.sessions.merge import (
    leaders_without_terminal,
    merge,
    newest,
    of_sudo,
    pids_of,
    servers_of_windows,
    without_run0,
)
from textfile_users.sessions.session import MAX_SESSIONS, Session, from_address, may_show
from textfile_users.sessions.utmp import read_utmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from textfile_users.accounts.account import Known
    from textfile_users.collecting import Scan
    from textfile_users.connections.connection import Connection
    from textfile_users.paths import Paths
    from textfile_users.processes.procfs import Process
    from textfile_users.sessions.activity import Activity
    from textfile_users.sessions.merge import Verdict
    from textfile_users.sessions.unrecorded import Remote

    Key = TypeVar("Key")
    # The id, leader and start of a session of which no source of sessions has the address.
    Unaddressed = tuple[str, int, float]

# Verdicts on sessions that only processes and sockets show, and on those beside them.
UNRECORDED = "counts: processes and sockets show it, and nothing recorded it"
WINDOW = "does not count: a window, or run0, and there is a session beside it"
TOO_MANY = "does not count: too many that nothing recorded"

HOUR = 3600.0
GONE_SECONDS = 300.0
MAX_RECENT = 1_000


class SessionsMemory(Record):
    """The sessions of the last scan, and those that ended lately.

    ``known`` maps (id, user, tty, type, written, numeric), see Session, to the session's start; it
    is None before the first scan. ``ended`` maps (user, type) to the time of the scan that missed
    it first, for an hour, ``gone`` (user, written, numeric, tty) likewise, for five minutes.
    ``addresses`` are those of sessions that were found elsewhere, '' where only a log may tell.
    """

    known: dict[tuple[str, str, str, str, str, str], float] | None = None
    ended: dict[tuple[str, str], float] = {}
    gone: dict[tuple[str, str, str, str], float] = {}
    addresses: dict[Unaddressed, str] = {}


class SessionsFound(Record):
    """The sessions of the host, None where no source of sessions could be read.

    ``dropped`` are too many, ``closing`` those that logind holds as such; ``activities`` are by the
    session's id, None where processes are not known.
    """

    memory: SessionsMemory = SessionsMemory()
    reports: Reports = Reports()
    sessions: tuple[Session, ...] | None = None
    dropped: int = 0
    closing: int = 0
    verdicts: tuple[Verdict, ...] = ()
    activities: Mapping[str, Activity] | None = None

    @property
    def users(self) -> set[str]:
        """Those who have a session."""
        return {session.user for session in self.sessions or ()}

    @property
    def by_logind(self) -> bool:
        """Whether logind tells of sessions."""
        return any(one.name == "logind" and one.status == OK for one in self.reports.sources)


def collect_sessions(
    scan: Scan, before: SessionsMemory, processes: Sequence[Process]
) -> Iterator[SessionsFound]:
    """Find the sessions of the host, or why they are not known. Raises nothing.

    ``processes`` are all, as far as they are known.
    """
    paths, known = scan.paths, {one.pid: one for one in processes}
    records, utmp = read_utmp(paths)
    logind, logind_report = read_logind(paths)
    # Before anything is read for each of them.
    records, logind, dropped = newest(records, logind)
    pids = pids_of(records)
    living, procfs = read_processes(paths, pids, known)
    if len(pids) > 1 and living is not None and not living:  # is /proc another host's?
        living, procfs = read_processes(paths, [session.leader for session in logind], known)
    elif living and logind_report.status != OK:  # for the services of root's logins
        parents, _ = read_processes(paths, {process.ppid for process in living.values()}, known)
        living.update(parents or {})
    reports = reports_of(utmp, logind_report, procfs)
    if OK not in (utmp.status, logind_report.status):
        nothing = f"no source of sessions: neither {paths.utmp()} nor {paths.logind_sessions()}"
        faults = (*reports.faults, f"{nothing} can be read")
        yield SessionsFound(before, Reports(reports.sources, faults, success=False))
        return
    terminals = read_terminals(paths, leaders_without_terminal(records, logind))
    windows = servers_of_windows(records) | of_sudo(records, living)
    descents = read_descents(paths, windows, known)
    merged = merge(records, logind, living, terminals, descents)
    if utmp.status == OK:
        utmp = utmp._replace(unusable=(*utmp.unusable, ("stale", merged.stale)))
    yield SessionsFound(
        before,
        Reports((utmp, logind_report, procfs), (*reports.faults, *merged.faults), reports.success),
        merged.sessions,
        dropped,
        merged.closing,
        merged.verdicts,
    )


def find_unrecorded(
    scan: Scan,
    before: SessionsFound,
    processes: tuple[Process, ...] | None,
    connections: Sequence[Connection],
    known: Known,
) -> Iterator[SessionsFound]:
    """Add the sessions that only processes and sockets show. Raises nothing."""
    if before.sessions is None or not processes:
        return
    sessions, by_logind = before.sessions, before.by_logind
    remotes = list(islice(_remotes(connections, known), MAX_SESSIONS))
    if not remotes and not may_show(processes, by_logind=by_logind):
        return
    from textfile_users.sessions import unrecorded

    wanted = unrecorded.titles_wanted(sessions, processes, by_logind=by_logind)
    titles = read_command_lines(scan.paths, wanted)
    peers = {one.pid: one.ip for one in connections if one.service == SSH and one.pid}
    users = _accounts(processes, known)
    found = unrecorded.unrecorded(
        sessions, processes, titles, users, remotes, peers, by_logind=by_logind
    )
    if not found:
        return
    more = unrecorded.bounded(found, max(0, MAX_SESSIONS - len(sessions)))
    everything = tuple(
        without_run0(unrecorded.without_windows(sorted((*sessions, *more), key=_age)))
    )
    counted, kept = set(more), set(everything)
    yield before._replace(
        sessions=everything,
        dropped=before.dropped + len(found) - len(more),
        verdicts=(
            *before.verdicts,
            *((one, UNRECORDED) for one in more),
            *((one, WINDOW) for one in sessions if one not in kept),
            *((one, TOO_MANY) for one in found if one not in counted),
        ),
    )


def find_activities(
    scan: Scan, before: SessionsFound, processes: tuple[Process, ...]
) -> Iterator[SessionsFound]:
    """Add what each session does. Raises nothing."""
    sessions = before.sessions or ()
    terminals = stat_terminals(scan.paths, (one.tty for one in sessions if one.tty))
    found = activities(sessions, processes, terminals)
    if scan.wanted.commands:
        pids = {activity.command_pid for activity in found.values()} - {0}
        found = with_commands(found, read_command_lines(scan.paths, pids), processes)
    yield before._replace(activities=found)


def find_addresses(
    paths: Paths,
    before: SessionsFound,
    addresses_of: Callable[[list[Session]], dict[int, str]],
) -> Iterator[SessionsFound]:
    """Add the addresses of SSH sessions that have none, by their sockets, else by their logins.

    With UseDNS logind has a name alone. What was found stays the session's. Raises nothing.
    """
    remembered = before.memory.addresses
    lacking = {_key(one): one for one in before.sessions or () if _lacks_address(one)}
    if before.sessions is None or not (lacking or remembered):
        return
    addresses = {key: ip for key, ip in remembered.items() if key in lacking}
    new = [one for key, one in lacking.items() if key not in addresses]
    peers = read_peers(paths, {one.leader for one in new})
    addresses.update((_key(one), peers[one.leader]) for one in new if one.leader in peers)
    unknown = [one for key, one in lacking.items() if not addresses.get(key)]
    if unknown:
        logged = addresses_of(unknown)
        addresses.update((_key(one), logged[one.leader]) for one in unknown if one.leader in logged)
    found = {key: ip for key, ip in addresses.items() if ip}
    yield before._replace(
        sessions=tuple(
            from_address(one, found[_key(one)]) if _key(one) in found else one
            for one in before.sessions
        ),
        memory=before.memory._replace(addresses=addresses),
    )


def remember(
    before: SessionsMemory, sessions: tuple[Session, ...] | None, now: float, whole: bool = True
) -> SessionsMemory:
    """Return what is to be remembered after a scan that found ``sessions`` at time ``now``.

    Unless they are the ``whole``, those that are missing may be there yet.
    """
    ended = _young(before.ended, now, HOUR)
    gone = _young(before.gone, now, GONE_SECONDS)
    if sessions is None:  # not known: nothing began and nothing ended
        return before._replace(ended=ended, gone=gone)
    current = {(s.id, s.user, s.tty, s.type, s.written, s.numeric): s.start for s in sessions}
    if not whole:
        missing = {key: start for key, start in (before.known or {}).items() if key not in current}
        current.update(list(missing.items())[-MAX_RECENT:])
    for _, user, tty, type_, written, numeric in before.known or () if whole else ():
        ended[user, type_] = now
        gone[user, written, numeric, tty] = now
    for session in sessions:
        ended.pop((session.user, session.type), None)
        gone.pop((session.user, session.written, session.numeric, session.tty), None)
    return before._replace(known=current, ended=_newest(ended), gone=_newest(gone))


def _young(times: dict[Key, float], now: float, seconds: float) -> dict[Key, float]:
    return {key: time for key, time in times.items() if 0 <= now - time < seconds}


def _newest(times: dict[Key, float]) -> dict[Key, float]:
    return dict(sorted(times.items(), key=lambda item: item[1])[-MAX_RECENT:])


def _lacks_address(session: Session) -> bool:
    return session.type == SSH and not session.ip and session.leader > 1


def _key(session: Session) -> Unaddressed:
    return session.id, session.leader, session.start


def _accounts(processes: Iterable[Process], known: Known) -> list[Account]:
    """Return the accounts of processes, as far as they are known."""
    uids = {process.uid for process in processes}
    return [Account(name_of(uid, known), uid, "", "") for uid in uids if uid >= 0]


def _remotes(connections: Iterable[Connection], known: Known) -> Iterator[Remote]:
    """Yield the desktops that somebody looks at from elsewhere, and whose they are."""
    for one in connections:
        if one.service != SSH and one.uid >= 0:
            display = f"vnc:{one.display}" if one.service == "vnc" and one.display >= 0 else ""
            yield one.service, name_of(one.uid, known), display, one.ip, 0.0, one.pid


def _age(session: Session) -> tuple[float, str]:
    return session.start, session.id
