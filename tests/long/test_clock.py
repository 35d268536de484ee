"""Whatever the clock says: each event counts once, and every scan writes its file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests import hosts
from tests.hosts import NOW, Record
from tests.long.decoders import BERLIN, zone

FAILURES = 'users_auth_failures_total{method="password",program="sshd",user="root"}'
HOUR = 3600.0
DAY = 24 * HOUR
AUTUMN = 1_792_890_000.0  # 25 October 2026 01:00 UTC, when 03:00 is 02:00 again
SPRING = 1_774_746_000.0  # 29 March 2026 01:00 UTC, when 02:00 is 03:00


class Run(hosts.Run):
    """Runs the program on a host whose clock is set."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.pid = 100
        self.host.write("etc/localtime", zone(BERLIN))
        self.log = self.host.write("var/log/auth.log", "")

    def fail(self, now: float, traditional: bool = False) -> None:
        """Log a failure when it is ``now``, in the host's form of stamps."""
        self.pid += 1
        if traditional:
            moment = time.gmtime(now + self.offset(now))
            stamp = time.strftime("%b %e %H:%M:%S", moment)
        else:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now))
        with open(self.log, "a") as log:
            message = f"Failed password for root from 192.0.2.7 port {self.pid} ssh2"
            log.write(f"{stamp} host sshd[{self.pid}]: {message}\n")

    @staticmethod
    def offset(now: float) -> float:
        """Return the seconds that Berlin is ahead in 2026."""
        return 2 * HOUR if SPRING <= now < AUTUMN else HOUR

    def failures(self, now: float) -> float:
        """Look when it is ``now``, and return the failures counted."""
        assert self(at=now - NOW) == (0, "")
        return self.samples()[FAILURES]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tmp_path, capsys)


@pytest.mark.parametrize("traditional", [False, True], ids=["iso", "traditional"])
@pytest.mark.parametrize(
    ("begin", "jump", "why"),
    [
        (NOW, -DAY, "set back a day"),
        (NOW, DAY, "forward a day"),
        (NOW, 365 * DAY, "forward a year"),
        (NOW, -365 * DAY, "back a year"),
        (NOW, -90.0, "back a little"),
        (5.0, NOW, "a machine without a clock, set by the network"),
        (2.0**31 - 30, 60.0, "over the end of 32 bits"),
        (2.0**32 - 30, 60.0, "over the end of 32 bits without a sign"),
        (NOW, 2.0**31 - NOW + 10, "to 2038"),
    ],
)
def test_jumps(run: Run, begin: float, jump: float, why: str, traditional: bool) -> None:
    """There, and back again."""
    now = begin
    run.failures(now)
    expected = 0
    for step in (5.0, jump, 5.0, -jump, 5.0, jump, 5.0):
        now += step
        for seconds in (0, 1):
            run.fail(now + seconds, traditional)
            expected += 1
        now += 2
        assert run.failures(now) == expected, f"{why}: {step:+g} s"
        assert run.failures(now) == expected, f"{why}: {step:+g} s, looked at twice"


@pytest.mark.parametrize(("change", "name"), [(SPRING, "spring"), (AUTUMN, "autumn")])
@pytest.mark.parametrize("first", [-7_000, -1_800, -60, 60, 1_800, 3_500])
def test_summer_time(run: Run, change: float, name: str, first: float) -> None:
    """Traditional stamps are local time, of which an hour comes twice or never.

    Whenever the first scan is, what follows counts once; what was before it does not.
    """
    for before in range(-9_000, int(first), 300):
        run.fail(change + before, traditional=True)
    run.failures(change + first)
    for expected, seconds in enumerate(range(int(first) + 10, 9_000, 450), 1):
        run.fail(change + seconds, traditional=True)
        assert run.failures(change + seconds + 5) == expected


@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_summer_time_across_a_rotation(run: Run, change: float) -> None:
    run.failures(change - 4_000)
    expected = 0
    for seconds in range(-3_900, 4_000, 300):
        run.fail(change + seconds, traditional=True)
        expected += 1
        if seconds % 900 == 0:
            os.rename(run.log, f"{run.log}.1")
            run.host.write("var/log/auth.log", "")
            run.fail(change + seconds + 1, traditional=True)
            expected += 1
        assert run.failures(change + seconds + 5) == expected


@pytest.mark.parametrize("now", [-1.0, -DAY, -(2.0**31), 0.0, 0.5, 2.0**31, 2.0**32, 253e9])
def test_any_time_is_written(run: Run, now: float) -> None:
    """Before 1970, and beyond what a field of utmp holds."""
    started = min(max(now - 100, -(2.0**31)), 2.0**31 - 1)
    run.host.ssh_connection(1000, "alice", "pts/0")
    run.host.utmp(Record("alice", "pts/0", 1000, started, "192.0.2.7", "192.0.2.7"))
    status, said = run(at=now - NOW)
    assert status == 0, said
    assert run.samples()["users_run_timestamp_seconds"] == pytest.approx(now)
    assert "Traceback" not in said
