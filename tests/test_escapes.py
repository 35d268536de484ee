"""No name steers a terminal, whatever prints it; a pipe gets every byte."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.hosts import NOW, Host, Record
from tests.test_show import ESCAPES, Terminal

# Sets a title, clears the screen, is C1's CSI, deletes, writes backwards, ends a line.
EVIL = "\x1b]0;x\x07\x1b[2J\x9b2J\x7f\u202e\u2028"
COMMANDS = {
    "file": ["--output", "-", "--session-command", "--state-directory", "STATE", "-vv"],
    "table": ["show", "--session-command"],
    "JSON": ["show", "--json", "--session-command"],
    "doctor": ["doctor", "--state-directory", "STATE"],
    "uninstall": ["uninstall", "--dry-run"],
    "install": ["install", "--dry-run"],
}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host on which every name that others choose is hostile, and its own path too."""
    host = Host(str(tmp_path / f"ro{EVIL}ot"))
    host.write("etc/passwd", f"alice:x:1000:100:Al{EVIL}ice:/:/bin/sh\n")
    host.write("etc/group", f"us{EVIL}ers:x:100:\n")
    host.write("etc/default/textfile-users", f"OPTIONS={EVIL}\nNO{EVIL}=1\n")
    host.write("etc/textfile-users/installed", f"0 0755 /var/lib/pr{EVIL}om\nmade /{EVIL}\n")
    host.write(f"var/lib/pr{EVIL}om/users.prom", "")
    host.write("var/lib/node_exporter/x", "")
    host.write("usr/lib/systemd/systemd", "")
    host.utmp(Record(host=f"h{EVIL}ost"), Record(user=f"a{EVIL}b", line="pts/1", pid=1001))
    for pid, user in ((1000, "alice"), (1001, f"a{EVIL}b")):
        host.process(pid, "sshd", title=f"sshd: {user}{EVIL} [priv]")
    host.logind("7", USER=f"c{EVIL}", REMOTE_HOST=f"r{EVIL}", LEADER=1000, TTY=f"t{EVIL}")
    host.write("var/log/auth.log", f"Dec  7 09:00:00 h sshd[9]: Accepted x{EVIL}\n")
    return host


def argv_of(host: Host, words: list[str], state: Path) -> list[str]:
    now = [] if words[0] in ("install", "uninstall") else ["--now", str(NOW)]
    argv = [word.replace("STATE", str(state)) for word in words]
    return [*argv, "--root", host.root, *now]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_terminal_gets_what_is_printable(command: str, host: Host, tmp_path: Path) -> None:
    terminal = Terminal(argv_of(host, COMMANDS[command], tmp_path / "state"), NO_COLOR="1")
    terminal.read_until(10**6, "\0")  # all of it
    terminal.end()
    said = ESCAPES.sub("", terminal.output).replace("\r\n", "\n")
    assert "Traceback" not in said
    assert said
    raw = {char for char in said if not char.isprintable()} - {"\n"}
    assert {unicodedata.name(char, hex(ord(char))) for char in raw} == set()


@pytest.mark.parametrize("command", ["file", "uninstall"])
def test_a_pipe_gets_every_byte(command: str, host: Host, tmp_path: Path) -> None:
    argv = argv_of(host, COMMANDS[command], tmp_path / "state")
    done = subprocess.run(
        [sys.executable, "-m", "textfile_users", *argv], capture_output=True, check=False
    )
    assert EVIL.encode() in done.stdout


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    root = Host(os.fsdecode(bytes(tmp_path) + b"/\xff\xfe")).root
    (Path(root) / "var/lib/prometheus/node-exporter").mkdir(parents=True)
    argv = ["uninstall", "--dry-run", "--root", root]
    done = subprocess.run(
        [sys.executable, "-m", "textfile_users", *argv], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"/\xff\xfe/var/lib/prometheus/node-exporter" in done.stdout
    terminal = Terminal(argv)
    assert terminal.end() == 0
    assert "\\udcff\\udcfe" in terminal.output
