"""What a check finds, and what every check is told."""

from __future__ import annotations

from textfile_users.product import SERVICE as SERVICE
from textfile_users.product import STARTERS
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textfile_users.run import Options
    from textfile_users.setup.checks.child import Identity
    from textfile_users.setup.node_exporter import NodeExporter

OK = "ok"
NOTE = "note"
FAULT = "FAULT"

TIMER, PATH_UNIT = STARTERS


class CheckResult(Record):
    """What one check says: ``mend`` is a command, '' where there is nothing to mend."""

    check: str
    status: str
    found: str
    mend: str = ""


class Seen(Record):
    """What a scan as the unit's user found.

    ``sources`` has by name a status and the faults told, ``failed`` the collectors that got less
    than they should, ``sessions`` the id and user of each.
    """

    sources: Mapping[str, tuple[str, tuple[str, ...]]]
    failed: tuple[str, ...]
    faults: tuple[str, ...]
    sessions: tuple[tuple[str, str], ...] | None
    auth_log: str
    collectors: int = 0
    seconds: float = 0.0


class Host(Record):
    """What checks go on: the options of the runs, and what was found out once for all.

    ``identity`` is who the runs are, and ``has_rights`` whether this process has their rights;
    without them only what any user can tell of the runs is judged. ``values`` are the settings;
    ``running`` the names of the processes; ``init`` is the name of process 1, '' where none is
    seen; ``container`` says what shows that this is one. ``runs_by_timer`` is whether systemd's
    timer starts the runs, or would after install, and ``interval`` how far apart they are, in
    seconds. ``awaits_scan`` is whether the first scan since install or boot is still to come.
    ``is_installed`` is whether anything of ours is there. ``exporters`` are the node_exporters that
    run.
    """

    options: Options
    identity: Identity
    now: float
    has_rights: bool = True
    values: Mapping[str, str] = {}
    running: frozenset[str] = frozenset()
    init: str = ""
    is_systemd: bool = False
    runs_by_timer: bool = False
    interval: float = 5.0
    awaits_scan: bool = False
    is_installed: bool = True
    container: str = ""
    exporters: tuple[NodeExporter, ...] = ()
    seen: Seen | None = None


def gravest(check: str, faults: Iterable[tuple[object, str, str]]) -> CheckResult | None:
    """Return the first fault that is so; each is whether it is so, what is told, and the fix."""
    return next((CheckResult(check, FAULT, *told) for is_so, *told in faults if is_so), None)


def age(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
