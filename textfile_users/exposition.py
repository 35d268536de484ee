"""Metric families as text, byte for byte what prometheus_client.generate_latest makes.

Only the classic types, without `_created` samples and time stamps: a file with time
stamps is dropped whole by node_exporter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.utils import floatToGoString

TYPE_CHECKING = False
if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_number: Callable[[float], str] = floatToGoString
_UNTYPED = {"unknown": "untyped"}


def render(families: Iterable[Metric]) -> str:
    """Return the families in the Prometheus text format 0.0.4.

    Numbers are printed by prometheus_client itself: its releases differ for large ones.
    """
    lines = []
    for family in families:
        name = family.name + "_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {_escape(family.documentation)}\n")
        lines.append(f"# TYPE {name} {_UNTYPED.get(family.type, family.type)}\n")
        for sample in family.samples:
            lines.append(f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}\n")
    return "".join(lines)


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
