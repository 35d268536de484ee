"""Who is logged in, from where and since when, as Prometheus metrics.

``Collector`` can be registered in any ``prometheus_client.CollectorRegistry``; the
command line is in ``textfile_users.cli``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.collector import Collector as Collector

__version__ = "0.1.0"
__all__ = ["Collector", "__version__"]


def __getattr__(name: str) -> object:
    """Import ``Collector`` when it is asked for: the command line never is."""
    if name == "Collector":
        from textfile_users.collector import Collector

        return Collector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
