"""Where things are: every path of the host comes from here, below one root."""

from __future__ import annotations

import errno
import os

from textfile_users.record import Record


class Paths(Record):
    """The host that is looked at: its root directory, and paths that were given as they are."""

    root: str = "/"
    utmp_given: str = ""
    wtmp_given: str = ""
    btmp_given: str = ""
    auth_logs_given: tuple[str, ...] = ()

    @property
    def is_own_host(self) -> bool:
        """Whether the root is the one this process lives in, so that its pids are ours."""
        return self.root == "/"

    def below(self, path: str) -> str:
        """Return the absolute ``path`` as it is found below the root."""
        return path if self.root == "/" else self.root.rstrip("/") + path

    def require_inside(self, path: str) -> None:
        """Raise OSError where links lead from ``path``, below another root, out of that root.

        The owner of a container or image may have put them there.
        """
        if self.is_own_host:
            return
        root = _real_roots.get(self.root)
        if root is None:
            root = _real_roots[self.root] = _real_root(self.root)
        if not root:
            self._follow(path, rooted=False)
        elif not f"{os.path.realpath(path)}/".startswith(root.rstrip("/") + "/"):
            raise OSError(errno.ELOOP, OUTSIDE, path)

    def resolved(self, path: str) -> str:
        """Return ``path`` without links below another root, followed as a process in it would.

        Raises OSError where they lead out of it.
        """
        if self.is_own_host:
            return path
        return self._follow(path, rooted=True)

    def _in_tree(self, path: str) -> str:
        """Return where a file lies whose links are followed as a process in the root would.

        One that they lead out of the root is left as it is, and refused when it is read.
        """
        path = self.below(path)
        try:
            return self.resolved(path)
        except OSError:
            return path

    def _follow(self, path: str, rooted: bool) -> str:
        """Return where the links below the root lead; absolute ones begin there, or are refused.

        The root itself is taken as it is: /proc/PID/root is not what its text says.
        """
        root = self.root.rstrip("/")
        left = path[len(root) + 1 :].split("/")[::-1]
        done: list[str] = []
        links = 0
        while left:
            name = left.pop()
            if name in ("", "."):
                continue
            done.append(name)
            target = "" if name == ".." else _target(f"{root}/{'/'.join(done)}")
            links += target != ""
            is_out = (name == ".." and len(done) < 2) or (target.startswith("/") and not rooted)
            if is_out or links > MAX_LINKS:
                raise OSError(errno.ELOOP, OUTSIDE, path)
            if name == "..":
                del done[-2:]
            elif target:
                done = [] if target.startswith("/") else done[:-1]
                left += target.split("/")[::-1]
                if target.startswith("/") and not os.path.lexists(root + target):
                    raise OSError(errno.ELOOP, "leads nowhere below the root", path)
        return f"{root}/{'/'.join(done)}"

    def utmp(self) -> str:
        """Return the utmp file: the given one, /run/utmp, or /var/run/utmp of old hosts."""
        if self.utmp_given:
            return self.utmp_given
        run = self.below("/run/utmp")
        # A link /var/run -> /run would lead from another root into our own.
        if not os.path.lexists(run) and not os.path.islink(self.below("/var/run")):
            old = self.below("/var/run/utmp")
            if os.path.lexists(old):
                return old
        return run

    def logind_sessions(self) -> str:
        """Return the directory of logind's session files."""
        return self.below("/run/systemd/sessions")

    def auth_logs(self) -> tuple[str, ...]:
        """Return the auth logs: those given, else where distributions have the one."""
        return self.auth_logs_given or tuple(map(self._in_tree, AUTH_LOGS))

    def wtmp(self) -> str:
        """Return the wtmp file: the given one, else /var/log/wtmp."""
        return self.wtmp_given or self._in_tree("/var/log/wtmp")

    def btmp(self) -> str:
        """Return the btmp file: the given one, else /var/log/btmp."""
        return self.btmp_given or self._in_tree("/var/log/btmp")

    def wtmpdb(self) -> str:
        """Return wtmpdb's database."""
        return self.below("/var/lib/wtmpdb/wtmp.db")

    def lastlog(self) -> str:
        """Return the lastlog file."""
        return self._in_tree("/var/log/lastlog")

    def lastlog2(self) -> str:
        """Return lastlog2's database."""
        return self.below("/var/lib/lastlog/lastlog2.db")

    def proc(self, name: str) -> str:
        """Return /proc/``name``."""
        return self.below("/proc/" + name)

    def sys(self, name: str) -> str:
        """Return /sys/``name``."""
        return self.below("/sys/" + name)


# Debian and Ubuntu; Fedora, EPEL and openSUSE; Arch and others, and where a syslogd was told.
AUTH_LOGS = ("/var/log/auth.log", "/var/log/secure", "/var/log/messages")

# Each root without links in it, '' where it has a name of its own only: worked out once, and
# asked for with each source.
_real_roots: dict[str, str] = {}
MAX_LINKS = 40  # as the kernel follows, see path_resolution(7)
OUTSIDE = "leads out of the root"


def _real_root(root: str) -> str:
    """Return a root without links in it, '' for /proc/PID/root and the like.

    Their text is another directory, or the same with other mounts.
    """
    real = os.path.realpath(root)
    try:
        is_same = os.path.samefile(real, root)
    except OSError:
        is_same = True  # it is not there under any name
    is_magic = real == "/" or os.path.abspath(root).startswith("/proc/") or not is_same
    return "" if is_magic else real


def _target(path: str) -> str:
    """Return the text of a link, '' for what is none."""
    try:
        return os.readlink(path)
    except OSError:
        return ""


# Of the machine that runs us, whatever root is looked at.
BOOT_ID = "/proc/sys/kernel/random/boot_id"


# Who runs the program where it is installed.
SERVICE_USER = "textfile-users"
SERVICE_UNIT = "textfile-users.service"

# In memory: the volatile state, closed to others, and the file where a link in the textfile
# directory leads to it.
RUN = "/run/textfile-users"
PRIVATE = f"{RUN}/private"
PUBLIC = f"{RUN}/public"

# The file that is written to a textfile directory, or to where install's link leads.
OUTPUT_NAME = "users.prom"
LINKED_OUTPUT = f"{PUBLIC}/{OUTPUT_NAME}"

# What keyed hashes are made with: this program's own, whatever root is looked at.
REDACT_KEY = "/etc/textfile-users/redact.key"


# Where the service keeps its state, and root without a service.
STATE = "/var/lib/textfile-users"


def link_text(directory: str, path: str) -> str:
    """Return the text of a link in ``directory``, which has no links on its way, to ``path``.

    It climbs to / also where both are below /run: a container may have the directory elsewhere.
    """
    depth = len([name for name in directory.split("/") if name])
    return "../" * depth + path[1:]


def leads_to_linked(target: str) -> bool:
    """Return whether the text of a link is install's: relative, so true in any view of the host."""
    return target.lstrip("./") == LINKED_OUTPUT[1:]


def state_directories(state: str | None, runtime: str | None) -> tuple[str, str]:
    """Return the directories of the durable and of the volatile state.

    They are ``state`` and ``runtime`` where given, else $STATE_DIRECTORY and $RUNTIME_DIRECTORY,
    else root's or those below the home. A state directory that is given, either way, serves for
    the volatile state too unless its own is given: that carries the boot id.
    """
    state = state or os.environ.get("STATE_DIRECTORY")
    runtime = runtime or os.environ.get("RUNTIME_DIRECTORY")
    if state:
        return state, runtime or state
    if os.geteuid() == 0:
        return STATE, runtime or PRIVATE
    state = _xdg_state_directory()
    xdg = os.environ.get("XDG_RUNTIME_DIR")
    return state, runtime or (os.path.join(xdg, "textfile-users") if xdg else state)


def _xdg_state_directory() -> str:
    given = os.environ.get("XDG_STATE_HOME")
    home = os.path.expanduser("~")
    if home == "~":  # neither $HOME nor an account: said when it cannot be made
        home = "/nonexistent"
    return os.path.join(given or os.path.join(home, ".local/state"), "textfile-users")


# Debian and Ubuntu; Fedora, EPEL, Arch and openSUSE in the order of how specific they are.
TEXTFILE_DIRECTORIES = (
    "/var/lib/prometheus/node-exporter",
    "/var/lib/node_exporter/textfile_collector",
    "/var/lib/node_exporter",
)


def default_textfile_directory() -> str:
    """Return $TEXTFILE_DIRECTORY, else the distribution's, else ''."""
    given = os.environ.get("TEXTFILE_DIRECTORY")
    if given:
        return given
    return next((path for path in TEXTFILE_DIRECTORIES if os.path.isdir(path)), "")
