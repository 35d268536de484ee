"""Tries the package and its units on real Debian guests: `script/test-guests DIR [SUITE...]`.

DIR holds build.sh and vm.sh, which make and drive the guests (qemu). As root; minutes, so not
part of script/test. Prints what it checked and ends with 1 where something was wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.adds import ended, login
from tests.guests.events import (
    check_between_scans,
    check_forged,
    check_lost_clients,
    check_penalties,
    check_reboot,
    check_rotation,
    check_steps,
    check_whole_log,
)
from tests.guests.guest import PROGRAM, Guest
from tests.guests.install import (
    SOURCE,
    WHEELS,
    check_install,
    check_ten_minutes,
    check_timer,
    install,
    unpack_source,
)
from tests.guests.usage import check_usage

PROJECT = str(Path(__file__).parents[2])
SUITES = ("sid", "trixie", "bookworm")


def wheels(directory: str) -> None:
    """Make the project's wheel and those it needs; all of them are pure Python."""
    pip = [sys.executable, "-I", "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", directory]
    subprocess.run([*pip, PROJECT], check=True)
    subprocess.run([*pip, "prometheus_client", "utmp"], check=True)


def type_line(fifo: str, line: str) -> None:
    """Type a line into a terminal."""
    with open(fifo, "w") as file:
        file.write(line + "\n")


def open_sessions(guest: Guest) -> tuple[list[str], list[str], list[subprocess.Popen[bytes]]]:
    """Log in: alice twice and root once with a PTY, alice and bob without.

    Return where to type into the PTYs, their names, and the processes of the others.
    """
    suite = guest.suite
    ptys = [guest.call("tty", f"{user}@{suite}").split() for user in ("alice", "alice", "root")]
    plain = [
        subprocess.Popen(
            [guest.vm, "ssh", f"{user}@{suite}", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        for user, command in (("alice", ["sleep 900"]), ("bob", ["-s", "sftp"]))
    ]
    lines = []
    for _, fifo, output in ptys:
        line = None
        for _ in range(120):
            type_line(fifo, "tty")
            time.sleep(1)
            with open(output, errors="replace") as file:
                line = re.search(r"/dev/(pts/\d+)", file.read())
            if line:
                break
        lines.append(line[1] if line else "?")
    return [fifo for _, fifo, _ in ptys], lines, plain


def check_sessions(guest: Guest, lines: list[str], began: float) -> None:
    """Each session once, with the right terminal, address, type and login time."""
    samples = guest.samples()
    infos = [name for name in samples if name.startswith("users_session_info{")]
    found = sorted(
        tuple(_label(info, name) for name in ("user", "tty", "session_type", "remote_ip"))
        for info in infos
    )
    peer = guest.sh("ip route show default").split()[2]  # qemu's host is the guest's gateway
    expected = sorted(
        [("alice", line, "ssh", peer) for line in lines[:2]]
        + [("root", lines[2], "ssh", peer)]
        + [("alice", "", "ssh", peer), ("bob", "", "ssh", peer)]
    )
    guest.check("each session once, tty, type, address", found == expected, found)
    starts = [
        value for name, value in samples.items() if name.startswith("users_session_start_time")
    ]
    now = guest.now()
    right = len(starts) == 5 and all(began - 2 <= start <= now for start in starts)
    guest.check("login times", right, [round(start - began, 1) for start in starts])
    counts = sessions_by_user(guest)
    guest.check("users_sessions", counts == [3, 1], counts)
    utmp = samples['users_source_available{source="utmp"}']
    guest.check("utmp available", utmp == guest.has_log_file, utmp)
    success = {k: v for k, v in samples.items() if k.startswith("users_collector_success")}
    guest.check("collector success", set(success.values()) == {1}, success)
    page = guest.samples("curl -s http://localhost:9100/metrics")
    served = all(page.get(info) == 1 for info in infos)
    guest.check("node_exporter serves them", served, len(infos))
    error = page["node_textfile_scrape_error"]
    guest.check("node_textfile_scrape_error", error == 0, error)


def _label(name: str, label: str) -> str:
    found = re.search(rf'{label}="([^"]*)"', name)
    return found[1] if found else ""


def sessions_by_user(guest: Guest) -> list[float | None]:
    """Return the number of alice's and of bob's sessions."""
    samples = guest.samples()
    return [
        samples.get(f'users_sessions{{session_type="ssh",user="{u}"}}') for u in ("alice", "bob")
    ]


def check_silence(guest: Guest, began: float) -> None:
    """The program has never had anything to say since then."""
    said = guest.sh(f"journalctl -q -t textfile-users -o cat --since=@{int(began)}")
    guest.check("no message at all", said == "", repr(said))


def check_counters(guest: Guest, fifos: list[str]) -> None:
    """All that is done counts once; the sessions on the terminals behind `fifos` are open."""
    opened = login("publickey", "alice", 3) + login("publickey", "root")
    opened += login("publickey", "bob", 2)
    guest.check_adds("the logins so far, and three ends", opened + ended(3))
    check_steps(guest)
    check_lost_clients(guest)
    if guest.suite != "bookworm":  # since OpenSSH 9.8
        check_penalties(guest)
    check_between_scans(guest)
    if not guest.has_log_file:  # where there is one, logger(1) can forge what it likes
        check_forged(guest, fifos[0])
    check_rotation(guest)
    guest.check_adds("some time later", Counter())
    type_line(fifos[0], "exit")
    guest.check_adds("a terminal's session that ends", ended())
    check_reboot(guest, open_sessions=2)
    guest.check_adds("some time later", Counter())
    check_whole_log(guest)


def check_scans(guest: Guest) -> None:
    """What the program sees and counts."""
    install(guest)
    began = guest.now()
    fifos, lines, plain = open_sessions(guest)
    time.sleep(15)
    check_sessions(guest, lines, began)
    print(guest.sh(f"{PROGRAM} show --timeout 60"))
    check_timer(guest, 60, tries=3)
    check_usage(guest, fifos[1], lines[1])
    for process in plain:
        process.terminate()
        process.wait()
    time.sleep(20)
    after = sessions_by_user(guest)
    guest.check("sessions after logout", after == [2, 0], after)
    check_counters(guest, fifos)
    check_silence(guest, began)


PARTS = {"timer": check_ten_minutes, "install": check_install, "looks": check_scans}


def try_guest(directory: str, suite: str, parts: list[str], packages: str, source: str) -> int:
    """Try the parts on one guest; return the number of failures."""
    subprocess.run([os.path.join(directory, "build.sh"), suite], check=True)
    os.environ.setdefault("VM_WAIT", "900")  # a busy machine that emulates is slow to boot one
    guest = Guest(directory, suite)
    try:
        print(guest.call("start", suite), end="")
        guest.call("push", suite, packages, WHEELS)
        guest.call("push", suite, source, SOURCE)
        for part in parts:
            PARTS[part](guest)
    finally:
        print(guest.call("stop", suite), end="")
    return guest.failures


def main() -> int:
    """Try what is named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("suites", metavar="SUITE", nargs="*", default=SUITES)
    parser.add_argument("--part", choices=PARTS, action="append")
    options = parser.parse_args()
    directory = os.path.abspath(options.directory)
    with tempfile.TemporaryDirectory() as packages, tempfile.TemporaryDirectory() as source:
        wheels(packages)
        unpack_source(source)
        failures = sum(
            try_guest(directory, suite, options.part or list(PARTS), packages, source)
            for suite in options.suites
        )
    print(f"{failures} checks failed" if failures else "all checks passed")
    return 1 if failures else 0
