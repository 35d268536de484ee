"""`show` beside the real w: real ssh sessions, and passwords that a real sshd refused."""

from __future__ import annotations

import time

import pytest

from tests.e2e.parts import Box
from tests.e2e.test_activity import PATIENCE, ended
from tests.e2e.test_sets import rows_of_w, wait_for

pytestmark = pytest.mark.e2e

PROGRAM = "/opt/textfile-users/bin/textfile-users"
STAMPS = "RSYSLOG_FileFormat"  # ISO stamps
NETWORK = "lab=127.0.0.0/8"
IDLE = {"tu-alice": "3h05m", "tu-bob": "2d"}  # by show, and by w:
IDLE_BY_W = {"tu-alice": "3:05m", "tu-bob": "2days"}
AGO = {"tu-alice": "11130 seconds ago", "tu-bob": "50 hours ago"}


def show(box: Box, *options: str) -> list[str]:
    """Return the lines of `show` in the box."""
    argv = (PROGRAM, "show", "--timeout", "30", "--network", NETWORK, *options)
    return box.run(*argv, env={"COLUMNS": "120", "PATH": "/usr/bin:/bin"}).stdout.splitlines()


def refuse(box: Box, port: int, user: str) -> None:
    """Try one wrong password."""
    one = ("-o", "NumberOfPasswordPrompts=1")
    box.ssh(port, *one, "true", user=user, password="wrong horse").communicate(timeout=PATIENCE)


def test_sessions_are_those_of_w_and_failures_those_of_the_log(box: Box) -> None:
    with box.rsyslogd(STAMPS, reduce=False):
        port = box.sshd("UseDNS=no")
        clients = [
            box.ssh(port, "-tt", "exec sleep 900"),
            box.ssh(port, "-tt", "exec sleep 901", user="tu-bob"),
        ]
        with ended(box, *clients):
            by_w = {row[0]: row for row in wait_for(box, "sleep 900", "sleep 901").values()}
            for user, when in AGO.items():
                box.run("touch", "-d", when, f"/dev/{by_w[user][1]}")
            by_w = {row[0]: row for row in rows_of_w(box)}
            for user in ("tu-alice", "root", "root", "nobody-has-this-name"):
                refuse(box, port, user)
            end = time.monotonic() + PATIENCE
            while "4 failures in the last hour from 1 address" not in (lines := show(box)):
                assert time.monotonic() < end, lines
                time.sleep(0.1)

        heading, *rest = (line.split() for line in lines)
        assert heading == [
            "USER", "TTY", "TYPE", "FROM", "NETWORK", "SINCE", "IDLE", "CPU", "MEM"
        ]  # fmt: skip
        shown = {row[0]: dict(zip(heading, row)) for row in rest[:2]}
        assert {user: row[1:3] for user, row in by_w.items()} == {
            user: (row["TTY"], row["FROM"]) for user, row in shown.items()
        }
        assert {user: row[4] for user, row in by_w.items()} == IDLE_BY_W
        assert {user: row["IDLE"] for user, row in shown.items()} == IDLE
        assert {row["NETWORK"] for row in shown.values()} == {"lab"}
        assert all(row["MEM"].endswith("M") for row in shown.values())
        assert lines[3] == "2 sessions of 2 users"
        failures = dict(zip(rest[4], rest[5]))
        assert failures["FAILURES"] == "4"
        assert failures["FROM"] == "127.0.0.1"
        assert lines[6].endswith("  root, tu-alice, others")
