"""A step: one command, or one file to write. What is printed is what is done."""

from __future__ import annotations

import os
import shlex
import signal
import time
from zipfile import BadZipFile

from textfile_users.console import WARNING, say
from textfile_users.paths import Paths
from textfile_users.processes.procfs import read_file
from textfile_users.product import USER
from textfile_users.reading.files import reason
from textfile_users.record import Record
from textfile_users.setup.checks.child import TOOLS, error_lines, run_command
from textfile_users.setup.giving import give_directory, give_files, read_ids
from textfile_users.setup.links import make_link, put_link, remove_empty, remove_link
from textfile_users.setup.system import host_pids
from textfile_users.setup.unpack import unpack
from textfile_users.writer import write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNPACK = "unpack"
WRITE = "write"
END = "end"
MAKE_LINK = "make link"
PUT_LINK = "put link"
REMOVE_LINK = "remove link"
REMOVE_EMPTY = "remove empty"
AS_USER = "as our user"
GIVE = "give"
GIVE_FILES = "give files"
SETPRIV = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups")


class Step(Record):
    """``words`` are a command's, or of WRITE and the other kinds above.

    WRITE takes a path and the mode; ``text`` is the content. UNPACK takes a one-file build, the
    root and the environment that it becomes. END takes the user whose processes are to end.
    MAKE_LINK takes a path, where it is to lead, and where it leads now; PUT_LINK a path, where a
    link is put in place of anything, and where it is to lead; REMOVE_LINK a path and
    where it leads; REMOVE_EMPTY a directory; GIVE a directory, owner ('' stays), group (each our
    user's or a number) and mode; GIVE_FILES a directory whose files become our user's: these have
    the host's own paths, without the root. AS_USER takes a command.
    """

    words: tuple[str, ...]
    text: str = ""


class StepFailed(Exception):
    """A step could not be done: its text is why."""


def command(*words: str) -> Step:
    """Return the step that runs a command."""
    return Step(words)


def write(path: str, text: str, mode: str = "644") -> Step:
    """Return the step that writes a file whole; ``mode`` is octal."""
    return Step((WRITE, path, mode), text)


def shell(step: Step, root: str = "/") -> str:
    """Return the step as a command for a shell, on the host below ``root``."""
    kind, *rest = step.words
    if kind == WRITE:
        path, mode = (shlex.quote(word) for word in rest)
        return f"cat >{path} <<'END' && chmod {mode} {path}\n{step.text}END"
    if kind == UNPACK:
        return "# unpack " + " ".join(map(shlex.quote, rest)) + ": makes an environment"
    if kind in (MAKE_LINK, PUT_LINK, REMOVE_LINK, REMOVE_EMPTY):
        return _shell_link(kind, *rest, root=root)
    if kind == AS_USER:
        return shlex.join((*SETPRIV, *rest))
    if kind == END:
        kill = "[ ! /proc/$pid/root/. -ef / ] || kill -KILL $pid"
        return f"for pid in $(pgrep -U {rest[0]}); do {kill}; done"
    if kind in (GIVE, GIVE_FILES):
        return _shell_give(kind, *rest, root=root)
    return shlex.join(step.words)


def _shell_link(kind: str, path: str, *targets: str, root: str) -> str:
    there = Paths(root).below(path)
    quoted = shlex.quote(there)
    if kind == REMOVE_EMPTY:
        return f"rmdir --ignore-fail-on-non-empty {quoted}"
    if kind == REMOVE_LINK:
        return f"rm -f {quoted}"
    link = f"ln -sfn {shlex.quote(targets[0])} {quoted}"
    if kind == PUT_LINK:
        return link
    return f"mkdir -p {shlex.quote(os.path.dirname(there))} && {link}"


def _shell_give(kind: str, path: str, *rights: str, root: str) -> str:
    quoted = shlex.quote(Paths(root).below(path))
    if kind == GIVE_FILES:
        both = f"{_name(USER, root, 'passwd')}:{_name(USER, root, 'group')}"
        return f"find {quoted} -type f -user root -links 1 -exec chown {both} {{}} +"
    owner, group, mode = rights
    both = f"chown {_name(owner, root, 'passwd')}:" if owner else "chgrp "
    return f"{both}{_name(group, root, 'group')} {quoted} && chmod {mode} {quoted}"


def _name(name: str, root: str, file: str) -> str:
    """Return what a shell takes for a user or group: of our own in an image the number there."""
    if name != USER or root == "/":
        return name
    return f'"$(grep ^{USER}: {shlex.quote(f"{root}/etc/{file}")} | cut -d: -f3)"'


def do(step: Step, root: str) -> None:
    """Do the step on the host below ``root``. Raises StepFailed."""
    kind, *rest = step.words
    try:
        if kind == WRITE:
            write_whole(rest[0], step.text.encode(), int(rest[1], 8))
        elif kind in _DONE_HERE:
            _DONE_HERE[kind](root, *rest)
        else:
            _run(step.words)
    except OSError as error:
        raise StepFailed(
            ": ".join(filter(None, (error.filename, error.strerror or str(error))))
        ) from None
    except (ValueError, BadZipFile) as error:
        raise StepFailed(str(error)) from None


def _link(root: str, path: str, target: str, old: str) -> None:
    """Make a link. Nothing rests on it, so that install goes on where that cannot be done."""
    try:
        make_link(root, path, target, old)
    except OSError as error:
        say(WARNING, f"{path}: no link is made: {reason(error)}; {target} works without")


def _run(words: tuple[str, ...]) -> None:
    environment = {**os.environ, "LC_ALL": "C", "PATH": TOOLS}
    done = run_command(words, environment, is_read=False, cwd="/")
    if done.returncode:
        said = [line.strip() for line in error_lines(done) if line.strip()]
        raise StepFailed(said[-1] if said else f"status {done.returncode}")


def _end_processes(uid: int) -> None:
    """Kill the host's processes of ``uid``, and wait until they are gone. Raises StepFailed."""
    if uid <= 0:
        return
    for _ in range(100):
        running = 0
        for pid in host_pids():
            try:
                is_theirs = os.stat(f"/proc/{pid}").st_uid == uid
                # What has ended and is not reaped yet has no command line.
                if is_theirs and read_file(f"/proc/{pid}/cmdline"):
                    os.kill(pid, signal.SIGKILL)
                    running += 1
            except OSError:
                continue  # ended meanwhile
        if not running:
            return
        time.sleep(0.05)
    raise StepFailed("its processes do not end")


def _give(root: str, path: str, owner: str, group: str, mode: str) -> None:
    uid, gid = _own_ids(root) if USER in (owner, group) else (0, 0)
    uid = uid if owner == USER else int(owner or -1)
    give_directory(root, path, uid, gid if group == USER else int(group), int(mode, 8))


def _own_ids(root: str) -> tuple[int, int]:
    """Return our user's uid and gid on the host below ``root``. Raises ValueError without."""
    found = read_ids(Paths(root))
    if min(found) <= 0:
        raise ValueError(f"there is no user and group {USER}")
    return found


_DONE_HERE: dict[str, Callable[..., None]] = {
    UNPACK: lambda _root, *words: unpack(*words),
    MAKE_LINK: _link,
    PUT_LINK: put_link,
    REMOVE_LINK: remove_link,
    REMOVE_EMPTY: remove_empty,
    GIVE: _give,
    GIVE_FILES: lambda root, path: give_files(root, path, *_own_ids(root)),
    END: lambda root, _user: _end_processes(read_ids(Paths(root))[0]),
}
