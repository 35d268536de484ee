"""The `users` set: the project's own metrics (docs/metrics.md)."""

from __future__ import annotations

import sys

from textfile_users import __version__
from textfile_users.collecting import ABSENT, AUTH, HISTORY, MAX_SERIES, MAX_USERS
from textfile_users.connections.connection import count_connections
from textfile_users.counting import BOUNDS, CLEAN, CRASH, DROPPED, DURATION, DURATION_SUM, user_of
from textfile_users.metrics.family import (
    Family,
    by_user,
    family,
    histogram,
    label,
    sessions_by_user,
    uid_label,
)
from textfile_users.reading.text import printable
from textfile_users.sessions.session import MAX_SESSIONS, TYPES, Session
from textfile_users.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from textfile_users.sessions.activity import Activity

# Sources read by position, and why some of it may be skipped.
SKIPS = {
    "authlog": ("damaged", "partial", "too-long", "gap"),
    "journal": ("damaged", "too-long", "gap"),
    "wtmp": ("damaged", "partial", "gap"),
    "btmp": ("damaged", "partial", "gap"),
    "wtmpdb": ("damaged",),
}
KINDS = ("closed", "reset", "timeout", "protocol", "penalty", "other")
BOOTS = (CLEAN, CRASH)
RESULTS = ("matched", "unmatched", "ignored", "untrusted")
TOP = 20  # addresses of the last hour

# Label values and value.
_Sample = tuple[tuple[str, ...], float]

_SESSION = ("session", "user")
_ESCALATION = ("program", "user", "target_user")

# family: its HELP and labels
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "users_logged_in": ("Distinct users with a session.", ()),
    "users_sessions": (
        "Open sessions by user and session type; 0 for an hour after the last one ended.",
        ("user", "session_type"),
    ),
    "users_sessions_closing": (
        "Sessions that logind could not close: the login is over, a process still runs.",
        (),
    ),
    "users_session_info": (
        "An open session and where it comes from; always 1.",
        (
            *_SESSION,
            "tty",
            "session_type",
            "program",
            "remote_host",
            "remote_ip",
            "remote_network",
            "key",
        ),
    ),
    "users_session_start_timestamp_seconds": (
        "Time the session began, in seconds since the epoch.",
        _SESSION,
    ),
    "users_session_last_activity_timestamp_seconds": (
        "Time of the last input on the session's terminal, in seconds since the epoch.",
        _SESSION,
    ),
    "users_session_cpu_seconds": (
        "CPU time used by the processes that run in the session.",
        _SESSION,
    ),
    "users_session_processes": ("Processes that run in the session.", _SESSION),
    "users_session_command_info": (
        "Foreground command on the session's terminal; always 1.",
        (*_SESSION, "command"),
    ),
    "users_logins_total": (
        "Logins, including those that began and ended between two scans.",
        ("user", "session_type"),
    ),
    "users_session_duration_seconds": (
        "Duration of ended sessions, in seconds.",
        ("session_type",),
    ),
    "users_reboots_total": (
        "Boots recorded in wtmp or wtmpdb, after a shutdown (clean) or without one (crash).",
        ("kind",),
    ),
    "users_last_login_timestamp_seconds": (
        "Time of the user's last login, in seconds since the epoch.",
        ("user",),
    ),
    "users_auth_successes_total": (
        "Credentials accepted.",
        ("program", "method", "user"),
    ),
    "users_auth_failures_total": (
        'Credentials refused, one per attempt; user="" for names without an account.',
        ("program", "method", "user"),
    ),
    "users_auth_probes_total": (
        "Connections that ended before a credential was refused.",
        ("program", "kind"),
    ),
    "users_auth_failures_last_hour": (
        "Credentials refused in the last hour, for the addresses with the most.",
        ("remote_ip", "remote_network"),
    ),
    "users_escalations_total": (
        "Changes of user that sudo, su, doas, pkexec, run0 or polkit granted.",
        _ESCALATION,
    ),
    "users_escalation_failures_total": (
        "Changes of user that sudo, su, doas, pkexec, run0 or polkit refused.",
        _ESCALATION,
    ),
    "users_auth_log_lines_total": (
        "Lines read from the auth log, by source and result.",
        ("source", "result"),
    ),
    "users_records_skipped_total": (
        "Records and lines skipped because they could not be read, by source and reason.",
        ("source", "reason"),
    ),
    "users_remote_connections": (
        "Established connections to the host's ssh, VNC and RDP servers.",
        ("protocol",),
    ),
    "users_cpu_seconds_total": (
        "CPU time used by the user's processes since the first scan after boot.",
        ("user",),
    ),
    "users_memory_resident_bytes": (
        "Resident memory of the user's processes; shared pages count for each process.",
        ("user",),
    ),
    "users_processes": ("Processes of the user.", ("user",)),
    "users_account_info": (
        "An account with a session or processes; always 1.",
        ("user", "uid", "primary_group", "real_name"),
    ),
    "users_source_available": ("1 if the host has the source, 0 if it does not.", ("source",)),
    "users_records_unusable": (
        "Records ignored in this scan, by source and reason.",
        ("source", "reason"),
    ),
    "users_series_dropped": (
        'Series left out because of a limit, by family; family="" is the sum of all.',
        ("family",),
    ),
    "users_networks": ("Networks given with --network.", ()),
    "users_collector_success": (
        "1 if the collector read all it should, else 0.",
        ("collector",),
    ),
    "users_collector_duration_seconds": (
        "Elapsed time of the collector in this scan, in seconds.",
        ("collector",),
    ),
    "users_run_timestamp_seconds": ("Time of this scan, in seconds since the epoch.", ()),
    "users_build_info": (
        "Version of textfile-users and of its Python; always 1.",
        ("version", "python"),
    ),
}
_LISTED = ("users_session_info", "users_session_start_timestamp_seconds")


def families(snapshot: Snapshot, hidden: Collection[str] = ()) -> Iterator[Family]:
    """Yield the set's families.

    Those of sessions are left out where no source of sessions could be read: not known is
    not zero. What bounds left out of families that are ``hidden`` is not told.
    """
    dropped = dict.fromkeys(("users_sessions", *_LISTED), 0)
    if snapshot.sessions is not None:
        yield from _session_families(snapshot, snapshot.sessions, dropped)
    yield from process_families(snapshot, dropped)
    collectors = {collector.name for collector in snapshot.collectors}
    if collectors & {AUTH, HISTORY}:
        yield from login_families(snapshot)
    if AUTH in collectors and snapshot.is_log_known:
        yield from auth_families(snapshot, dropped)
    yield _gauge(
        "users_source_available",
        [((source.name,), float(source.status != ABSENT)) for source in snapshot.sources],
    )
    yield _gauge(
        "users_records_unusable",
        [
            ((source.name, reason), float(count))
            for source in snapshot.sources
            for reason, count in source.unusable
        ],
    )
    yield _gauge("users_series_dropped", _dropped(snapshot, dropped, hidden))
    yield _gauge("users_networks", [((), float(snapshot.network_count))])
    yield _gauge(
        "users_collector_success",
        [((collector.name,), float(collector.success)) for collector in snapshot.collectors],
    )
    yield _gauge(
        "users_collector_duration_seconds",
        [((collector.name,), collector.seconds) for collector in snapshot.collectors],
    )
    yield _gauge("users_run_timestamp_seconds", [((), snapshot.now)])
    python = ".".join(map(str, sys.version_info[:3]))
    yield _gauge("users_build_info", [((__version__, python), 1.0)])


def _dropped(snapshot: Snapshot, now: Mapping[str, int], hidden: Collection[str]) -> list[_Sample]:
    """Return what bounds left out, in this scan and since counting began, and the sum of it."""
    counts = {name: float(count) for name, count in now.items()}
    for (family_name, *labels), count in snapshot.counters.items():
        if family_name == DROPPED:
            counts[labels[0]] = counts.get(labels[0], 0.0) + count
    told = {name: count for name, count in counts.items() if count and name not in hidden}
    told[""] = sum(told.values())  # with what the state had no place for, which has no family
    return [((name,), count) for name, count in told.items()]


def _session_families(
    snapshot: Snapshot, sessions: tuple[Session, ...], dropped: dict[str, int]
) -> Iterator[Family]:
    yield _gauge("users_logged_in", [((), float(len({session.user for session in sessions})))])
    counts, dropped["users_sessions"] = sessions_by_user(sessions, snapshot.recent, snapshot.root)
    yield _gauge("users_sessions", counts)
    yield _gauge("users_sessions_closing", [((), float(snapshot.closing))])
    newest = sessions[-MAX_SESSIONS:]
    for name in _LISTED:
        dropped[name] = snapshot.dropped + len(sessions) - len(newest)
    info = {}
    starts = {}
    for session in newest:
        who = label(session.id), label(session.user)
        where = label(session.host), session.ip, session.network
        key = ""  # no source tells yet which key it was
        info[(*who, label(session.tty), session.type, session.service, *where, key)] = 1.0
        if session.start:  # 0: nobody recorded it
            starts[who] = session.start
    yield _gauge("users_session_info", info.items())
    yield _gauge("users_session_start_timestamp_seconds", starts.items())
    if snapshot.activities is not None:
        yield from _activity_families(newest, snapshot.activities)


def _activity_families(
    sessions: Iterable[Session], activities: Mapping[str, Activity]
) -> Iterator[Family]:
    samples: tuple[dict[tuple[str, ...], float], ...] = ({}, {}, {}, {})
    inputs, seconds, processes, commands = samples
    for session in sessions:
        found = activities.get(session.id)
        if found is None:
            continue
        who = label(session.id), label(session.user)
        if found.last_activity is not None:
            inputs[who] = found.last_activity
        if found.cpu is not None and found.processes is not None:
            seconds[who] = found.cpu
            processes[who] = float(found.processes)
        if found.command:
            commands[(*who, label(printable(found.command)))] = 1.0
    yield _gauge("users_session_last_activity_timestamp_seconds", inputs.items())
    yield _gauge("users_session_cpu_seconds", seconds.items())
    yield _gauge("users_session_processes", processes.items())
    if commands:
        yield _gauge("users_session_command_info", commands.items())


def process_families(snapshot: Snapshot, dropped: dict[str, int]) -> Iterator[Family]:
    """Yield what users do to the host: connections, CPU time, memory, processes, accounts."""
    if snapshot.connections is not None:
        counts = count_connections(snapshot.connections)
        protocols = [((protocol,), float(count)) for protocol, count in counts.items()]
        yield _gauge("users_remote_connections", protocols)
    if snapshot.cpu_seconds is not None and snapshot.usages is not None:
        usages = snapshot.usages
        by_family = {
            "users_cpu_seconds_total": snapshot.cpu_seconds,
            "users_memory_resident_bytes": {user: memory for user, (memory, _) in usages.items()},
            "users_processes": {user: count for user, (_, count) in usages.items()},
        }
        for name, values in by_family.items():
            samples, dropped[name] = by_user(values, snapshot.root)
            yield _gauge(name, samples)
    if snapshot.accounts is not None:
        kept = snapshot.accounts[:MAX_USERS]
        dropped["users_account_info"] = len(snapshot.accounts) - len(kept)
        info = {
            (label(one.user), uid_label(one.uid), label(one.group), label(one.name)): 1.0
            for one in kept
        }
        yield _gauge("users_account_info", info.items())
    if snapshot.slices is not None:
        from textfile_users.metrics.slices import slice_families  # by request alone

        yield from slice_families(snapshot.slices, snapshot.slices_dropped, dropped)


def login_families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield what was counted of logins and their ends, boots and records."""
    pairs = [(label(one.user), one.type) for one in snapshot.sessions or ()]
    yield _counter("users_logins_total", snapshot, pairs[-MAX_USERS:])
    yield _durations(snapshot)
    yield _counter("users_reboots_total", snapshot, [(kind,) for kind in BOOTS])
    yield _gauge(
        "users_last_login_timestamp_seconds",
        {(label(user),): time for user, time in snapshot.last_logins.items()}.items(),
    )
    names = {source.name for source in snapshot.sources}
    skips: dict[tuple[str, ...], float] = {
        (name, why): 0.0 for name in SKIPS if name in names for why in SKIPS[name]
    }
    yield _counter("users_records_skipped_total", snapshot, skips)


def auth_families(snapshot: Snapshot, dropped: dict[str, int]) -> Iterator[Family]:
    """Yield what was counted of an auth log; zeros so that increase() sees the first event."""
    users = (snapshot.root, "", *dict.fromkeys(label(one.user) for one in snapshot.sessions or ()))
    zeros = [
        ("sshd", method, user) for method in ("password", "publickey") for user in users[:MAX_USERS]
    ]
    yield _counter("users_auth_successes_total", snapshot, zeros)
    yield _counter("users_auth_failures_total", snapshot, zeros)
    probes = [("sshd", kind) for kind in KINDS]
    yield _counter("users_auth_probes_total", snapshot, probes)
    counts = {ip: float(sum(minutes.values())) for ip, minutes in snapshot.failures.items()}
    top = sorted(counts, key=lambda ip: (-counts[ip], ip))[:TOP]
    dropped["users_auth_failures_last_hour"] = len(counts) - len(top)
    yield _gauge(
        "users_auth_failures_last_hour",
        [((ip, snapshot.networks.get(ip, "")), counts[ip]) for ip in top],
    )
    yield _counter("users_escalations_total", snapshot, [])
    yield _counter("users_escalation_failures_total", snapshot, [])
    source = snapshot.auth_log
    lines: dict[tuple[str, ...], float] = (
        {(source, result): 0.0 for result in RESULTS} if source else {}
    )
    yield _counter("users_auth_log_lines_total", snapshot, lines)


def _durations(snapshot: Snapshot) -> Family:
    """Return the histogram of ended sessions; counted are those between two bounds each.

    It has the types of which the host has had a session: each is 13 series.
    """
    samples = []
    for type_ in TYPES:
        if (DURATION_SUM, type_) not in snapshot.counters:
            continue
        total = 0.0
        buckets = []
        for bound in (*map(str, BOUNDS), "+Inf"):
            total += snapshot.counters.get((DURATION, type_, bound), 0.0)
            buckets.append((bound, total))
        seconds = snapshot.counters[DURATION_SUM, type_]
        samples.append(((type_,), buckets, seconds))
    return histogram(DURATION, *FAMILIES[DURATION], samples)


def _counter(name: str, snapshot: Snapshot, zeros: Iterable[tuple[str, ...]]) -> Family:
    """Return a family with what was counted, and with ``zeros`` where nothing was yet.

    Of those as many as the family's bounds leave room for.
    """
    samples: dict[tuple[str, ...], float] = {}
    users = set()
    for series, count in snapshot.counters.items():
        if series[0] == name:
            key = tuple(map(label, series[1:]))
            samples[key] = samples.get(key, 0.0) + count
            users.add(user_of(series))
    users.add("")
    for key in zeros:
        user = user_of((name, *key))
        has_place = user in users or len(users) <= MAX_USERS
        if key not in samples and len(samples) < MAX_SERIES and has_place:
            samples[key] = 0.0
            users.add(user)
    return family(name, *FAMILIES[name], samples.items())


def _gauge(name: str, samples: Iterable[_Sample]) -> Family:
    return family(name, *FAMILIES[name], samples)
