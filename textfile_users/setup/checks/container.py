"""Whether what is looked at is a whole host: containers without its /run or pid namespace."""

from __future__ import annotations

import os

from textfile_users.record import Record
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

INITS = (
    "systemd", "init", "openrc-init", "runit", "runit-init", "s6-svscan", "dinit", "busybox",
    "linuxrc", "upstart", "procd", "shepherd", "finit", "launchd",
)  # fmt: skip
MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
CONTAINER = "container"
SYSTEMD = "systemd"
# No command of this machine can add a mount to a container.
MEND = "# run it with --root and the mounts of docs/deploy.md, Containers"


class ContainerFacts(Record):
    """``init`` is process 1's name, '' where the root shows none; ``mark`` what shows a container.

    ``has_sessions`` is whether logind's directory is there. ``is_hidden`` is whether processes of
    others may be hidden from this one.
    """

    root: str
    init: str
    mark: str
    has_sessions: bool
    is_hidden: bool = False


def read_mark() -> str:
    """Return what shows that this process is in a container, '' for nothing."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes"
    return next((path for path in MARKS if os.path.exists(path)), "")


def hides_processes(host: Host) -> bool:
    """Return whether the kernel hides other users' processes from this one (hidepid=)."""
    return not host.init and os.geteuid() != 0 and host.options.paths.is_own_host


def check_container(host: Host) -> Iterator[CheckResult]:
    """Yield whether the host that is looked at is all there."""
    paths = host.options.paths
    has_sessions = os.path.isdir(paths.logind_sessions())
    is_hidden = hides_processes(host)
    return judge_container(
        ContainerFacts(paths.root, host.init, host.container, has_sessions, is_hidden)
    )


def judge_container(facts: ContainerFacts) -> Iterator[CheckResult]:
    """Yield what is missing of the host, or that nothing is."""
    check = CONTAINER if facts.mark or facts.root != "/" else "host"
    if facts.is_hidden:
        yield CheckResult(
            check, NOTE, "the processes of others are hidden from this user: hidepid="
        )
    elif facts.init not in INITS:
        name = f"process 1 is {facts.init}" if facts.init else "there is no process 1"
        if check == "host":
            yield CheckResult(check, NOTE, f"{name}: not a whole host?")
        else:
            yield CheckResult(check, FAULT, f"{name}: not the host's processes", MEND)
    elif facts.init == SYSTEMD and check == CONTAINER and not facts.has_sessions:
        found = "systemd runs, and /run/systemd/sessions is missing: not the host's"
        yield CheckResult(check, FAULT, found, MEND)
    else:
        where = "" if facts.root == "/" else f" below {facts.root}"
        yield CheckResult(check, OK, f"a whole host{where}, process 1 is {facts.init}")
