"""What a check finds, and what every check is told."""

from __future__ import annotations

from shlex import quote as quote

from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from textfile_users.checks.child import Identity
    from textfile_users.collect import Options
    from textfile_users.node_exporter import NodeExporter

OK = "ok"
NOTE = "note"
FAULT = "FAULT"

UNIT_USER = "textfile-users"
SETTINGS = "/etc/default/textfile-users"
TIMER = "textfile-users.timer"
SERVICE = "textfile-users.service"
INSTALL = "textfile-users install"
LAST_WORDS = "journalctl -t textfile-users -n 5"
# Says of all that is seen why it counts, with a state of its own: the runs' is to stay theirs.
EXPLAIN = (
    "D=$(mktemp -d); textfile-users -vv --output - --state-directory $D --runtime-directory $D "
    ">/dev/null"
)


class Finding(Record):
    """What one check says: ``mend`` is a command, '' where there is nothing to mend."""

    check: str
    status: str
    found: str
    mend: str = ""


class Seen(Record):
    """What a look as the unit's user found.

    ``sources`` has by name a status and the faults told, ``failed`` the collectors that got less
    than they should, ``sessions`` the id and user of each. ``closing`` counts logind's ghosts.
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

    ``identity`` is who the runs are; ``values`` are the settings; ``running`` the names of
    the processes; ``init`` is the name of process 1, '' where none is seen; ``container`` says what
    shows that this is one. ``exporters`` are the node_exporters that run.
    """

    options: Options
    identity: Identity
    now: float
    values: Mapping[str, str] = {}
    running: frozenset[str] = frozenset()
    init: str = ""
    is_systemd: bool = False
    container: str = ""
    exporters: tuple[NodeExporter, ...] = ()
    seen: Seen | None = None


def option_command(values: Mapping[str, str], words: str) -> str:
    """Return the command that adds ``words`` to the options in the settings file."""
    if "OPTIONS" in values:
        return f"sed -i 's/^OPTIONS=\"/&{words} /' {SETTINGS}"
    return f"echo 'OPTIONS=\"{words}\"' >>{SETTINGS}"


def age(seconds: float) -> str:
    """Return a span of time in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
