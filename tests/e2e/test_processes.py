"""Real processes of real users: what we say of them beside what the kernel and ps say."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.parts import Box

pytestmark = pytest.mark.e2e

ALICE, BOB, CAROL, LONG = 20001, 20002, 20003, 20010
LONG_NAME = "name-of-two-and-thirty-letters-x"  # the longest that useradd takes; ps shows eight
# /proc counts in ticks, and gives what threads that run have not yet been charged a tick late.
CPU_ERROR = 0.05
# Each CPU keeps 32 pages or more to itself before the kernel adds them to the sum.
MEMORY_ERROR = 2 << 20

# Runs in the box as root, on commands from stdin: starts workers, has them do things, looks.
HOST = r'''
import ctypes, json, os, subprocess, sys, time
from textfile_users.paths import Paths
from textfile_users.processes.collect_processes import read_slices
from textfile_users.processes.process_table import read_all
from textfile_users.processes.collect_processes import Usage, count_cpu, memory_and_counts

def work(inbox, outbox):
    """Do what comes in by lines; answer each with what this process has used."""
    held = []
    for line in inbox:
        word, _, what = line.strip().partition(" ")
        if word == "burn":
            until = time.process_time() + float(what)
            while time.process_time() < until:
                pass
        elif word == "hold":
            held.append(b"x" * int(what))
        elif word == "uid":
            os.setresuid(*map(int, what.split()))
        elif word == "name":
            ctypes.CDLL(None).prctl(15, what.replace("|", "\n").encode())  # PR_SET_NAME
        elif word == "zombie":
            child = os.fork()
            if child == 0:
                os._exit(0)
            os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        elif word == "thread":
            import threading
            thread = threading.Thread(target=work, args=(["burn " + what], open(os.devnull, "w")))
            thread.start(); thread.join()
        print(time.process_time(), file=outbox, flush=True)

def start(uid):
    task, answer = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        os.close(task[1]); os.close(answer[0])
        for files in workers.values():  # or their ends would not be seen
            for file in files:
                file.close()
        work(os.fdopen(task[0]), os.fdopen(answer[1], "w"))
        while True:  # the box's first process does not wait for zombies
            try:
                os.wait()
            except ChildProcessError:
                os._exit(0)
    os.close(task[0]); os.close(answer[1])
    workers[pid] = os.fdopen(task[1], "w"), os.fdopen(answer[0])
    tell(pid, "begin")  # it has its uid when it answers
    return pid

def tell(pid, line):
    print(line, file=workers[pid][0], flush=True)
    return float(workers[pid][1].readline())

def end(pid):
    for file in workers.pop(pid):
        file.close()
    os.waitpid(pid, 0)

def move(pid, group):
    os.makedirs("/sys/fs/cgroup/" + group, exist_ok=True)
    open(f"/sys/fs/cgroup/{group}/cgroup.procs", "w").write(str(pid))

def remove(group):
    os.removedirs("/sys/fs/cgroup/" + group) if group else None

def look():
    global usage, places
    processes, report, places = read_all(Paths(), places, time.time())
    slices = read_slices(Paths())
    usage = count_cpu(usage, slices, processes)
    return {
        "seconds": dict(usage.seconds), "slices": slices, "usage": memory_and_counts(processes),
        "processes": {p.pid: p._asdict() for p in processes}, "places": len(places),
        "status": report.status, "faults": report.faults,
    }

def run(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout

workers, usage, places = {}, Usage(), {}
for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
for pid in list(workers):
    end(pid)
'''
# Gives HOST a hierarchy of cgroups of its own, of which it sees only what is its own.
CGROUPS = r"""set -e
mount -t tmpfs tmpfs /sys/fs/cgroup
each() {
    [ $kind = v2 ] || mkdir -p /sys/fs/cgroup/cpuacct /sys/fs/cgroup/systemd
    if [ $kind = v2 ]; then
        $1 /sys/fs/cgroup cgroup2 rw
    else
        $1 /sys/fs/cgroup/cpuacct cgroup cpuacct
        $1 /sys/fs/cgroup/systemd cgroup none,name=systemd
    fi
}
enter() {
    mount -t $2 -o $3 cgroup $1
    mkdir -p $1/$own
    echo $$ >$1/$own/cgroup.procs
}
again() { mount -t $2 -o $3 cgroup $1; }
leave() {
    echo $$ >$1/cgroup.procs
    find $1/$own -depth -type d -exec rmdir {} \;
}
case $# in
3) kind=$1 own=textfile-users.$$
   each enter
   unshare --cgroup --mount "$0" "$@" inside || status=$?
   each leave
   exit ${status:-0} ;;
*) kind=$1; each again; exec "$2" -I -c "$3" ;;
esac
"""


class Host:
    """The program HOST in the box."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *command: object) -> Any:
        """Have it do something, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(command), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


@contextmanager
def host_in(box: Box, *argv: str) -> Iterator[Host]:
    """Run HOST in the box by a command that takes it as its last argument."""
    with subprocess.Popen(
        box.argv(*argv, HOST), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Host(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # it ends its workers, and removes its cgroups
            try:
                status = process.wait(timeout=60)
            finally:
                process.kill()
        assert status == 0


PYTHON = "/opt/textfile-users/bin/python"


@pytest.fixture
def host(box: Box) -> Iterator[Host]:
    """A host without accounts of slices."""
    with host_in(box, PYTHON, "-I", "-c") as host:
        yield host


def growth(before: dict[str, Any], after: dict[str, Any], uid: int) -> float:
    seconds = after["seconds"].get(str(uid), 0.0) - before["seconds"].get(str(uid), 0.0)
    return float(seconds)


def test_each_process_is_what_ps_says(host: Host) -> None:
    """ps and we look at the same sleeping processes."""
    pids = [host("start", uid) for uid in (ALICE, BOB, CAROL)]
    host("tell", pids[0], "burn 0.3")
    host("tell", pids[1], f"hold {100 << 20}")
    host("tell", pids[2], "name a) S 1 |(b")
    host("tell", pids[2], "zombie")
    found = host("look")
    fields = "pid=,ppid=,ruid=,pgid=,tpgid=,rss=,cputimes=,state="
    lines = host("run", "ps", "-eo", fields).splitlines()
    compared = 0
    for line in lines:
        pid, ppid, uid, group, foreground, kib, seconds, state = line.split()
        process = found["processes"].pop(pid, None)
        if process is None:
            continue  # ps
        assert [process["ppid"], process["uid"], process["group"], process["foreground"]] == [
            int(ppid), int(uid), int(group), int(foreground),
        ]  # fmt: skip
        assert abs(process["resident"] - int(kib) * 1024) <= MEMORY_ERROR
        assert abs(process["cpu"] - int(seconds)) <= 1 + CPU_ERROR  # ps cuts to seconds
        assert (process["state"] == "Z") == (state == "Z")
        compared += 1
    assert compared >= 6  # the box's first, its shell's sleep, HOST, the three, a zombie
    assert found["processes"] == {}, "ps does not see what we see"
    assert host("look")["processes"][str(pids[2])]["comm"] == "a) S 1 \n(b"


def test_memory_and_counts_by_user(host: Host) -> None:
    """A zombie counts and holds nothing; what bob holds is what the kernel says he holds."""
    before = host("look")["usage"]  # zombies that other tests left to the box

    def count(usage: dict[str, list[int]], uid: int) -> int:
        return int(usage[str(uid)][1]) - int(before.get(str(uid), [0, 0])[1])

    pids = [host("start", uid) for uid in (ALICE, BOB, BOB, CAROL)]
    light = host("look")["usage"]
    host("tell", pids[1], f"hold {300 << 20}")
    host("tell", pids[3], "zombie")
    usage = host("look")["usage"]
    assert [count(usage, uid) for uid in (ALICE, BOB, CAROL)] == [1, 2, 2]
    held = usage[str(BOB)][0] - light[str(BOB)][0]
    assert abs(held - (300 << 20)) <= MEMORY_ERROR
    assert abs(usage[str(CAROL)][0] - light[str(CAROL)][0]) <= MEMORY_ERROR
    host("end", pids[1])
    assert count(host("look")["usage"], BOB) == 1


def test_a_name_that_ps_cuts(box: Box, host: Host) -> None:
    """Who counts by ps's names takes users with the same beginning for one, we go by uid."""
    box.run("useradd", "--uid", str(LONG), LONG_NAME)
    box.run("useradd", "--uid", str(LONG + 1), LONG_NAME[:-1] + "y")
    pids = [host("start", uid) for uid in (LONG, LONG, LONG + 1)]
    named = [host("run", "ps", "-o", "user=,rss=", "-p", str(pid)).split()[0] for pid in pids]
    assert len(set(named)) == 1, named
    assert LONG_NAME not in named
    usage = host("look")["usage"]
    assert (usage[str(LONG)][1], usage[str(LONG + 1)][1]) == (2, 1)


def test_cpu_of_processes_outside_of_slices(host: Host) -> None:
    """What each user burned between two scans, whatever ended, began or changed its uid."""
    lasting, ending, changing = (host("start", uid) for uid in (ALICE, ALICE, 0))
    host("tell", lasting, "burn 0.5")
    host("tell", ending, "burn 0.5")
    host("tell", changing, "burn 0.5")
    first = host("look")
    assert set(first["seconds"].values()) == {0.0}, "what was before the first scan"

    host("tell", lasting, "burn 0.4")
    host("tell", lasting, "thread 0.3")  # a thread that has ended
    host("end", ending)
    new = host("start", BOB)
    host("tell", new, "burn 0.6")
    host("tell", changing, f"uid {CAROL} -1 -1")  # only its real one
    host("tell", changing, "burn 0.3")
    second = host("look")
    assert growth(first, second, ALICE) == pytest.approx(0.7, abs=CPU_ERROR)
    assert growth(first, second, BOB) == pytest.approx(0.6, abs=CPU_ERROR)
    assert growth(first, second, CAROL) == pytest.approx(0.3, abs=CPU_ERROR)
    assert second["processes"][str(changing)]["uid"] == CAROL

    for pid in (lasting, new, changing):
        host("end", pid)
    third = host("look")
    for uid in (ALICE, BOB, CAROL):
        assert growth(second, third, uid) == 0.0, "what ended is not taken back"


def test_a_share_of_a_lifetime_is_no_share_of_now(host: Host) -> None:
    """`ps -o pcpu` gives the average of a life; the counter's growth is what is used now."""
    pid = host("start", ALICE)
    host("tell", pid, "burn 1")
    first = host("look")
    time.sleep(1)
    second = host("look")
    assert float(host("run", "ps", "-o", "pcpu=", "-p", str(pid))) > 1
    assert growth(first, second, ALICE) <= CPU_ERROR


def kinds_of_cgroups() -> list[str]:
    """Return which versions the kernel can give to a test: v1 where it is in use already."""
    with open("/proc/cgroups") as file:
        is_v1 = any(line.split()[:2][0] == "cpuacct" and line.split()[1] != "0" for line in file)
    return ["v2", "v1"] if is_v1 else ["v2"]


@pytest.mark.parametrize("kind", kinds_of_cgroups())
def test_cpu_of_slices(box: Box, kind: str) -> None:
    """The kernel's own accounts of slices: logins, moves in and out, logout and login again."""
    script = box.directory / "cgroups.sh"
    script.write_text("#!/bin/sh\n" + CGROUPS)
    script.chmod(0o755)
    alices = f"user.slice/user-{ALICE}.slice"
    groups = {"v2": ("",), "v1": ("cpuacct/", "systemd/")}[kind]

    with host_in(box, "unshare", "--mount", str(script), kind, PYTHON) as host:

        def move(pid: int, group: str) -> None:
            for hierarchy in groups:
                host("move", pid, hierarchy + group)

        def slice_seconds() -> float:
            name = {"v2": "cpu.stat", "v1": "cpuacct.usage"}[kind]
            text = host("run", "cat", f"/sys/fs/cgroup/{groups[0]}{alices}/{name}")
            return int(text.split()[1]) / 1e6 if kind == "v2" else int(text) / 1e9

        outside, login, short = (host("start", ALICE) for _ in range(3))
        roots = host("start", 0)
        for pid in (outside, login, short, roots):
            host("tell", pid, "burn 0.2")
        first = host("look")
        assert first["slices"] == {}

        move(login, f"{alices}/session-5.scope")
        move(short, f"{alices}/user@{ALICE}.service/session-7.scope/user.slice/user-0.slice")
        move(roots, f"{alices}/session-5.scope")  # sudo
        host("tell", outside, "burn 0.3")
        for pid in (login, short, roots):
            host("tell", pid, "burn 0.4")
        host("end", short)  # it is in the accounts all the same
        second = host("look")
        places = [second["processes"][str(pid)] for pid in (outside, login, roots)]
        assert [(one["session"], one["slice"]) for one in places] == [
            ("", -1), ("5", ALICE), ("5", ALICE),
        ]  # fmt: skip
        assert slice_seconds() == pytest.approx(1.2, abs=CPU_ERROR)
        assert growth(first, second, ALICE) == pytest.approx(1.5, abs=2 * CPU_ERROR)
        assert growth(first, second, 0) <= 5 * CPU_ERROR, "HOST itself, not what sudo runs"

        move(login, "")
        host("tell", login, "burn 0.3")
        third = host("look")
        assert growth(second, third, ALICE) <= CPU_ERROR, "moved out: not again all of its life"
        host("tell", login, "burn 0.3")
        fourth = host("look")
        assert growth(third, fourth, ALICE) == pytest.approx(0.3, abs=CPU_ERROR)

        host("end", roots)
        for hierarchy in groups:
            for group in (f"user@{ALICE}.service/session-7.scope/user.slice/user-0.slice",
                          "session-5.scope"):  # fmt: skip
                host("remove", f"{hierarchy}{alices}/{group}")
        assert host("look")["slices"] == {}
        again = host("start", ALICE)
        move(again, f"{alices}/session-6.scope")
        host("tell", again, "burn 0.5")
        sixth = host("look")
        assert growth(fourth, sixth, ALICE) == pytest.approx(0.5, abs=CPU_ERROR)
        assert sixth["seconds"][str(ALICE)] == pytest.approx(2.3, abs=3 * CPU_ERROR)


def test_places_are_remembered(host: Host) -> None:
    """Of young processes too, though those are read again."""
    host("start", ALICE)
    found = host("look")
    assert found["places"] == len(found["processes"])


@pytest.mark.parametrize("hidden", ["hidepid=2", "hidepid=1", "hidepid=2,gid=20002", "hidepid=0"])
def test_hidepid(box: Box, hidden: str) -> None:
    """Hidden are the processes of others, but not from the group that may see them."""
    code = """
import sys
from textfile_users.paths import Paths
from textfile_users.processes.process_table import read_all
processes, report, _ = read_all(Paths(), {}, 0.0)
print(report.status, len({process.uid for process in processes}), *report.faults)
"""
    enter = f'mount -t proc -o {hidden} proc /proc; exec setpriv --reuid=tu-bob --regid=tu-bob \
        --init-groups "$@"'
    argv = ["unshare", "--mount", "sh", "-c", enter, "sh", PYTHON, "-I", "-c", code]
    status, users, *fault = box.run(*argv).stdout.split(" ", 2)
    if hidden in ("hidepid=2", "hidepid=1"):
        assert (status, users) == ("denied", "1")
        assert "gid=" in fault[0]
    else:
        assert status == "ok"
        assert int(users) > 1
