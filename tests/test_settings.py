"""The settings file means the same to systemd and to a shell, or is said to be wrong."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from textfile_users.paths import Paths
from textfile_users.product import SETTINGS
from textfile_users.setup.settings import KNOWN, parse_settings, read_settings


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# all users\n\n  # more\n", {}),
        ("TEXTFILE_DIRECTORY=/srv/a#b\n", {"TEXTFILE_DIRECTORY": "/srv/a#b"}),
        ("TEXTFILE_DIRECTORY=\n", {"TEXTFILE_DIRECTORY": ""}),
        ('TEXTFILE_DIRECTORY="/srv/with blank"', {"TEXTFILE_DIRECTORY": "/srv/with blank"}),
        ("  EXCLUDE_USERS='nagios backup*'  \n", {"EXCLUDE_USERS": "nagios backup*"}),
        ('OPTIONS="--all-users -v --network office=192.0.2.0/24"',
         {"OPTIONS": "--all-users -v --network office=192.0.2.0/24"}),
        ('OPTIONS="--exclude-user nag*"', {"OPTIONS": "--exclude-user nag*"}),
        ("SSH_PORTS=22,2222\nSSH_PORTS=2200\n", {"SSH_PORTS": "2200"}),
        ("LOG_LEVEL=debug", {"LOG_LEVEL": "debug"}),
    ],
)  # fmt: skip
def test_right_settings(text: str, values: dict[str, str]) -> None:
    assert parse_settings(text) == (values, ())
    assert _as_a_shell_reads(text) == values


def _as_a_shell_reads(text: str) -> dict[str, str]:
    """Return what sh makes of the file in an environment without any of the names."""
    command = 'set -a; eval "$1"; env -0'
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-c", command, "sh", text], env=environment, stdout=subprocess.PIPE, check=True
    )
    pairs = (line.partition("=") for line in done.stdout.decode().split("\0"))
    return {name: value for name, _, value in pairs if name in KNOWN}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nonsense", "is not NAME=value"),
        ("; systemd's other comment", "begin comments with #"),
        ("export LOG_LEVEL=debug", "'export LOG_LEVEL' is not known"),
        ("OPTION=--all-users", "use one of TEXTFILE_DIRECTORY, OPTIONS"),
        ("LOG_LEVEL = debug", "blanks beside the ="),
        ("LOG_LEVEL= debug", "blanks beside the ="),
        ("EXCLUDE_USERS=a b", 'put it in quotes: "a b"'),
        ("EXCLUDE_USERS=$HOME", "$ means one thing to systemd"),
        ('EXCLUDE_USERS="`id`"', "` means"),
        ("EXCLUDE_USERS=a;reboot", "; means"),
        ("EXCLUDE_USERS=a\\", "\\ means"),
        ("EXCLUDE_USERS='a\\'", "\\ means"),
        ('EXCLUDE_USERS=a"b"', '" means'),
        ("TEXTFILE_DIRECTORY=~/textfile", "~ means"),
        ('EXCLUDE_USERS="a', 'a " without its pair'),
        ("EXCLUDE_USERS='", "a ' without its pair"),
        ("EXCLUDE_USERS=a\x1b[31m", "cannot be printed"),
        ("LOG_LEVEL=debug\r", "carriage return; run: sed -i"),
        ("TEXTFILE_DIRECTORY=textfile", "give the whole path"),
        ("SSH_PORTS=22,ssh", "'ssh' is not a port"),
        ("OPTIONS=--all-user", "OPTIONS: '--all-user' is no option; did you mean --all-users?"),
        ('OPTIONS="--timeout soon"', "'soon' is not a number"),
        ("OPTIONS=show", "'show' is a command, not an option"),
        ("OPTIONS=--help", "asks for words instead of a scan"),
        ('OPTIONS="--exclude-user \'a\'"', "leave them out"),
    ],
)  # fmt: skip
def test_each_fault_has_its_line_and_its_mend(line: str, fault: str) -> None:
    values, faults = parse_settings(f"# one\n{line}\nLOG_LEVEL=info\n")
    assert values == {"LOG_LEVEL": "info"}
    (said,) = faults
    assert said.line == 2
    assert fault in str(said)
    assert str(said).startswith("line 2: ")
    assert str(said).isprintable()


@pytest.mark.parametrize(
    "line", ["{}", "\0{}", "{}=1", "EXCLUDE_USERS=a {}", "TEXTFILE_DIRECTORY={}", "SSH_PORTS={}"]
)
def test_a_long_line_is_not_said_whole(line: str) -> None:
    """With --root it may be a container's, whose owner could fill terminal and log."""
    _, (said,) = parse_settings(line.format("x" * 60_000))
    assert len(str(said)) < 500
    assert str(said).isprintable()


def test_a_mend_is_never_what_the_file_says() -> None:
    _, (said,) = parse_settings("x; run: reboot #")
    assert (said.line, said.mend) == (1, "")
    _, (said,) = parse_settings("LOG_LEVEL=x\r")
    assert said.mend == f"sed -i 's/\\r$//' {SETTINGS}"


def settings_file(root: Path) -> Path:
    path = root / SETTINGS.lstrip("/")
    path.parent.mkdir(parents=True)
    return path


def test_read(tmp_path: Path) -> None:
    root = tmp_path / "a; b"
    paths = Paths(str(root))
    assert read_settings(paths) == ({}, ())
    path = settings_file(root)
    path.write_text("LOG_LEVEL=debug\n")
    path.chmod(0o644)
    assert read_settings(paths) == ({"LOG_LEVEL": "debug"}, ())
    path.chmod(0o666)
    values, (fault,) = read_settings(paths)
    assert values == {}, "another than root may have written them"
    assert fault == (
        0,
        "others than root can write it",
        f"chown root '{path}'; chmod 644 '{path}'; ${{EDITOR:-vi}} '{path}'",
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"#" * 70_000, "cannot be read: longer than 65536 bytes"),
        (None, "cannot be read: is a directory, not a file"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = settings_file(tmp_path)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    values, (said,) = read_settings(Paths(str(tmp_path)))
    assert values == {}
    assert (said.line, said.mend) == (0, "")
    assert said.text.startswith(fault)


def test_no_link_leads_out_of_another_root(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    path = settings_file(tmp_path / "host")
    path.symlink_to("/etc/passwd")
    values, (said,) = read_settings(Paths(str(tmp_path / "host")))
    assert (values, str(said)) == ({}, "cannot be read: leads out of the root")
