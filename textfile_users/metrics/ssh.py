"""The `ssh` set: the number of sessions by remote address (docs/migration.md)."""

from __future__ import annotations

from textfile_users.metrics.family import Family, count_by, gauge, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.snapshot import Snapshot

LOCAL = "localhost"


def families(snapshot: Snapshot) -> Iterator[Family]:
    """Yield the set's family, none where sessions are not known.

    An address from which the last session has ended stays at 0 for five minutes.
    """
    sessions = snapshot.sessions
    if sessions is None:
        return
    counts: dict[tuple[str, ...], float] = {
        (label(written or LOCAL),): 0.0 for _, written, _, _ in snapshot.gone
    }
    counts.update(count_by((session.written or LOCAL,) for session in sessions))
    yield gauge("ssh_num_sessions", "Sessions by remote address.", ("remote_ip",), counts.items())
