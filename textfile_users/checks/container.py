"""Whether what is looked at is a whole host: containers without its /run or pid namespace."""

from __future__ import annotations

import os

from textfile_users.checks.finding import FAULT, NOTE, OK, Finding, Host
from textfile_users.record import Record
from textfile_users.sources.procfs import parse_stat, read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.paths import Paths

INITS = (
    "systemd", "init", "openrc-init", "runit", "runit-init", "s6-svscan", "dinit", "busybox",
    "linuxrc", "upstart", "procd", "shepherd", "finit", "launchd",
)  # fmt: skip
MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
SYSTEMD = "systemd"


class Facts(Record):
    """``init`` is process 1's name, '' where the root shows none; ``mark`` what shows a container.

    ``sessions`` is how many entries logind's directory has, -1 where it is not there;
    ``has_runtime`` is whether systemd's other files lie beside it.
    """

    root: str
    init: str
    mark: str
    sessions: int
    has_runtime: bool


def read_init(paths: Paths) -> str:
    """Return the name of process 1, '' where the root does not show it."""
    try:
        return parse_stat(read_file(paths.proc("1/stat")))[0]
    except ValueError:
        return ""


def read_mark() -> str:
    """Return what shows that this process is in a container, '' for nothing."""
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes"
    return next((path for path in MARKS if os.path.exists(path)), "")


def check_container(host: Host) -> Iterator[Finding]:
    """Yield whether the host that is looked at is all there."""
    paths = host.options.paths
    try:
        count = len(os.listdir(paths.logind_sessions()))
    except OSError:
        count = -1
    runtime = ("/run/systemd/system", "/run/systemd/journal", "/run/systemd/seats")
    has_runtime = any(os.path.exists(paths.below(path)) for path in runtime)
    return judge_container(Facts(paths.root, host.init, host.container, count, has_runtime))


def judge_container(facts: Facts) -> Iterator[Finding]:
    """Yield what is missing of the host, or that nothing is."""
    check = "container" if facts.mark or facts.root != "/" else "host"
    mend = _mend(facts.root)
    if facts.init not in INITS:
        name = f"process 1 is {facts.init}" if facts.init else "there is no process 1"
        if check == "host":
            yield Finding(check, NOTE, f"{name}: not a whole host?")
        else:
            yield Finding(check, FAULT, f"{name}: not the host's processes", mend)
    elif facts.init == SYSTEMD and facts.sessions <= 0 and not facts.has_runtime:
        left = "empty" if facts.sessions == 0 else "missing"
        found = f"systemd runs, and /run/systemd/sessions is {left}: not the host's /run"
        yield Finding(check, FAULT, found, mend)
    else:
        where = "" if facts.root == "/" else f" below {facts.root}"
        yield Finding(check, OK, f"a whole host{where}, process 1 is {facts.init}")


def _mend(root: str) -> str:
    below = "/host" if root == "/" else root.rstrip("/")
    mounts = " ".join(f"-v {path}:{below}{path}:ro" for path in ("/run", "/proc", "/var", "/etc"))
    return f"docker run --pid=host {mounts} ... --root {below}"
