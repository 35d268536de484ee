"""The `users` set: the project's own metrics (docs/metrics.md)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from textfile_users import __version__
from textfile_users.counting import BOUNDS, DURATION, DURATION_SUM
from textfile_users.metrics.family import Family, family, histogram
from textfile_users.model import ABSENT, AUTH, HISTORY, Session, Snapshot
from textfile_users.sessions import MAX_SESSIONS

# Sources read by position, and why some of it may be skipped.
SKIPS = {
    "authlog": ("damaged", "partial", "too-long", "gap"),
    "journal": ("damaged", "too-long", "gap"),
    "wtmp": ("damaged", "partial", "gap"),
    "btmp": ("damaged", "partial", "gap"),
    "wtmpdb": ("damaged",),
}
TYPES = ("ssh", "tty", "x11", "wayland", "vnc", "rdp", "mosh", "multiplexer", "other")
KINDS = ("closed", "reset", "timeout", "protocol", "penalty", "other")
RESULTS = ("matched", "unmatched", "ignored", "untrusted")
# How many addresses of the last hour are written.
TOP = 20

MAX_LABEL_BYTES = 128
MAX_USERS = 1_000

# Label values and value.
_Sample = tuple[tuple[str, ...], float]

_SESSION = ("session", "user", "tty")

# family: its HELP and labels
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "users_logged_in": ("Distinct users with a session.", ()),
    "users_sessions": (
        "Open sessions by user and type; 0 for an hour after the last one ended.",
        ("user", "type"),
    ),
    "users_sessions_closing": ("Sessions that logind could not finish (ghosts).", ()),
    "users_session_info": (
        "A session and where it is from; always 1.",
        (*_SESSION, "type", "service", "host", "ip", "network"),
    ),
    "users_session_start_timestamp_seconds": (
        "When the session began, in seconds since the epoch.",
        _SESSION,
    ),
    "users_logins_total": (
        "Sessions begun, also those between two looks.",
        ("user", "type"),
    ),
    "users_session_duration_seconds": ("How long sessions lasted that have ended.", ("type",)),
    "users_reboots_total": ("Boots seen in wtmp or wtmpdb.", ()),
    "users_last_login_timestamp_seconds": (
        "When the user last logged in, in seconds since the epoch.",
        ("user",),
    ),
    "users_auth_successes_total": (
        "Credentials accepted.",
        ("service", "method", "user"),
    ),
    "users_auth_failures_total": (
        'Credentials refused, one per attempt; names that no account has are user="".',
        ("service", "method", "user"),
    ),
    "users_auth_probes_total": (
        "Connections given up before a credential was refused.",
        ("service", "kind"),
    ),
    "users_auth_failures_last_hour": (
        "Refused attempts of the last hour, for the addresses with most of them.",
        ("ip", "network"),
    ),
    "users_escalations_total": (
        "Changes of user by sudo, su, doas or pkexec.",
        ("service", "user", "target", "result"),
    ),
    "users_auth_log_lines_total": (
        "Lines of the auth log by what became of them.",
        ("source", "result"),
    ),
    "users_records_skipped_total": (
        "Records and lines that could not be read, by source and reason.",
        ("source", "reason"),
    ),
    "users_source_available": (
        "1 where the host has the source, 0 where it rightly lacks it.",
        ("source",),
    ),
    "users_records_unusable": (
        "Records of this look that were left out, by source and reason.",
        ("source", "reason"),
    ),
    "users_series_dropped": ("Series left out by a bound, by family.", ("family",)),
    "users_collector_success": ("Whether the collector got all it should, 1 or 0.", ("collector",)),
    "users_collector_duration_seconds": ("What the collector took.", ("collector",)),
    "users_run_timestamp_seconds": (
        "When this look was made, in seconds since the epoch.",
        (),
    ),
    "users_build_info": (
        "The program's version and its Python's; always 1.",
        ("version", "python"),
    ),
}
SESSION_FAMILIES = (
    "users_sessions",
    "users_session_info",
    "users_session_start_timestamp_seconds",
)


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's families.

    Those of sessions are left out where no source of sessions could be read: not known is
    not zero.
    """
    dropped = dict.fromkeys(SESSION_FAMILIES, 0)
    for name, count in snapshot.bounded:
        dropped[name] = dropped.get(name, 0) + count
    if snapshot.sessions is not None:
        yield from _session_families(snapshot, snapshot.sessions, dropped)
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
    yield _gauge(
        "users_series_dropped", [((name,), float(count)) for name, count in dropped.items()]
    )
    yield _gauge(
        "users_collector_success",
        [((collector.name,), float(collector.success)) for collector in snapshot.collectors],
    )
    yield _gauge(
        "users_collector_duration_seconds",
        [((collector.name,), collector.seconds) for collector in snapshot.collectors],
    )
    yield _gauge("users_run_timestamp_seconds", [((), snapshot.now)])
    yield _gauge("users_build_info", [((__version__, _python_version()), 1.0)])


def describe() -> Iterator[Family]:
    """Yield every family of the set without samples, for a registry to know their names."""
    for name in FAMILIES:
        yield _family(name)


def label(text: str) -> str:
    """Return ``text`` as a label value: at most 128 bytes of UTF-8, whole characters."""
    if len(text) * 4 <= MAX_LABEL_BYTES:
        return text
    data = text.encode()
    if len(data) <= MAX_LABEL_BYTES:
        return text
    return data[:MAX_LABEL_BYTES].decode("utf-8", "ignore")


def _session_families(
    snapshot: Snapshot, sessions: tuple[Session, ...], dropped: dict[str, int]
) -> Iterator[Family]:
    yield _gauge("users_logged_in", [((), float(len({session.user for session in sessions})))])
    counts, dropped["users_sessions"] = _sessions_by_user(sessions, snapshot.recent)
    yield _gauge("users_sessions", counts)
    yield _gauge("users_sessions_closing", [((), float(snapshot.closing))])
    newest = sessions[-MAX_SESSIONS:]
    for name in ("users_session_info", "users_session_start_timestamp_seconds"):
        dropped[name] = snapshot.dropped + len(sessions) - len(newest)
    info = {}
    starts = {}
    for session in newest:
        who = (label(session.id), label(session.user), label(session.tty))
        where = (label(session.host), session.ip, session.network)
        info[(*who, session.type, session.service, *where)] = 1.0
        if session.start:  # 0: nobody recorded it
            starts[who] = session.start
    yield _gauge("users_session_info", info.items())
    yield _gauge("users_session_start_timestamp_seconds", starts.items())


def login_families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield what was counted of logins and their ends, boots and records."""
    yield _counter("users_logins_total", snapshot, _open_pairs(snapshot))
    yield _durations(snapshot)
    yield _counter("users_reboots_total", snapshot, [()])
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
    users = ("root", "", *dict.fromkeys(label(one.user) for one in snapshot.sessions or ()))
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
    yield _gauge("users_auth_failures_last_hour", [((ip, ""), counts[ip]) for ip in top])
    yield _counter("users_escalations_total", snapshot, [])
    source = snapshot.auth_log
    lines: dict[tuple[str, ...], float] = (
        {(source, result): 0.0 for result in RESULTS} if source else {}
    )
    yield _counter("users_auth_log_lines_total", snapshot, lines)


def _open_pairs(snapshot: Snapshot) -> list[tuple[str, ...]]:
    pairs: list[tuple[str, ...]] = [(label(one.user), one.type) for one in snapshot.sessions or ()]
    return pairs[-MAX_USERS:]


def _durations(snapshot: Snapshot) -> Family:
    """Return the histogram of ended sessions; counted are those between two bounds each."""
    samples = []
    for type_ in TYPES:
        total = 0.0
        buckets = []
        for bound in (*map(str, BOUNDS), "+Inf"):
            total += snapshot.counters.get((DURATION, type_, bound), 0.0)
            buckets.append((bound, total))
        seconds = snapshot.counters.get((DURATION_SUM, type_), 0.0)
        samples.append(((type_,), buckets, seconds))
    return histogram(DURATION, *FAMILIES[DURATION], samples)


def _counter(name: str, snapshot: Snapshot, zeros: Iterable[tuple[str, ...]]) -> Family:
    """Return a family with what was counted, and with ``zeros`` where nothing was yet."""
    samples = dict.fromkeys(zeros, 0.0)
    for (family_name, *values), count in snapshot.counters.items():
        if family_name == name:
            key = tuple(map(label, values))
            samples[key] = samples.get(key, 0.0) + count
    return family(name, *FAMILIES[name], samples.items())


def _sessions_by_user(
    sessions: tuple[Session, ...], recent: tuple[tuple[str, str], ...]
) -> tuple[list[tuple[tuple[str, str], float]], int]:
    """Return the number of sessions by (user, type), and how many such pairs were left out.

    Of too many users those with the newest sessions are kept.
    """
    counts: dict[tuple[str, str], int] = {}
    for session in sessions:
        pair = label(session.user), session.type
        counts[pair] = counts.get(pair, 0) + 1
    for user, type_ in recent:
        counts.setdefault((label(user), type_), 0)
    newest_first = dict.fromkeys(label(session.user) for session in reversed(sessions))
    newest_first.update(dict.fromkeys(user for user, _ in counts))
    kept = set(list(newest_first)[:MAX_USERS])
    samples = [(pair, float(count)) for pair, count in counts.items() if pair[0] in kept]
    return samples, len(counts) - len(samples)


def _gauge(name: str, samples: Iterable[_Sample]) -> Family:
    return family(name, *FAMILIES[name], samples)


def _family(name: str) -> Family:
    """Return a family of the set without samples."""
    make = histogram if name == DURATION else family
    return make(name, *FAMILIES[name], ())


def _python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))
