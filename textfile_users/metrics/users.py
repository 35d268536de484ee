"""The `users` set: the project's own metrics (docs/metrics.md)."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from textfile_users import __version__
from textfile_users.model import ABSENT, Session, Snapshot
from textfile_users.sessions import MAX_SESSIONS

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


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield the set's families.

    Those of sessions are left out where no source of sessions could be read: not known is
    not zero.
    """
    dropped = dict.fromkeys(SESSION_FAMILIES, 0)
    if snapshot.sessions is not None:
        yield from _session_families(snapshot, snapshot.sessions, dropped)
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


def describe() -> Iterator[Metric]:
    """Yield every family of the set without samples, for a registry to know their names."""
    for name in FAMILIES:
        yield _gauge(name, [])


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
) -> Iterator[Metric]:
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


def _sessions_by_user(
    sessions: tuple[Session, ...], recent: tuple[tuple[str, str], ...]
) -> tuple[list[tuple[tuple[str, str], float]], int]:
    """Return the number of sessions by (user, type), and how many such pairs were left out.

    Of too many users those with the newest sessions are kept.
    """
    counts = Counter((label(session.user), session.type) for session in sessions)
    for user, type_ in recent:
        counts.setdefault((label(user), type_), 0)
    newest_first = dict.fromkeys(label(session.user) for session in reversed(sessions))
    newest_first.update(dict.fromkeys(user for user, _ in counts))
    kept = set(list(newest_first)[:MAX_USERS])
    samples = [(pair, float(count)) for pair, count in counts.items() if pair[0] in kept]
    return samples, len(counts) - len(samples)


def _gauge(name: str, samples: Iterable[_Sample]) -> GaugeMetricFamily:
    help_text, labels = FAMILIES[name]
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for values, value in sorted(samples):
        family.add_metric(values, value)
    return family


def _python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))
