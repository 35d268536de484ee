"""Metric families as text, byte for byte what prometheus_client.generate_latest makes.

Only the classic types, without `_created` samples and time stamps: a file with time
stamps is dropped whole by node_exporter.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from textfile_users.metrics.family import Family

# From here on releases of prometheus_client differ.
LARGE = 1e10
_UNTYPED = {"unknown": "untyped"}


def render(families: Iterable[Family | Metric]) -> str:
    """Return the families, ours or prometheus_client's, in the Prometheus text format 0.0.4."""
    lines = []
    for family in families:
        name = family.name + "_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {_escape(family.documentation)}\n")
        lines.append(f"# TYPE {name} {_UNTYPED.get(family.type, family.type)}\n")
        for sample in family.samples:
            lines.append(f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}\n")
    return "".join(lines)


def _number(value: float) -> str:
    """Return a number as Go prints it, which turns to exponents sooner than Python."""
    if -LARGE < value < 1e6:
        return repr(float(value))
    if not 1e6 <= value < LARGE:
        return _their_number()(value)
    whole, _, rest = repr(float(value)).partition(".")
    mantissa = f"{whole[0]}.{whole[1:]}{rest}".rstrip("0.")
    return f"{mantissa}e+{len(whole) - 1:02d}"


def _their_number() -> Callable[[float], str]:
    """Return prometheus_client's own function, imported without the package's ``__init__``.

    That would load an HTTP server, ssl and urllib. A stand-in for the package is in place only
    during the import, so that another one gets the real package.
    """
    import sys

    if "prometheus_client" not in sys.modules:
        specs = (finder.find_spec("prometheus_client", None) for finder in sys.meta_path)
        spec = next(filter(None, specs), None)
        if spec is not None and spec.submodule_search_locations is not None:
            package = type(sys)("prometheus_client")
            package.__path__ = spec.submodule_search_locations
            sys.modules["prometheus_client"] = package
            try:
                import prometheus_client.utils  # noqa: F401 - stays in sys.modules
            finally:
                del sys.modules["prometheus_client"]
    from prometheus_client.utils import floatToGoString

    return floatToGoString


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
