"""What the kernel writes of a user's slice, for tests and bench."""

from __future__ import annotations

V2 = "sys/fs/cgroup/user.slice"
PRESSURE = """\
some avg10=0.00 avg60=0.12 avg300=0.05 total=%d
full avg10=0.00 avg60=0.10 avg300=0.03 total=%d
"""
# As Linux 6.12 writes them where all controllers are on, and with limits.
FILES = {
    "memory.current": "268435456\n",
    "memory.high": "1073741824\n",
    "memory.max": "2147483648\n",
    "memory.events": "low 0\nhigh 12\nmax 0\noom 3\noom_kill 2\noom_group_kill 1\n",
    "cpu.max": "150000 100000\n",
    "cpu.stat": (
        "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnice_usec 0\n"
        "core_sched.force_idle_usec 0\nnr_periods 50\nnr_throttled 20\nthrottled_usec 1500000\n"
        "nr_bursts 0\nburst_usec 0\n"
    ),
    "pids.current": "42\n",
    "pids.max": "5120\n",
    "io.stat": (
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n"
        "253:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n"
    ),
    "cpu.pressure": PRESSURE % (3_000_000, 1_000_000),
    "memory.pressure": PRESSURE % (500_000, 250_000),
    "io.pressure": PRESSURE % (0, 0),
}
