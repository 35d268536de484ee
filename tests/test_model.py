"""Whatever happens to the log, the runs and their state: each event counts exactly once.

A plain model notes what was appended; the program is run in process against it. Runs are
killed in a forked child, before the N-th of the calls by which a run changes anything.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import adds
from tests.following import replace
from tests.hosts import NOW, Host, hurried
from textfile_users.cli import main
from textfile_users.state_files import load_durable

FAMILIES = tuple(name for name in adds.FAMILIES if not name.endswith("_count"))
CHANGES = ("open", "write", "fchmod", "rename", "unlink", "close")
SSHD = 'program="sshd"'
PASSWORD = f'method="password",{SSHD}'

# What is appended by one name: lines, and the samples that they add to.
KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "failure": (
        ("sshd[{}]: Failed password for root from 192.0.2.7 port {} ssh2",),
        (f'users_auth_failures_total{{{PASSWORD},user="root"}}',),
    ),
    "unknown": (
        (
            "sshd[{}]: Invalid user oracle from 192.0.2.8 port {}",
            "sshd[{}]: Failed password for invalid user oracle from 192.0.2.8 port {} ssh2",
        ),
        (f'users_auth_failures_total{{{PASSWORD},user=""}}',),
    ),
    "success": (
        ("sshd-session[{}]: Accepted password for alice from 192.0.2.9 port {} ssh2",),
        (
            f'users_auth_successes_total{{{PASSWORD},user="alice"}}',
            'users_logins_total{session_type="ssh",user="alice"}',
        ),
    ),
    "probe": (
        ("sshd[{}]: Connection closed by authenticating user root 192.0.2.10 port {} [preauth]",),
        (f'users_auth_probes_total{{kind="closed",{SSHD}}}',),
    ),
    "scan": (
        (
            "sshd[{}]: error: kex_exchange_identification: read: Connection reset by peer",
            "sshd[{}]: Connection reset by 192.0.2.11 port {}",
        ),
        (f'users_auth_probes_total{{kind="reset",{SSHD}}}',),
    ),
    "closing": (
        (
            "sshd[{}]: Failed password for root from 192.0.2.7 port {} ssh2",
            "sshd[{}]: Connection closed by authenticating user root 192.0.2.7 port {} [preauth]",
        ),
        (f'users_auth_failures_total{{{PASSWORD},user="root"}}',),
    ),
    "su": (
        (
            "su: (to root) alice on pts/0",
            "su: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)",
        ),
        ('users_escalations_total{program="su",target_user="root",user="alice"}',),
    ),
    "sudo": (
        ("sudo:    alice : PWD=/ ; USER=root ; COMMAND=/bin/kill {} {}",),
        ('users_escalations_total{program="sudo",target_user="root",user="alice"}',),
    ),
    "noise": (("CRON[{}]: something else {}",), ()),
}
# Of these the first line decides, of others the last.
DECIDED_AT_ONCE = ("closing", "su")
Op = tuple[Any, ...]


class Killed(Exception):
    """The run did not come to its end."""


class World:
    """A host, its log, the program's state, and what is true."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.host = Host(os.path.join(directory, "host"))
        self.host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/:/bin/sh\n")
        self.host.no_sessions()
        self.log = self.host.write("var/log/auth.log", "")
        self.output = os.path.join(directory, "users.prom")
        self.state = os.path.join(directory, "state")
        self.now = NOW
        self.pid = 1000
        self.touched = 0
        self.begun = ""  # of a line
        self.begun_adds: tuple[str, ...] = ()
        self.appended: Counter[str] = Counter()
        self.before_counting: Counter[str] | None = None  # None: no state is kept
        self.is_damaged = False
        self.shown: Counter[str] = Counter()

    # What happens to the log

    def line(self, text: str) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(self.now))
        return f"{stamp} host {text.format(self.pid, self.pid)}\n"

    def put(self, data: str, path: str = "") -> None:
        path = path or self.log
        with open(path, "a", encoding="utf-8") as file:
            file.write(data)
        self.touch(path)

    def touch(self, path: str) -> None:
        """Give a file a modification time by the clock of the world."""
        self.touched += 1
        moment = int(self.now) * 10**9 + self.touched
        os.utime(path, ns=(moment, moment))

    def append(self, kind: str, path: str = "") -> None:
        self.end_line(path)
        lines, adds = KINDS[kind]
        self.pid += 1
        self.put("".join(map(self.line, lines)), path)
        self.appended.update(adds)

    def begin_line(self, length: int) -> None:
        """Append the first part of a line, as a writer or its buffer leaves it."""
        self.end_line()
        lines, adds = KINDS["failure"]
        self.pid += 1
        whole = self.line(lines[0])
        cut = length % len(whole)
        self.put(whole[:cut])
        self.begun, self.begun_adds = whole[cut:], adds

    def end_line(self, path: str = "") -> None:
        if self.begun:
            self.put(self.begun, path)
            self.appended.update(self.begun_adds)
            self.begun, self.begun_adds = "", ()

    def split(self, kind: str, how: int) -> None:
        """Append an attempt of two lines with a run in between."""
        self.end_line()
        lines, adds = KINDS[kind]
        self.pid += 1
        self.put(self.line(lines[0]))
        if kind in DECIDED_AT_ONCE:
            self.appended.update(adds)
        self.now += how % 9
        self.run()
        self.put(self.line(lines[1]))
        if kind not in DECIDED_AT_ONCE:
            self.appended.update(adds)

    def shift(self, is_compressed: bool) -> None:
        """Give rotated files the next number, and compress the first."""
        numbers = sorted(
            (int(name.split(".")[2]), name)
            for name in os.listdir(os.path.dirname(self.log))
            if name != "auth.log"
        )
        for number, name in reversed(numbers):
            old = os.path.join(os.path.dirname(self.log), name)
            new = f"{self.log}.{number + 1}" + (".gz" if name.endswith(".gz") else "")
            os.rename(old, new)
            if is_compressed and not new.endswith(".gz"):
                self.compress(new)

    def compress(self, path: str) -> None:
        times = os.stat(path)
        with open(path, "rb") as plain, gzip.open(path + ".gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        os.utime(path + ".gz", ns=(times.st_atime_ns, times.st_mtime_ns))
        os.unlink(path)

    def rotate(self, is_compressed: bool, late: int) -> None:
        """Rename the log; its writer goes on in the renamed file until it is told."""
        self.end_line()
        self.shift(is_compressed)
        os.rename(self.log, self.log + ".1")
        for _ in range(late):
            self.append("failure", self.log + ".1")
        self.host.write("var/log/auth.log", "")
        self.touch(self.log)

    def copytruncate(self, is_compressed: bool) -> None:
        self.end_line()
        self.shift(is_compressed)
        shutil.copy2(self.log, self.log + ".1")
        os.truncate(self.log, 0)
        self.touch(self.log)

    # What the program does

    def argv(self) -> list[str]:
        return [
            "--root", self.host.root, "--now", str(self.now), "--timeout", "60",
            "--state-directory", self.state, "--runtime-directory", self.state,
            "--output", self.output, "--auth-source", "files",
        ]  # fmt: skip

    def run(self, is_hurried: bool = False) -> None:
        """Run the program to its end, hurried only up to the end of a block."""
        self.begin_counting()
        with (
            said() as messages,
            hurried(is_hurried=is_hurried),
        ):
            assert main(self.argv()) == 0
        text = "".join(messages)
        assert ("counting starts anew" in text) == self.is_damaged, text
        assert bool(text) == self.is_damaged, text
        self.began()
        self.check()

    def kill(self, count: int, is_hurried: bool) -> None:
        """Run the program, but only up to the `count`-th call that changes anything."""
        self.begin_counting()
        child = os.fork()
        if not child:
            try:
                with said(), hurried(is_hurried=is_hurried):
                    left = iter(range(count))
                    for name in CHANGES:
                        setattr(os, name, _counted(getattr(os, name), left))
                    main(self.argv())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        self.began()

    def begin_counting(self) -> None:
        """See that a first run finds a line: an empty file is known by its inode alone."""
        if self.before_counting is None or self.is_damaged:
            self.end_line()
            self.put(self.line(KINDS["noise"][0][0]))

    def began(self) -> None:
        """Note where counting began, or began anew, if the state of a run is there."""
        is_kept = os.path.exists(os.path.join(self.state, "durable.json"))
        if not is_kept:
            self.before_counting = None
            if self.is_damaged:  # it was put aside by a run that was killed
                self.is_damaged = False
        elif self.before_counting is None or (self.is_damaged and self.is_sound()):
            self.before_counting = Counter(self.appended)
            self.shown = Counter()
            self.is_damaged = False

    def is_sound(self) -> bool:
        with suppress(ValueError):
            load_durable(self.state)
            return True
        return False

    def lose_state(self) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        self.before_counting = None
        self.is_damaged = False

    def damage_state(self, offset: int) -> None:
        path = os.path.join(self.state, "durable.json")
        if os.path.exists(path):
            os.truncate(path, offset % max(1, os.path.getsize(path)))
            self.is_damaged = True

    # What must be so

    def counted(self) -> Counter[str]:
        with open(self.output, encoding="utf-8") as file:
            pairs = [line.rpartition(" ") for line in file if line.startswith(FAMILIES)]
        return Counter({name: int(float(value)) for name, _, value in pairs if float(value)})

    def check(self) -> None:
        """Counters never go back, and never above what was appended."""
        counted = self.counted()
        assert not self.shown - counted, "a counter went back"
        assert self.before_counting is not None
        assert not counted - (self.appended - self.before_counting), "something counted twice"
        self.shown = counted

    def finish(self) -> None:
        """Run until all that is there must have been read."""
        self.end_line()
        for _ in range(3):
            self.now += 1
            self.run()
        assert self.before_counting is not None
        assert self.counted() == self.appended - self.before_counting


@contextmanager
def said() -> Iterator[list[str]]:
    """Catch what the program says."""
    messages: list[str] = []
    stderr = mock.Mock()
    stderr.write.side_effect = messages.append
    stderr.isatty.return_value = True
    with mock.patch.object(sys, "stderr", stderr):
        yield messages


def _counted(call: object, left: Iterator[int]) -> object:
    def counted(*args: object, **named: object) -> object:
        if next(left, None) is None:
            os._exit(1)
        return call(*args, **named)  # type: ignore[operator]

    return counted


KIND = st.sampled_from(sorted(KINDS))
SPLIT = sorted(kind for kind, (lines, _) in KINDS.items() if len(lines) > 1)
SMALL = st.integers(0, 200)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), KIND, st.integers(1, 12)),
        st.tuples(st.just("begin line"), SMALL),
        st.tuples(st.just("split"), st.sampled_from(SPLIT), SMALL),
        st.tuples(st.just("run")),
        st.tuples(st.just("run")),
        st.tuples(st.just("hurried run")),
        st.tuples(st.just("kill"), st.integers(0, 40), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.integers(1, 5_000)),
        st.tuples(st.just("rotate"), st.integers(0, 1), st.integers(0, 2)),
        st.tuples(st.just("copytruncate"), st.integers(0, 1)),
        st.tuples(st.just("lose state")),
        st.tuples(st.just("damage state"), SMALL),
    ),
    max_size=25,
)


def act(world: World, op: Op) -> None:
    """Let one thing happen."""
    name, *values = op
    world.now += 1
    if name == "append":
        for _ in range(values[1]):
            world.append(values[0])
    elif name == "split":
        world.split(*values)
    elif name == "run":
        world.run()
    elif name == "hurried run":
        world.run(is_hurried=True)
    elif name == "wait":
        world.now += values[0]
    else:
        _acts[name](world, *values)


_acts: dict[str, Callable[..., None]] = {
    "begin line": World.begin_line,
    "kill": World.kill,
    "rotate": World.rotate,
    "copytruncate": World.copytruncate,
    "lose state": World.lose_state,
    "damage state": World.damage_state,
}


@settings(max_examples=200)
@given(OPS)
def test_each_event_counts_exactly_once(ops: list[Op]) -> None:
    directory = tempfile.mkdtemp(prefix="model-")
    try:
        # Small blocks, so that a hurried run leaves something for the next.
        with pytest.MonkeyPatch.context() as patch:
            replace(patch, "BLOCK", 1500)
            replace(patch, "MAX_LINE", 700)
            world = World(directory)
            for op in ops:
                act(world, op)
            world.finish()
    finally:
        shutil.rmtree(directory)
