"""What a fleet costs its Prometheus: `python -m bench.fleet [--hosts N] [--seconds N]`, as root.

Counts the series of hosts with some sessions, in files that the program writes; then has a
real Prometheus with the project's rules scrape simulated hosts, first few and then many, over
loopback, and prints for 10,000 hosts what follows from the difference.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from bench.tools import table
from tests.e2e.parts import samples
from tests.e2e.prometheus import Prometheus, serving
from tests.hosts import PASSWD, Host
from textfile_users.cli import main as textfile_users

if TYPE_CHECKING:
    pass

RULES = [
    Path(__file__).parents[1] / "prometheus" / name for name in ("alerts.yml", "recording.yml")
]
FLEET = 10_000
SESSIONS = 2  # of the host that is simulated
INTERVAL = 2  # seconds between two scrapes
HISTOGRAM = "users_session_duration_seconds"
# What is another number at each scrape.
CHANGING = (
    "users_run_timestamp_seconds",
    "users_collector_duration_seconds",
    "users_cpu_seconds_total",
    "users_session_cpu_seconds",
    "users_session_last_activity_timestamp_seconds",
    "users_memory_resident_bytes",
)
DAY = 86_400
# For the size on disk: hosts and their samples, two hours of them.
BLOCK_HOSTS = 4
BLOCK_STEP = 15  # seconds
BLOCK_SECONDS = 7200
LOG = """{stamp} host sshd[{pid}]: Accepted publickey for {user} from {ip} port 4000 ssh2
{stamp} host sudo[{pid}]: {user} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/true
{stamp} host sshd[9{pid}]: Failed password for root from 203.0.113.{pid} port 4000 ssh2
"""


def page(directory: Path, sessions: int, *argv: str) -> str:
    """Return what the program writes of a host with so many sessions, each a user's.

    Each user has logged in and called sudo while the host was watched, and an address was refused.
    """
    host = Host(str(directory / "host"))
    host.no_sessions()
    log = host.write("var/log/auth.log", "")
    passwd = PASSWD
    lines = ""
    for number in range(sessions):
        user, ip = f"user{number}", f"192.0.2.{number}"
        passwd += f"{user}:x:{2000 + number}:100:{user}:/:/bin/sh\n"
        host.ssh_connection(100 + 10 * number, user, f"pts/{number}", uid=2000 + number)
        host.logind(str(number), USER=user, UID=2000 + number, LEADER=100 + 10 * number,
                    TTY=f"pts/{number}", REMOTE_HOST=ip)  # fmt: skip
        stamp = datetime.now(timezone.utc).isoformat()
        lines += LOG.format(stamp=stamp, user=user, ip=ip, pid=100 + 10 * number)
    host.write("etc/passwd", passwd)
    output, state = directory / "users.prom", directory / "state"
    argv = ("--root", host.root, "--output", str(output), "--state-directory", str(state),
            "--runtime-directory", str(state), "--timeout", "30", *argv)  # fmt: skip
    for more in ("", lines):
        with open(log, "a", encoding="utf-8") as file:
            file.write(more)
        if textfile_users(list(argv)):
            raise SystemExit("the program failed")
    return output.read_text()


def counted(*argv: str, sessions: int, without: str = "-") -> int:
    """Return the number of series of such a host, but for those of families ``without``."""
    with tempfile.TemporaryDirectory() as directory:
        found = samples(page(Path(directory), sessions, *argv))
    return sum(not name.startswith(without) for name in found)


class Fleet:
    """Pages of simulated hosts: one user is on all of them, the first is each one's own."""

    def __init__(self, text: str) -> None:
        """Simulate hosts by the page of one, whose users have logged in a day ago."""
        old = "users_last_login_timestamp_seconds"
        self._lines = [
            _later(line, -DAY) if line.startswith(old) else line for line in text.splitlines()
        ]
        self._began = time.time()

    def page(self, number: int, now: float) -> str:
        """Return the page of a host at a time."""
        passed = now - self._began
        lines = [
            _later(line, passed) if line.startswith(CHANGING) else line for line in self._lines
        ]
        text = "\n".join(lines) + "\n"
        return text.replace("user0", f"host{number}").replace("192.0.2.", f"192.0.{number % 256}.")

    def page_now(self, path: str) -> str:
        """Return what the host of that number serves now, for "/" and the number."""
        return self.page(int(path[1:]), time.time())


def _later(line: str, passed: float) -> str:
    name, _, value = line.rpartition(" ")
    return f"{name} {float(value) + passed}"


def measure(fleet: Fleet, hosts: int, seconds: float) -> dict[str, float]:
    """Have a Prometheus scrape so many hosts for some time; return what it came to."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(serving(fleet.page_now))
        targets = [f"{address}/{number}" for number in range(hosts)]
        running = Prometheus(Path(directory), targets, RULES, f"{INTERVAL}s")
        prometheus = stack.enter_context(running)
        time.sleep(seconds)
        with urllib.request.urlopen(f"{prometheus.url}/metrics", timeout=30) as response:
            own = samples(response.read().decode())

        def total(family: str) -> float:
            return sum(value for name, value in own.items() if name.startswith(family))

        return {
            "up": prometheus.value("sum(up)"),
            "alerts": len(prometheus.alerts()),
            "series": own["prometheus_tsdb_head_series"],
            "samples": total("prometheus_tsdb_head_samples_appended_total"),
            "resident": _resident(prometheus.process.pid),
            "cpu": own["process_cpu_seconds_total"],
            "rules": total("prometheus_rule_group_last_duration_seconds"),
        }


def bytes_per_sample(fleet: Fleet) -> float:
    """Return what a sample of some hosts takes in a block of two hours, index included."""
    with tempfile.TemporaryDirectory() as directory:
        text, blocks = Path(directory, "samples.txt"), Path(directory, "blocks")
        end = time.time() // BLOCK_SECONDS * BLOCK_SECONDS
        total = 0
        with text.open("w", encoding="utf-8") as file:
            for step in range(0, BLOCK_SECONDS, BLOCK_STEP):
                at = end - BLOCK_SECONDS + step
                for number in range(BLOCK_HOSTS):
                    for line in fleet.page(number, at).splitlines():
                        if not line.startswith("#"):
                            name, _, value = line.rpartition(" ")
                            bare, _, labels = name.partition("{")
                            labels = f'instance="{number}"' + (f",{labels}" if labels else "}")
                            file.write(f"{bare}{{{labels} {value} {at}\n")
                            total += 1
            file.write("# EOF\n")
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, blocks],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return sum(path.stat().st_size for path in blocks.rglob("*") if path.is_file()) / total


def _resident(pid: int) -> float:
    """Return a process's resident memory in bytes (proc_pid_status(5))."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024
    raise SystemExit("no VmRSS")


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each measurement")
    options = parser.parse_args()

    few, series, many = (counted(sessions=number) for number in (0, SESSIONS, 10))
    lean = counted(sessions=SESSIONS, without=f"{HISTOGRAM}_bucket")
    aggregate = counted("--aggregate-only", sessions=SESSIONS)
    rows = [("host", "series", f"{FLEET:,} hosts")]
    for name, count in (
        ("nobody on", few),
        (f"{SESSIONS} users with a session", series),
        ("10 users with a session", many),
        (f"{SESSIONS} users, without the histogram's buckets", lean),
        (f"{SESSIONS} users, --aggregate-only", aggregate),
    ):
        rows.append((name, f"{count}", f"{count * FLEET:,}"))
    print(table(rows), end="\n\n")

    with tempfile.TemporaryDirectory() as directory:
        fleet = Fleet(page(Path(directory), SESSIONS, "--network", "office=192.0.2.0/24"))
    first = measure(fleet, options.hosts // 4, options.seconds)
    second = measure(fleet, options.hosts, options.seconds)
    rows = [("measured", f"{first['up']:.0f} hosts", f"{second['up']:.0f} hosts")]
    for name, key, unit, form in (
        ("series in the head", "series", 1.0, ",.0f"),
        ("samples", "samples", 1.0, ",.0f"),
        ("alerts", "alerts", 1.0, ",.0f"),
        ("resident memory, MiB", "resident", 2.0**20, ",.0f"),
        ("CPU, seconds", "cpu", 1.0, ".1f"),
        ("one evaluation of all rules, ms", "rules", 1e-3, ",.0f"),
    ):
        rows.append((name, format(first[key] / unit, form), format(second[key] / unit, form)))
    print(table(rows), end="\n\n")

    more = {key: second[key] - first[key] for key in first}
    each = more["resident"] / more["series"]
    fixed = first["resident"] - each * first["series"]
    memory = fixed + each * FLEET * second["series"] / second["up"]
    size = bytes_per_sample(fleet)
    rows = [(f"{FLEET:,} hosts, extrapolated", "every 15 s", "every 60 s")]
    rates = [series * FLEET / interval for interval in (15, 60)]
    for name, values, form in (
        ("samples a second", rates, ",.0f"),
        ("memory, GiB", [memory / 2**30] * 2, ".1f"),
        ("disk a day, GiB", [rate * DAY * size / 2**30 for rate in rates], ".1f"),
        (
            "CPUs, the rules as often",
            [rate * more["cpu"] / more["samples"] for rate in rates],
            ".1f",
        ),
    ):
        rows.append((name, format(values[0], form), format(values[1], form)))
    print(table(rows), end="\n\n")
    print(f"{each / 1024:.1f} KiB of memory a series, {size:.2f} bytes of disk a sample")


if __name__ == "__main__":
    main()
