"""Runs a check in a child: as another user where that is wanted, and not for longer than it may.

What hangs (a dead mount, NSS, a stuck bus) hangs there, and what goes wrong there is told.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time

from textfile_users.accounts.passwd import MAX_BYTES, find_entries, find_memberships, read_passwd
from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular
from textfile_users.reading.text import decode
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn

MAX_ANSWER = 16 << 20
MAX_PART = 1 << 16
REAP_SECONDS = 0.2
# A caller's PATH has no say in what root runs.
TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"


class ChildFailed(Exception):
    """What ran in the child raised, or did not end in time; the message says which."""


class Identity(Record):
    """A user as the kernel sees one: ``groups`` are all, the first one (``gid``) too."""

    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def find_identity(paths: Paths, user: str) -> Identity | None:
    """Return the identity of an account, from the files alone; None without. Raises OSError."""
    data = read_regular(paths.below("/etc/passwd"), MAX_BYTES)
    entry = find_entries(data, {user}, frozenset())[0].get(user)
    if entry is None or entry.gid < 0:
        return None
    groups = find_memberships(read_regular(paths.below("/etc/group"), MAX_BYTES), user)
    return Identity(user, entry.uid, entry.gid, (entry.gid, *(groups - {entry.gid})))


def own_identity() -> Identity:
    """Return who this process is; the name is the uid's where the accounts do not tell."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        user = read_passwd(Paths()).by_uid.get(uid, str(uid))
    except OSError:
        user = str(uid)
    return Identity(user, uid, gid, tuple(dict.fromkeys((gid, *os.getgroups()))))


def in_child(function: Callable[[], Any], seconds: float, identity: Identity | None = None) -> Any:
    """Return what ``function`` returns, as JSON carries it, after at most ``seconds``.

    As root it runs as ``identity`` where that is another user. Raises ChildFailed.
    """
    out, end = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(out)
        _be_child(function, end, seconds, identity)
    os.close(end)
    try:
        answer = json.loads(_receive(out, time.monotonic() + seconds) or b"{}")
    except TimeoutError:
        raise ChildFailed(f"no answer within {seconds:g} s") from None
    finally:
        os.close(out)
        _end(pid)
    if "value" not in answer:
        raise ChildFailed(answer.get("error", "its process ended"))
    return answer["value"]


def run_command(
    argv: Sequence[str], environment: Mapping[str, str], *, is_read: bool = True, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run a command of our own to its end, without stdin; ``options`` are subprocess.run()'s.

    ``is_read`` is whether stdout is wanted: else who keeps it open is not waited for. Raises
    OSError where it cannot be run, and TimeoutExpired.
    """
    return subprocess.run(  # noqa: S603 - arguments of our own
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_read else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        env=environment,
        **options,
    )


def error_lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """Return the lines that a command has said on stderr."""
    return done.stderr.decode("utf-8", "backslashreplace").splitlines()


def run_tool(argv: list[str], seconds: float) -> str:
    """Return what a command printed, in C's locale and UTC. Raises ChildFailed with the reason."""
    environment = {"PATH": TOOLS, "LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0"}
    try:
        done = run_command(argv, environment, timeout=seconds)
    except FileNotFoundError:
        raise ChildFailed(f"there is no {argv[0]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChildFailed(f"{argv[0]}: {error}") from None
    if done.returncode:
        lines = decode(done.stderr).strip().split("\n")
        raise ChildFailed(f"{argv[0]}: {lines[0] or f'status {done.returncode}'}")
    return decode(done.stdout[:MAX_ANSWER])


def _be_child(
    function: Callable[[], Any], end: int, seconds: float, identity: Identity | None
) -> NoReturn:
    try:
        os.setsid()  # so that what it starts ends with it
        signal.alarm(int(seconds) + 2)  # also where the parent is gone
        if identity is not None and os.geteuid() == 0 and identity.uid != 0:
            os.setgroups(identity.groups)
            os.setresgid(identity.gid, identity.gid, identity.gid)
            os.setresuid(identity.uid, identity.uid, identity.uid)
        data = json.dumps({"value": function()})
    except BaseException as error:  # noqa: BLE001 - told by the parent
        data = json.dumps({"error": f"{type(error).__name__}: {error}"})
    try:
        with open(end, "wb") as pipe:
            pipe.write(data.encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _receive(out: int, deadline: float) -> bytes:
    data = bytearray()
    poller = select.poll()
    poller.register(out, select.POLLIN)
    while len(data) < MAX_ANSWER:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise TimeoutError
        part = os.read(out, MAX_PART)
        if not part:
            return bytes(data)
        data += part
    return b""


def _end(pid: int) -> None:
    """End a child and what it started; one that the kernel holds is left behind."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue  # it is through
    end = time.monotonic() + REAP_SECONDS
    while time.monotonic() < end and not os.waitpid(pid, os.WNOHANG)[0]:
        time.sleep(0.001)
