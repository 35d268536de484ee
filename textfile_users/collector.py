"""The public collector, for any program that has a prometheus_client registry."""

from __future__ import annotations

import time

from prometheus_client.metrics_core import Metric

from textfile_users import durable
from textfile_users.metrics import users
from textfile_users.metrics.family import Family
from textfile_users.paths import Paths
from textfile_users.snapshot import look
from textfile_users.volatile import NOTHING, remember_sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Collector:
    """Looks at the host whenever a registry collects, and gives the `users` set.

    ``root`` is the directory of the host's file system, ``utmp`` a utmp file other than
    that host's own, ``timeout`` what a look may take in seconds. Counters begin with the first
    scrape. Does not write anything and never raises; what fails shows in
    users_collector_success.

    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> registry.register(Collector())
    """

    def __init__(self, root: str = "/", utmp: str = "", timeout: float = 4.0) -> None:
        """Remember where to look; nothing is read yet."""
        self._paths = Paths(root, utmp)
        self._timeout = timeout
        self._remembered = NOTHING
        self._counted = durable.NOTHING
        self._kept = NOTHING.kept

    def describe(self) -> Iterator[Metric]:
        """Yield the families without samples, so that a registry knows the names."""
        return map(_of_theirs, users.describe())

    def collect(self) -> Iterator[Metric]:
        """Look once and yield the families."""
        now = time.time()
        snapshot = look(self._paths, now, self._timeout, before=self._counted, kept=self._kept)
        self._counted = snapshot.durable or self._counted
        self._kept = snapshot.kept or self._kept
        self._remembered = remember_sessions(self._remembered, snapshot.sessions, now)
        recent = tuple(self._remembered.ended)
        return map(_of_theirs, users.families(snapshot._replace(recent=recent)))


def _of_theirs(family: Family) -> Metric:
    """Return the family as prometheus_client's."""
    metric = Metric(family.name, family.documentation, family.type)
    for sample in family.samples:
        metric.add_sample(*sample)
    return metric
