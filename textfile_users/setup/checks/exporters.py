"""Whether a node_exporter, or Grafana Alloy, runs that can serve the file."""

from __future__ import annotations

import os

from textfile_users.paths import (
    SERVICE_USER,
)
from textfile_users.setup.checks.child import Identity
from textfile_users.setup.checks.container import hides_processes
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host
from textfile_users.setup.fixes import (
    installed_service,
    package,
    service,
)
from textfile_users.setup.node_exporter import FIRST_USER, NOBODY, read_ids_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.setup.node_exporter import NodeExporter


ALLOY = "Grafana Alloy"
EXPORTERS = ("prometheus-node-exporter", "node_exporter", "node-exporter")
NO_PACKAGE = "# install node_exporter: https://prometheus.io/download/#node_exporter"


def usable(host: Host) -> tuple[NodeExporter, ...]:
    """Return the node_exporters that a system's user runs here.

    Only root is told what they run; others act on nothing, so the user is enough for them.
    """
    is_root = os.geteuid() == 0
    return tuple(
        one for one in host.exporters if one.trusted or (not is_root and _is_systems_user(one))
    )


def _is_systems_user(exporter: NodeExporter) -> bool:
    is_asked = exporter.user != SERVICE_USER and 0 <= exporter.uid < FIRST_USER
    return is_asked and bool(exporter.directories or not exporter.config)


def check_exporters(host: Host) -> Iterator[CheckResult]:
    """Yield the node_exporters that run, and why those that do not count do not."""
    if not host.options.paths.is_own_host:
        return  # those that run here say nothing of another host's
    trusted = usable(host)
    for one in host.exporters:
        status, said = NOTE, f" is not believed: {one.why}"
        if one.config and not one.directories:
            said = f": {ALLOY}: {one.why}"
        elif one in trusted:
            status, said = OK, f": {ALLOY}, by {one.config}" if one.config else f", on {one.listen}"
        yield CheckResult("node_exporter", status, f"pid {one.pid} of {one.user}{said}")
    # Alloy that serves no textfiles may be there for something else.
    if [one for one in host.exporters if one.directories or not one.config] and not trusted:
        yield CheckResult("node_exporter", NOTE, "none that can be believed: none is asked")
    elif hides_processes(host):
        yield CheckResult("node_exporter", NOTE, "none is seen: other users' processes are hidden")
    elif not trusted:
        status = NOTE if host.container else FAULT
        mend = "" if status == NOTE else _start_exporter(host.is_systemd)
        yield CheckResult("node_exporter", status, "none runs here", mend)


def _start_exporter(is_systemd: bool) -> str:
    if installed_service(EXPORTERS):
        return service("start", EXPORTERS, is_systemd)
    return package(EXPORTERS[0], ("apt-get", "pacman", "apk")) or NO_PACKAGE


def exporter_identity(host: Host, exporter: NodeExporter) -> Identity:
    """Return as whom a node_exporter reads, with the groups that the kernel says it has."""
    gids, groups = (
        read_ids_of(host.options.paths, exporter.pid, name) for name in ("Gid", "Groups")
    )
    gid = gids[1] if gids else NOBODY
    return Identity(exporter.user, exporter.uid, gid, (gid, *groups))


def is_served(path: str, name: str, flags: tuple[str, ...]) -> bool:
    """Return whether a flag names the directory, or one with a link to the file in it."""
    output = os.path.realpath(os.path.join(path, name))
    for flag in flags:
        if os.path.realpath(path) == os.path.realpath(flag):
            return True
        linked = os.path.join(flag, name)
        if os.path.islink(linked) and os.path.realpath(linked) == output:
            return True
        if os.path.isdir(flag) and not os.access(flag, os.X_OK):
            return True  # it may: this user cannot see what is in it
    return False
