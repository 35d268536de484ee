"""Who is logged in: utmp, logind and /proc, merged."""

from __future__ import annotations

from itertools import islice

from textfile_users.accounts import name_of
from textfile_users.connections import SSH
from textfile_users.durable import NOTHING as NOTHING_DURABLE
from textfile_users.kept import NOTHING
from textfile_users.logins import logged_addresses
from textfile_users.model import ABSENT, OK, SESSIONS, Account, Session, Snapshot, Wanted
from textfile_users.paths import Paths
from textfile_users.sessions import (
    MAX_SESSIONS,
    from_address,
    leaders_without_terminal,
    may_show,
    merge,
    newest,
    of_sudo,
    pids_of,
    servers_of_windows,
    without_run0,
)
from textfile_users.sources.logind import read_logind
from textfile_users.sources.procfs import read_descents, read_processes, read_terminals
from textfile_users.sources.sockets import read_peers
from textfile_users.sources.terminals import read_command_lines
from textfile_users.sources.utmp import read_utmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textfile_users.kept import Unaddressed
    from textfile_users.model import Process
    from textfile_users.unrecorded import Remote


def look_at_sessions(paths: Paths, _: Wanted, before: Snapshot, __: float) -> Iterator[Snapshot]:
    """Add the sessions of the host, or why they are not known. Raises nothing."""
    found = _look(paths, before.now, {one.pid: one for one in before.processes or ()})
    success = found.sessions is not None and all(s.status in (OK, ABSENT) for s in found.sources)
    yield before._replace(
        sessions=found.sessions,
        dropped=found.dropped,
        closing=found.closing,
        verdicts=found.verdicts,
        sources=(*before.sources, *found.sources),
        faults=(*before.faults, *found.faults),
        failed=before.failed if success else (*before.failed, SESSIONS),
    )


def _look(paths: Paths, now: float, known: Mapping[int, Process]) -> Snapshot:
    records, utmp = read_utmp(paths)
    logind, logind_report = read_logind(paths)
    # Before anything is read for each of them.
    records, logind, dropped = newest(records, logind)
    pids = pids_of(records)
    processes, procfs = read_processes(paths, pids, known)
    if len(pids) > 1 and processes is not None and not processes:  # is /proc another host's?
        leaders = [session.leader for session in logind]
        processes, procfs = read_processes(paths, leaders, known)
    elif processes and logind_report.status != OK:  # for the services of root's logins
        parents = {process.ppid for process in processes.values()}
        found, _ = read_processes(paths, parents, known)
        processes.update(found or {})
    reports = (utmp, logind_report, procfs)
    faults = tuple(fault for report in reports for fault in report.faults)
    if OK not in (utmp.status, logind_report.status):
        nothing = f"no source of sessions: neither {paths.utmp()} nor {paths.logind_sessions()}"
        return Snapshot(now, None, sources=reports, faults=(*faults, f"{nothing} can be read"))
    terminals = read_terminals(paths, leaders_without_terminal(records, logind))
    windows = servers_of_windows(records) | of_sudo(records, processes)
    descents = read_descents(paths, windows, known)
    merged = merge(records, logind, processes, terminals, descents)
    if utmp.status == OK:
        utmp = utmp._replace(unusable=(*utmp.unusable, ("stale", merged.stale)))
    return Snapshot(
        now,
        merged.sessions,
        dropped=dropped,
        closing=merged.closing,
        sources=(utmp, logind_report, procfs),
        faults=(*faults, *merged.faults),
        verdicts=merged.verdicts,
    )


def add_unrecorded(paths: Paths, _: Wanted, before: Snapshot, __: float) -> Iterator[Snapshot]:
    """Add the sessions that only processes and sockets show. Raises nothing."""
    if before.sessions is None or not before.processes:
        return
    sessions, processes = before.sessions, before.processes
    by_logind = any(source.name == "logind" and source.status == OK for source in before.sources)
    remotes = list(islice(_remotes(before), MAX_SESSIONS))
    if not remotes and not may_show(processes, by_logind=by_logind):
        return
    from textfile_users.unrecorded import bounded, titles_wanted, unrecorded, without_windows

    wanted = titles_wanted(sessions, processes, by_logind=by_logind)
    peers = {one.pid: one.ip for one in before.connections or () if one.service == SSH and one.pid}
    found = unrecorded(
        sessions,
        processes,
        read_command_lines(paths, wanted),
        _accounts(before),
        remotes,
        peers,
        by_logind=by_logind,
    )
    if not found:
        return
    more = bounded(found, max(0, MAX_SESSIONS - len(sessions)))
    everything = tuple(without_run0(without_windows(sorted((*sessions, *more), key=_age))))
    why = "counts: processes and sockets show it, and nothing recorded it"
    window = "does not count: a window, or run0, and there is a session beside it"
    verdicts = [(one, why) for one in more]
    kept = set(everything)
    verdicts += [(one, window) for one in sessions if one not in kept]
    counted = set(more)
    many = "does not count: too many that nothing recorded"
    verdicts += [(one, many) for one in found if one not in counted]
    yield before._replace(
        sessions=everything,
        dropped=before.dropped + len(found) - len(more),
        verdicts=(*before.verdicts, *verdicts),
    )


def add_addresses(paths: Paths, _: Wanted, before: Snapshot, __: float) -> Iterator[Snapshot]:
    """Add the addresses of SSH sessions that have none, by their sockets, else by the auth log.

    With UseDNS logind has a name alone. What was found stays the session's. Raises nothing.
    """
    kept = before.kept or NOTHING
    lacking = {_key(one): one for one in before.sessions or () if _lacks_address(one)}
    if before.sessions is None or not (lacking or kept.addresses):
        return
    addresses = {key: ip for key, ip in kept.addresses.items() if key in lacking}
    new = [one for key, one in lacking.items() if key not in addresses]
    peers = read_peers(paths, {one.leader for one in new})
    addresses.update((_key(one), peers[one.leader]) for one in new if one.leader in peers)
    unknown = [one for key, one in lacking.items() if not addresses.get(key)]
    if unknown:
        logged = logged_addresses((before.durable or NOTHING_DURABLE).logins, unknown)
        addresses.update((_key(one), logged[one.leader]) for one in unknown if one.leader in logged)
    found = {key: ip for key, ip in addresses.items() if ip}
    yield before._replace(
        sessions=tuple(
            from_address(one, found[_key(one)]) if _key(one) in found else one
            for one in before.sessions
        ),
        kept=kept._replace(addresses=addresses),
    )


def _lacks_address(session: Session) -> bool:
    return session.type == SSH and not session.ip and session.leader > 1


def _key(session: Session) -> Unaddressed:
    return session.id, session.leader, session.start


def _accounts(snapshot: Snapshot) -> list[Account]:
    """Return the accounts of all processes, as far as they are known."""
    known = (snapshot.kept or NOTHING).known
    uids = {process.uid for process in snapshot.processes or ()}
    return [Account(name_of(uid, known), uid, "", "") for uid in uids if uid >= 0]


def _remotes(snapshot: Snapshot) -> Iterator[Remote]:
    """Yield the desktops that somebody looks at from elsewhere, and whose they are."""
    known = (snapshot.kept or NOTHING).known
    for one in snapshot.connections or ():
        if one.service != SSH and one.uid >= 0:
            display = f"vnc:{one.display}" if one.service == "vnc" and one.display >= 0 else ""
            yield one.service, name_of(one.uid, known), display, one.ip, 0.0, one.pid


def _age(session: Session) -> tuple[float, str]:
    return session.start, session.id
