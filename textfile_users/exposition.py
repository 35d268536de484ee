"""Metric families as text, byte for byte what prometheus_client.generate_latest makes.

Only the classic types, without `_created` samples and time stamps: a file with time
stamps is dropped whole by node_exporter.
"""

from __future__ import annotations

from collections.abc import Iterable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_UNTYPED = {"unknown": "untyped"}


def render(families: Iterable[Metric]) -> str:
    """Return the families in the Prometheus text format 0.0.4."""
    lines = []
    for family in families:
        name = family.name + "_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {_escape(family.documentation)}\n")
        lines.append(f"# TYPE {name} {_UNTYPED.get(family.type, family.type)}\n")
        for sample in family.samples:
            lines.append(f"{sample.name}{_labels(sample.labels)} {go_float(sample.value)}\n")
    return "".join(lines)


def go_float(value: float) -> str:
    """Return ``value`` as Go prints it, which is what prometheus_client writes."""
    value = float(value)
    if value != value:
        return "NaN"
    if value in (_INF, -_INF):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    dot = text.find(".")
    # Go turns to an exponent sooner than Python does.
    if value > 0 and dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+0{dot - 1}"
    return text


_INF = float("inf")


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = sorted(labels.items())
    values = "".join(labels.values())
    if "\\" in values or '"' in values or "\n" in values:
        pairs = [(key, _escape(value).replace('"', '\\"')) for key, value in pairs]
    return "{" + ",".join([f'{key}="{value}"' for key, value in pairs]) + "}"
