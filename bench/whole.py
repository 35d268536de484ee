"""What a whole run costs, beside its peers: ratios to a bare interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess

from bench.hosts import PROCESSES, logged_host
from bench.tools import PYTHON, RUN, medians, ours, peak_kib, table
from tests.hosts import Host
from tests.ordinary import ORDINARY

LOOKS = 50
PEER_SESSIONS = 10
HERE = os.path.dirname(__file__)
SCRIPT = os.path.join(HERE, "peer.py")
PACK = os.path.join(HERE, "../script/pyz.py")
IDLE = f"idle host: 10 sessions, {PROCESSES} processes"
THIS = "this host, all collectors"
NOBODY = "`nobody`, idle host"
# What is looked at, and a bound in times BASE.
HOSTS = {
    IDLE: (1, 10, PROCESSES, "at most 3"),
    "no session": (1, 0, PROCESSES, ""),
    "1,000 sessions, 3,000 processes": (1, 1_000, 3_001, ""),
    "10,000 sessions, 30,000 processes": (1, 10_000, 30_001, ""),
    "10 sessions, 5,000 processes": (1, 10, 5_000, ""),
    "idle host, auth log of 1 GB": (1_000, 10, PROCESSES, ""),
}
PEERS = ("who -u", "w -h", "ps -eo user,pcpu,rss")


def measure_whole(directory: str, runs: int) -> str:
    """Return the table, made with hosts in `directory`; the runs find nothing new in the logs."""
    commands: dict[str, list[str]] = {}
    for number, (name, (size, sessions, processes, _)) in enumerate(HOSTS.items()):
        root = os.path.join(directory, f"host-{number}")
        logged_host(root, size, sessions, processes)
        commands[name] = ours(f"{root}-state", "--root", root, "--timeout", "60")
    for number, (name, (change, flags)) in enumerate(ORDINARY.items()):
        root = os.path.join(directory, f"ordinary-{number}")
        logged_host(root, 1)
        change(Host(root))
        commands[name] = ours(f"{root}-state", "--root", root, "--timeout", "60", *flags)
    many = os.path.join(directory, "host-3")
    only = ("--collectors", "sessions", "--timeout", "60")
    commands["10,000 sessions, --collectors sessions"] = ours(f"{many}-only", "--root", many, *only)
    idle = ("--root", os.path.join(directory, "host-0"), "--timeout", "60")
    commands["idle host, from the one file"] = _one_file(directory, idle)
    # Of a type that nobody has there: a status other than 0 would be a fault here.
    commands[NOBODY] = [PYTHON, "-I", "-c", RUN, "nobody", *idle, "--session-type", "vnc"]
    commands[THIS] = ours(os.path.join(directory, "this"))
    again = ("--repeat", str(LOOKS), "--interval", "0.1")
    commands[f"repeat: {IDLE}"] = ours(os.path.join(directory, "repeat"), *idle, *again)
    commands[f"repeat: {THIS}"] = ours(os.path.join(directory, "repeat-this"), *again)
    commands.update(_peers(directory))
    found, base = medians(commands, runs, {name for name in commands if "10,000" in name})
    return _table(found, base, commands[IDLE])


def _one_file(directory: str, argv: tuple[str, ...]) -> list[str]:
    archive = os.path.join(directory, "textfile-users.pyz")
    subprocess.run([PYTHON, "-I", PACK, archive], check=True)
    return [PYTHON, "-I", archive, *ours(os.path.join(directory, "pyz"), *argv)[4:]]


def _peers(directory: str) -> dict[str, list[str]]:
    found = {}
    for words in map(str.split, PEERS):
        path = shutil.which(words[0])
        if path:
            found["`" + " ".join(words) + "`"] = [path, *words[1:]]
    users = "import psutil, utmp; psutil.users(); list(utmp.read(open('/run/utmp', 'rb').read()))"
    if os.path.exists("/run/utmp"):
        found["psutil.users() and the utmp library"] = [PYTHON, "-I", "-c", users]
    output = os.path.join(directory, "peer.prom")
    found["a script with write_to_textfile"] = [PYTHON, "-I", SCRIPT, output]
    return found


def _table(found: dict[str, float], base: float, idle: list[str]) -> str:
    repeated = {name: found.pop(f"repeat: {name}") for name in (IDLE, THIS)}
    rows = [("a whole run", "x BASE", "bound")]
    for name, cost in found.items():
        bound = HOSTS[name][-1] if name in HOSTS else ""
        if name == NOBODY:
            bound = "at most 2"
        if name.endswith("--collectors sessions"):
            bound = f"under 1 s: {cost * base:.2f} s"
        rows.append((name, f"{cost:.2f}", bound))
    part = found[THIS] / found["a script with write_to_textfile"]
    rows.append(("ours on this host : the script", f"{part:.2f}", "at most 0.36"))
    for name, cost in repeated.items():
        one, place = found[name], name.partition(":")[0].partition(",")[0]
        look = (cost - one) / (LOOKS - 1)
        bound = f"under 0.2 of a run: {look / one:.3f}; at most 5 ms: {look * base * 1000:.1f} ms"
        rows.append((f"a scan of --repeat {LOOKS}, {place}", f"{look:.2f}", bound))
    code = f"sys.argv = {['x', *idle[4:]]!r}\nfrom textfile_users.__main__ import run\nrun()"
    least = peak_kib("")
    rows.append(("peak memory, x BASE's", f"{peak_kib(code) / least:.2f}", "at most 2"))
    return f"BASE: {base * 1000:.1f} ms of CPU, {least} KiB\n\n{table(rows)}"
