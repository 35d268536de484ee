"""A fault in each system call of a scan in turn: no traceback, nothing lost, nothing twice.

A scan that counts events is run under strace(1), which kills it at a call or lets the call
fail. Then the file is whole, and the old or a new one; a scan without a fault follows, and
what is counted is what it would be if nothing had happened.

Left out: calls before the first that touches a file of the host or of the program's state
(the interpreter's start, and the modules that every run loads), where Python itself gives up
and nothing has been changed yet; and faults in calls that cannot fail.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.e2e.debian import leave_out
from tests.long.sizes import IS_LONG, size, spread
from tests.long.world import PROJECT, World, counted, families
from textfile_users.cli import main

ERRORS = ("ENOSPC", "EIO", "EACCES", "EMFILE", "EINTR", "ENOMEM")
KILL = "signal=SIGKILL"
ONE_THREAD = os.path.join("tests", "long", "in_one_thread.py")
PROGRAM = ("-m", "textfile_users")
# Calls that always succeed, or whose fault is the C library's own end; brk(2) tells of its failure
# by an address, which an injected number would be taken for.
NEVER_FAIL = {"brk", "exit_group", "exit", "munmap", "futex", "rt_sigreturn", "gettid", "getpid"}
CALL = re.compile(r"\d+ +([a-z]\w*)\((.*)")
LATER = (30, 60)  # seconds: what no log covers counts by then, and what is gone has ended
TEMPORARY_AGE = 61.0  # seconds after which a temporary file is a leftover


class Fault(NamedTuple):
    """What happens at the ``number``-th call of this name of a thread."""

    name: str
    number: int
    what: str  # "signal=SIGKILL", "error=EIO" and so on

    def __str__(self) -> str:
        return f"{self.name}:{self.what}:when={self.number}"


def _why_not() -> str:
    """Return why strace cannot be used, '' where it can."""
    if not shutil.which("strace"):
        return "needs Debian's strace"
    command = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=openat:error=EIO", "true"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    return "" if done.returncode == 127 else f"strace cannot trace here: {done.stderr.strip()}"


@pytest.fixture(scope="module", autouse=True)
def _strace() -> None:
    if why := _why_not():
        leave_out(why)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("calls"))


def strace(
    world: World, python: tuple[str, ...], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run the program under strace."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(
        ["strace", "-f", "-qq", *options, *world.command(0, *python)],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def calls(world: World, python: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield the calls of a scan in their order: the name, and its number in its thread."""
    record = world.directory / "record"
    world.restore()
    done = strace(world, python, "-o", str(record))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    seen: Counter[tuple[str, str]] = Counter()
    start_up = set()
    is_begun = False
    for text in record.read_text(errors="replace").splitlines():
        match = CALL.match(text)
        if not match:
            continue  # the rest of a call that another thread's interrupted
        thread = text.partition(" ")[0]
        seen[thread, match[1]] += 1
        is_begun = is_begun or (match[1] != "execve" and str(world.directory) in match[2])
        call = match[1], seen[thread, match[1]]
        if not is_begun:
            start_up.add(call)
        elif call not in start_up:  # else the first thread comes to it, at the start
            yield call


def faults(world: World, python: tuple[str, ...]) -> list[Fault]:
    """Return all faults that there can be in a scan, each call's together."""
    each_once = dict.fromkeys(calls(world, python))
    return [
        Fault(name, number, what)
        for name, number in each_once
        for what in (KILL, *(f"error={error}" for error in ERRORS))
        if what == KILL or name not in NEVER_FAIL
    ]


class Truth(NamedTuple):
    """What a scan without a fault gives, and the one after it."""

    new: bytes
    counted: dict[str, float]
    after: dict[str, float]


def truth_of(world: World) -> Truth:
    world.restore()
    assert main(world.arguments(0)) == 0
    new = world.output.read_bytes()
    assert max(main(world.arguments(at)) for at in LATER) == 0
    truth = Truth(new, counted(new), counted(world.output.read_bytes()))
    assert truth.counted != truth.after != counted(world.old)
    return truth


def check(world: World, python: tuple[str, ...], fault: Fault, truth: Truth) -> list[str]:
    """Let the fault happen; return what is wrong after it."""
    world.restore()
    inject = f"inject={fault}"
    done = strace(
        world, python, "--seccomp-bpf", "-o", os.devnull, "-e", f"trace={fault.name}", "-e", inject
    )
    wrong = _wrong_at_once(world, fault, truth, done)
    for path in world.temporary():
        aged = os.stat(path).st_mtime - TEMPORARY_AGE
        os.utime(path, (aged, aged))
    # What has not changed is not written, and its directory not looked at: events for that.
    status = max(main(world.arguments(at)) for at in LATER)
    if status:
        wrong.append(f"a scan after it ends with {status}")
    after = counted(world.output.read_bytes())
    if after != truth.after:
        wrong.append(f"counted are {_differences(truth.after, after)}")
    return wrong


def _wrong_at_once(
    world: World, fault: Fault, truth: Truth, done: subprocess.CompletedProcess[str]
) -> list[str]:
    data = world.output.read_bytes()
    if fault.what == KILL:
        is_whole = data in (world.old, truth.new)
        statuses: tuple[int, ...] = (0, -signal.SIGKILL)
    else:
        is_whole = data == world.old or _is_sound(data, truth)
        statuses = (0,) if data != world.old else (0, 1)
    said = done.stderr.splitlines()
    facts = {
        "the file is not whole": is_whole,
        f"status {done.returncode}": done.returncode in statuses,
        f"said {said}": all(text.startswith("textfile-users: ") for text in said),
        f"own fault {said}": "a fault of this program" not in done.stderr,
        "not a word": done.returncode != 1 or said,
        f"temporary {world.temporary()}": len(world.temporary()) <= (fault.what == KILL),
    }
    return [wrong for wrong, is_right in facts.items() if not is_right]


def _is_sound(data: bytes, truth: Truth) -> bool:
    """Return whether a new file has known families, and counts nothing that has not happened."""
    over = {k: v for k, v in counted(data).items() if v > truth.after.get(k, 0)}
    return not over and families(data) <= families(truth.new)


def _differences(expected: dict[str, float], found: dict[str, float]) -> list[str]:
    return [
        f"{name}: {found.get(name)}, not {expected.get(name)}"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]


@pytest.mark.parametrize(
    ("python", "wanted"),
    [((ONE_THREAD,), "system calls"), (PROGRAM, "threads")],
    ids=["each-call", "in-threads"],
)
def test_a_fault_in_any_call_loses_nothing_and_counts_nothing_twice(
    world: World, python: tuple[str, ...], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = truth_of(world)
    every = faults(world, python)
    chosen = [every[index] for index in spread(len(every), size(wanted))]
    wrong: dict[str, list[str]] = {}
    for number, fault in enumerate(chosen):
        if IS_LONG and number % 500 == 0:
            with capsys.disabled():
                print(f"{number} of {len(chosen)} faults, {len(wrong)} of them wrong", flush=True)
        found = check(world, python, fault, truth)
        if found:
            wrong[str(fault)] = found
    assert not wrong, "\n".join(f"{fault}: {found}" for fault, found in wrong.items())
