"""The public collector, for any program that has a prometheus_client registry."""

from __future__ import annotations

import time

from prometheus_client.metrics_core import Metric

from textfile_users.collecting import AUTH, Wanted
from textfile_users.counting import DURATION
from textfile_users.memory import NOTHING
from textfile_users.metrics import SETS, SSH_SESSIONS, USER_SESSIONS, USERS, families_of, users
from textfile_users.metrics.family import Family, family, histogram
from textfile_users.paths import Paths
from textfile_users.scan import scan
from textfile_users.snapshot import CollectorReport, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Collector:
    """Looks at the host whenever a registry collects, and gives metric sets.

    ``root`` is the directory of the host's file system, ``utmp`` a utmp file other than
    that host's own, ``timeout`` what a scan may take in seconds, ``sets`` the names of sets as
    `--metrics` has them. Counters begin with the first scrape. Does not write anything and never
    raises; what fails shows in users_collector_success.

    >>> from prometheus_client import CollectorRegistry
    >>> registry = CollectorRegistry()
    >>> registry.register(Collector())
    """

    def __init__(
        self,
        root: str = "/",
        utmp: str = "",
        timeout: float = 4.0,
        sets: tuple[str, ...] = (USERS,),
    ) -> None:
        """Remember where to look; nothing is read yet. Raises ValueError for unknown sets."""
        unknown = set(sets).difference(SETS)
        if unknown:
            raise ValueError(f"no metric sets: {', '.join(sorted(unknown))}")
        self._paths = Paths(root, utmp)
        self._timeout = timeout
        self._sets = sets
        self._wanted = Wanted(commands=SSH_SESSIONS in sets, system_users=USER_SESSIONS in sets)
        self._memory = NOTHING

    def describe(self) -> Iterator[Metric]:
        """Yield the families without samples, so that a registry knows the names."""
        for name in self._sets:
            empty = _of_users() if name == USERS else families_of(name, EVERYTHING)
            yield from (_of_theirs(one._replace(samples=[])) for one in empty)

    def collect(self) -> Iterator[Metric]:
        """Scan once and yield the families."""
        snapshot, self._memory = scan(
            self._paths, time.time(), self._wanted, self._memory, self._timeout
        )
        for name in self._sets:
            yield from map(_of_theirs, families_of(name, snapshot))


# A host of which all is known, and nothing is there.
EVERYTHING = Snapshot(
    0.0,
    (),
    collectors=(CollectorReport(AUTH, True, 0.0),),
    auth_log="authlog",
    connections=(),
    accounts=(),
    cpu_ratios={},
    usages={},
)


def _of_users() -> Iterator[Family]:
    """Yield every family of the set, also those that come only with something to tell."""
    for name, about in users.FAMILIES.items():
        yield (histogram if name == DURATION else family)(name, *about, ())


def _of_theirs(made: Family) -> Metric:
    """Return the family as prometheus_client's."""
    metric = Metric(made.name, made.documentation, made.type)
    for sample in made.samples:
        metric.add_sample(*sample)
    return metric
