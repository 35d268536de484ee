"""The text is byte for byte what prometheus_client makes of the same families."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
    UntypedMetricFamily,
)

from textfile_users.metrics.family import render

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: not name.endswith(("_total", "_created", "_info", "_gsum", "_gcount"))
)
VALUES = st.one_of(st.floats(), st.integers(-(10**20), 10**20).map(float))


def theirs(families: Iterable[Metric]) -> str:
    class Collector:
        def collect(self) -> Iterator[Metric]:
            yield from families

    registry = CollectorRegistry()
    registry.register(Collector())
    # Old releases write three digits from 1e10 on, Go and the new ones two.
    return re.sub(r"(?<=\de\+)0(?=\d\d$)", "", generate_latest(registry).decode(), flags=re.M)


@st.composite
def metric_families(draw: st.DrawFn) -> Metric:
    name, text = draw(NAMES), draw(TEXT)
    labels = draw(st.lists(NAMES.filter(lambda n: n != "le"), max_size=3, unique=True))
    rows = draw(st.lists(st.tuples(st.tuples(*[TEXT for _ in labels]), VALUES, VALUES), max_size=4))
    kind = draw(st.sampled_from(["gauge", "counter", "untyped", "summary", "histogram"]))
    if kind == "summary":
        summary = SummaryMetricFamily(name, text, labels=labels)
        for values, count, total in rows:
            summary.add_metric(values, count, total)
        return summary
    if kind == "histogram":
        histogram = HistogramMetricFamily(name, text, labels=labels)
        for values, count, total in rows:
            histogram.add_metric(values, [("0.5", count), ("+Inf", total)], total)
        return histogram
    family: GaugeMetricFamily | CounterMetricFamily | UntypedMetricFamily
    if kind == "gauge":
        family = GaugeMetricFamily(name, text, labels=labels)
    elif kind == "counter":
        family = CounterMetricFamily(name, text, labels=labels)
    else:
        family = UntypedMetricFamily(name, text, labels=labels)
    for values, value, _ in rows:
        family.add_metric(values, value)
    return family


@given(st.lists(metric_families(), max_size=3))
def test_same_bytes_as_prometheus_client(families: list[Metric]) -> None:
    assert render(families) == theirs(families)


def test_hostile_text_stays_within_its_label() -> None:
    family = GaugeMetricFamily("g", 'a "help"\\\n', labels=["user"])
    family.add_metric(['x"} 1\ng{user="root"} 1\\'], 1)
    assert render([family]) == (
        '# HELP g a "help"\\\\\\n\n# TYPE g gauge\n'
        'g{user="x\\"} 1\\ng{user=\\"root\\"} 1\\\\"} 1.0\n'
    )


@pytest.mark.parametrize(
    "value",
    [
        1e6,
        123_456_789.5,
        1e10,
        1.5e10,
        1e15,
        1e16,
        1.5e300,
        -1e16,
        *map(float, ("inf", "-inf", "nan")),
    ],
)
def test_numbers_are_as_theirs(value: float) -> None:
    """From a million on they have exponents, as Go's."""
    family = GaugeMetricFamily("g", "G.")
    family.add_metric([], value)
    assert render([family]) == theirs([family])
