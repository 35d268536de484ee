"""Metric families as plain records, with the attributes of prometheus_client's.

Importing prometheus_client's own costs as much as starting Python does; the public collector
makes them of these (collector.py), and the text is made of either (exposition.py).
"""

from __future__ import annotations

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAUGE = "gauge"
COUNTER = "counter"
HISTOGRAM = "histogram"


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
    made = [Sample(name, dict(zip(labels, values)), value) for values, value in sorted(samples)]
    if name.endswith("_total"):
        return Family(name[: -len("_total")], documentation, COUNTER, made)
    return Family(name, documentation, GAUGE, made)


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
        made += [Sample(f"{name}_bucket", {**of, "le": le}, count) for le, count in buckets]
        made.append(Sample(f"{name}_count", of, buckets[-1][1]))
        made.append(Sample(f"{name}_sum", of, total))
    return Family(name, documentation, HISTOGRAM, made)
