"""Metric families as plain records, with the attributes of prometheus_client's.

Importing prometheus_client's own costs as much as starting Python does; the public collector
makes them of these (collector.py), and the text is made of either (exposition.py).
"""

from __future__ import annotations

from textfile_users.record import Record, quick
from textfile_users.sources.text import label as label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

GAUGE = "gauge"
COUNTER = "counter"
HISTOGRAM = "histogram"

MAX_USERS = 1_000


class Sample(Record):
    """A value with its labels by name; ``name`` is the family's, with what the type adds."""

    name: str
    labels: dict[str, str]
    value: float


class Family(Record):
    """A family and its samples; the ``name`` of a counter is without `_total`, as theirs is."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


def family(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Family:
    """Return a gauge, or a counter where ``name`` ends in _total, with the samples sorted."""
    made = gauge(name, documentation, labels, samples)
    if name.endswith("_total"):
        return made._replace(name=name[: -len("_total")], type=COUNTER)
    return made


def gauge(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Family:
    """Return a gauge with the samples sorted, whatever its ``name`` ends in."""
    made = [
        quick(Sample, (name, dict(zip(labels, values)), value)) for values, value in sorted(samples)
    ]
    return Family(name, documentation, GAUGE, made)


def uid_label(uid: int) -> str:
    """Return a uid as a label value, '' where it is not to be known (-1)."""
    return str(uid) if uid >= 0 else ""


def count_by(keys: Iterable[tuple[str, ...]]) -> list[tuple[tuple[str, ...], float]]:
    """Return a sample for each of ``keys``, made label values, with how often it is there."""
    counts: dict[tuple[str, ...], float] = {}
    for key in keys:
        labels = tuple(map(label, key))
        counts[labels] = counts.get(labels, 0.0) + 1.0
    return list(counts.items())


def by_user(
    values: Mapping[str, float], root: str
) -> tuple[list[tuple[tuple[str, ...], float]], int]:
    """Return a sample a user, and how many users were left out: those with least, never root.

    First of all those without a name, of whom a user may have 65,536, see subuid(5).
    """
    names = sorted(values, key=lambda user: (user != root, user.isdigit(), -values[user]))
    by_label: dict[tuple[str, ...], float] = {}
    for user in names[:MAX_USERS]:
        by_label[(label(user),)] = by_label.get((label(user),), 0.0) + values[user]
    return list(by_label.items()), max(0, len(names) - MAX_USERS)


def histogram(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], Sequence[tuple[str, float]], float]],
) -> Family:
    """Return a histogram of (label values, cumulated buckets by their bounds, sum), sorted."""
    made = []
    for values, buckets, total in sorted(samples):
        of = dict(zip(labels, values))
        bucket = f"{name}_bucket"
        made += [quick(Sample, (bucket, {**of, "le": le}, count)) for le, count in buckets]
        made.append(Sample(f"{name}_count", of, buckets[-1][1]))
        made.append(Sample(f"{name}_sum", of, total))
    return Family(name, documentation, HISTOGRAM, made)
