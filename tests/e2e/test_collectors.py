"""What users do to a real host, as the written file tells it."""

from __future__ import annotations

import time

import pytest

from tests.e2e.parts import Box, samples
from tests.e2e.test_connections import (
    free_displays,
    listeners,
    login,
    started,
    viewer,
    wait_for,
)

pytestmark = pytest.mark.e2e

# Three seconds of CPU time, 64 MiB, and then sleep.
BURN = (
    "python3 -c 'import itertools, time; held = bytearray(64 << 20); "
    "any(time.process_time() > 3 for _ in itertools.count()); "
    "print(1, flush=True); time.sleep(600)'"
)
CPU = 'users_cpu_seconds_total{user="tu-alice"}'


def look(box: Box, *argv: str) -> dict[str, float]:
    output = str(box.directory / "users.prom")
    assert box.collect(output, *argv) == (0, "")
    return samples((box.directory / "users.prom").read_text())


def used(box: Box, user: str) -> float:
    """Return the CPU seconds that the user's processes have used, as the kernel has them."""
    script = (
        "import os, sys\n"
        "ticks = 0\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    try:\n"
        "        status = open(f'/proc/{pid}/status').read()\n"
        "        stat = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()\n"
        "    except OSError:\n"
        "        continue\n"
        "    if status.partition('Uid:\\t')[2].split()[0] == sys.argv[1]:\n"
        "        ticks += int(stat[11]) + int(stat[12])\n"
        "print(ticks / os.sysconf('SC_CLK_TCK'))\n"
    )
    uid = box.run("id", "-u", user).stdout.strip()
    return float(box.run("/opt/textfile-users/bin/python3", "-I", "-c", script, uid).stdout)


def test_what_a_session_without_a_terminal_does_is_in_the_file(box: Box) -> None:
    """No logind here, and no record in utmp: only processes and sockets show it."""
    port = box.sshd("PidFile=/run/sshd-collectors.pid")
    idle = look(box)
    assert not idle.get('users_sessions{session_type="ssh",user="tu-alice"}')
    used_before = used(box, "tu-alice")  # zombies of other tests
    with login(box, port, BURN) as client:
        assert client.stdout
        before = look(box)  # it burns, or has just begun
        assert client.stdout.readline() == b"1\n"
        burnt = used(box, "tu-alice") - used_before
        found = look(box)
        (info,) = [name for name in found if name.startswith("users_session_info{")]
        assert 'remote_ip="127.0.0.1"' in info
        assert 'session_type="ssh",tty="",user="tu-alice"' in info
        assert found['users_sessions{session_type="ssh",user="tu-alice"}'] == 1
        assert abs(found[CPU] - idle.get(CPU, 0.0) - burnt) < 0.3
        assert found[CPU] >= before.get(CPU, 0.0)
        rows = box.run("ps", "-U", "tu-alice", "-o", "rss=").stdout.split()
        assert found['users_processes{user="tu-alice"}'] == len(rows)
        memory = found['users_memory_resident_bytes{user="tu-alice"}']
        assert abs(memory - sum(map(int, rows)) * 1024) < 1 << 20
        assert memory > 64 << 20
        (session,) = [name for name in found if name.startswith("users_session_cpu_seconds{")]
        assert found[session] >= 2.9  # in clock ticks
        time.sleep(0.5)
        assert look(box)[CPU] - found[CPU] < 0.1, "it sleeps: no average of its life"
    # The client's end is not yet that of all it has begun.
    wait_for(lambda: look(box)['users_sessions{session_type="ssh",user="tu-alice"}'] == 0)
    assert look(box)[CPU] >= found[CPU], "what ended processes used is not taken back"


def test_a_desktop_that_is_looked_at_is_a_session(box: Box) -> None:
    (display,) = free_displays(1)
    port = 5900 + display
    argv = ["-SecurityTypes", "None", "-localhost", "-rfbport", str(port)]
    with started(box, "tu-alice", "Xtigervnc", f":{display}", *argv):
        wait_for(lambda: ("127.0.0.1", port) in listeners(box))
        look(box)
        with viewer(port):
            found = look(box)
            (info,) = [name for name in found if name.startswith("users_session_info{")]
            assert f'session_type="vnc",tty="vnc:{display}",user="tu-alice"' in info
            assert found['users_remote_connections{protocol="vnc"}'] == 1
        wait_for(lambda: look(box)['users_remote_connections{protocol="vnc"}'] == 0)
        assert look(box)['users_sessions{session_type="vnc",user="tu-alice"}'] == 0
