"""The sets of other exporters: beside the real w, and all of them in one file."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

import pytest

from tests.e2e.parts import Box, NodeExporter, run, samples
from tests.e2e.test_activity import PATIENCE, ended

pytestmark = pytest.mark.e2e

COLUMNS = ("user", "tty", "from", "login", "idle", "jcpu", "pcpu", "what")
SETS = "users,what,unix-user,ssh,user-sessions,ssh-sessions"
STAMPS = "RSYSLOG_FileFormat"  # ISO stamps
CLIENT = "client.example"
IDLE = 205  # seconds

# The shell burns CPU, and so does a second one in the foreground, which then says which it is:
# JCPU is more than PCPU.
COUNTING = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done"
BURNER = f"{COUNTING}; echo $$; while :; do :; done"
BURNING = f"{COUNTING}; sh -c '{BURNER}'; true"
# Longer than what w shows on 80 columns.
SLEEPER = "sleep 900 0.000000000000000000001 0.000000000000000000002"

# promtool's advice on names that are the exporters' own; on ours there is none.
ADVICE = {
    "ssh_sessions_total",
    "unix_user_session_count",
    "unix_users_logged_in_total",
    "user_sessions_process_count",
}


class Shown(NamedTuple):
    """What `w`, `w` that cuts nothing, `w -i` likewise, and the program show in one second."""

    cut: list[tuple[str, ...]]
    w: list[tuple[str, ...]]
    w_i: list[tuple[str, ...]]
    text: str


def rows_of_w(box: Box, *options: str, wide: bool = True) -> list[tuple[str, ...]]:
    """Return the columns of each session; where w has no room it cuts them."""
    columns = "512" if wide else "80"
    room = (f"COLUMNS={columns}", "PROCPS_FROMLEN=64", "PROCPS_USERLEN=32")
    text = box.run("env", *(room if wide else room[:1]), "w", "-h", *options).stdout
    return sorted(tuple(line.strip().split(None, 7)) for line in text.splitlines())


def series(text: str, family: str, names: tuple[str, ...], value: float) -> list[tuple[str, ...]]:
    """Return the labels, in the order of `names`, of a family's series that have a value."""
    found = []
    for name, now in samples(text).items():
        if name.startswith(family + "{") and now == value:
            labels = dict(re.findall(r'(\w+)="(.*?)"[,}]', name))
            assert sorted(labels) == sorted(names)
            found.append(tuple(labels[label] for label in names))
    return sorted(found)


def collect(box: Box, output: str) -> str:
    """Return what one scan writes, with a memory of these tests' own."""
    memory = f"{box.state}-sets"
    where = ("--state-directory", memory, "--runtime-directory", memory)
    assert box.collect(output, "--metrics", SETS, *where) == (0, "")
    return box.run("cat", output).stdout


def look_beside_w(box: Box) -> Shown:
    """Scan once within a second in which nothing that w shows has changed."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(1 - time.time() % 1)
        second = int(time.time())
        before = rows_of_w(box, wide=False), rows_of_w(box), rows_of_w(box, "-i")
        text = collect(box, f"{box.directory}/sets.prom")
        after = rows_of_w(box, wide=False), rows_of_w(box), rows_of_w(box, "-i")
        if int(time.time()) == second and before == after:
            return Shown(*before, text)
    raise AssertionError("a scan never fitted in a second")


def wait_for(box: Box, *commands: str) -> dict[str, tuple[str, ...]]:
    """Return w's rows by command when those are there that run `commands`."""
    end = time.monotonic() + PATIENCE
    while True:
        rows = {row[-1]: row for row in rows_of_w(box)}
        if sorted(rows) == sorted(commands):
            return rows
        assert time.monotonic() < end, rows
        time.sleep(0.1)


def test_labels_are_the_columns_of_w(box: Box) -> None:
    """A login by address with a burner, another by name that has been idle.

    The burner is stopped while w and the program look, so that both see the same hundredth.
    """
    hosts = box.root / "etc/hosts"
    before = hosts.read_text()
    hosts.write_text(f"127.0.0.1 {CLIENT}\n{before}")
    burning = box.ssh(box.sshd("UseDNS=no"), "-tt", BURNING)
    idle = box.ssh(box.sshd("UseDNS=yes"), "-tt", f"exec {SLEEPER}", user="tu-bob")
    try:
        with ended(box, burning, idle):
            assert burning.stdout is not None
            pid = burning.stdout.readline().decode().strip()
            box.run("kill", "-STOP", pid)
            tty = wait_for(box, f"sh -c {BURNER}", SLEEPER)[SLEEPER][1]
            # A part of a second, as the kernel leaves it there from when the terminal was made.
            stamp = f"@{int(time.time()) - IDLE}.9"
            box.run("touch", "-d", stamp, f"/dev/{tty}")

            shown = look_beside_w(box)
            assert series(shown.text, "ssh_session_info", COLUMNS, 1) == shown.w
            assert samples(shown.text)["ssh_sessions_total"] == 2
            (alice, bob) = shown.w
            assert (alice[0], alice[2], bob[0], bob[2]) == (
                "tu-alice",
                "127.0.0.1",
                "tu-bob",
                CLIENT,
            )
            assert bob[4].startswith("3:")
            assert float(alice[5].rstrip("s")) > float(alice[6].rstrip("s")) > 0
            for full, cut in zip(shown.w, shown.cut):
                assert all(map(str.startswith, full, cut))
            assert shown.cut != shown.w

            each = series(
                shown.text, "what_each_session_currently_active", ("user", "ip", "tty"), 1
            )
            assert each == [(row[0], row[2], row[1]) for row in shown.w_i]
            users = series(shown.text, "what_user_sessions_currently_active", ("user",), 1)
            assert users == [("tu-alice",), ("tu-bob",)]
            box.run("kill", "-CONT", pid)
        text = collect(box, f"{box.directory}/sets.prom")
        # What has ended is 0, so that a scrape sees it.
        assert series(text, "what_each_session_currently_active", ("user", "ip", "tty"), 0) == each
        assert series(text, "what_user_sessions_currently_active", ("user",), 0) == users
        gone = series(text, "ssh_num_sessions", ("remote_ip",), 0)
        assert gone == [("127.0.0.1",), (CLIENT,)], "as utmp had them"
        assert "ssh_session_info{" not in text
    finally:
        hosts.write_text(before)


def test_six_sets_in_one_file(box: Box, node_exporter: NodeExporter) -> None:
    """promtool and node_exporter take them together; one refused password counts once."""
    port = box.sshd()
    output = str(node_exporter.directory / "users.prom")
    with box.rsyslogd(STAMPS, reduce=False):
        refused = ("-o", "PreferredAuthentications=password", "-o", "NumberOfPasswordPrompts=1")
        box.ssh(port, *refused, "true", user="tu-bob", password="wrong horse").communicate()
        login = box.ssh(port, "-tt", "echo here; exec sleep 900")
        with ended(box, login):
            assert login.stdout is not None
            assert login.stdout.readline()
            text = collect(box, output)
            served = node_exporter.scrape()
    assert served["node_textfile_scrape_error"] == 0
    assert {name: value for name, value in samples(text).items() if "le=" not in name}.items() <= (
        served.items()
    )
    for name, value in (
        ("users_logged_in", 1),
        ('what_user_sessions_currently_active{user="tu-alice"}', 1),
        ("unix_users_logged_in_total", 1),
        ('ssh_num_sessions{remote_ip="127.0.0.1"}', 1),
        ("user_sessions_failed_logins_1h", 1),
        ("user_sessions_ssh_connections", 1),
        ("user_sessions_up", 1),
        ("ssh_sessions_total", 1),
    ):
        assert served[name] == value, name
    checked = run("promtool", "check", "metrics", input=text, check=False)
    assert {line.split()[0] for line in (checked.stdout + checked.stderr).splitlines()} <= ADVICE
