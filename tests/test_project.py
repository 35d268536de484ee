"""What ships beside the code says the same as the code."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from textfile_users import __version__
from textfile_users.metrics.slices import FAMILIES as SLICES
from textfile_users.metrics.users import FAMILIES
from textfile_users.options import COLLECT_OPTIONS, parse_plain

PROJECT = Path(__file__).parents[1]


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def test_every_flag_is_in_the_docs() -> None:
    options = read("docs/options.md")
    for option in COLLECT_OPTIONS:
        assert f"`{option.flag}" in options


def test_every_family_is_documented() -> None:
    documented = set(re.findall(r"^### `(users_\w+)`", read("docs/metrics.md"), re.MULTILINE))
    assert documented == {*FAMILIES, *SLICES}


def test_the_changelog_has_this_version() -> None:
    assert f"## {__version__} " in read("CHANGELOG.md")


def unit(name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(read(f"systemd-timer/{name}"))
    return parser


def test_the_timer_is_exact_and_the_service_quiet() -> None:
    """The defaults would be a minute's slack, three journal lines a run and a start limit."""
    timer, service = unit("textfile-users.timer"), unit("textfile-users.service")
    assert timer["Timer"]["OnCalendar"] == "*:*:0/5"
    assert timer["Timer"]["AccuracySec"] == "100ms"
    assert timer["Timer"]["FixedRandomDelay"] == "true"
    assert service["Unit"]["StartLimitIntervalSec"] == "0"
    assert service["Service"]["LogLevelMax"] == "notice"
    assert service["Service"]["TimeoutStartSec"] == "10"
    assert service["Service"]["RuntimeDirectoryPreserve"] == "yes"
    assert service["Service"]["CapabilityBoundingSet"] == ""
    assert "RemainAfterExit" not in service["Service"]


def test_changes_are_looked_at_and_never_stop_the_watching() -> None:
    """A limit that trips ends a path unit; instead the service keeps its scans apart."""
    path, service = unit("textfile-users.path"), unit("textfile-users.service")
    text = read("systemd-timer/textfile-users.path")
    assert "PathChanged=/run/utmp\n" in text
    assert "PathChanged=/run/systemd/sessions\n" in text
    assert path["Path"]["TriggerLimitIntervalSec"] == "0"
    assert "Environment=SECONDS_APART=1\n" in read("systemd-timer/textfile-users.service")
    assert service["Unit"]["StartLimitIntervalSec"] == "0"


def test_settings_reach_the_unit() -> None:
    """Without a default for OPTIONS systemd 254 and later warn in each run."""
    text = read("systemd-timer/textfile-users.service")
    assert unit("textfile-users.service")["Service"]["ExecStart"].endswith(" $OPTIONS")
    assert text.index("Environment=OPTIONS=\n") < text.index("EnvironmentFile=-")


@pytest.mark.parametrize(
    ("name", "columns"), [("cron/textfile-users", 6), ("cron/textfile-users.crontab", 5)]
)
def test_cron_entries_call_the_program_with_plain_arguments(name: str, columns: int) -> None:
    """cron.d has a user column; busybox has none."""
    (line,) = [line for line in read(name).splitlines() if line.startswith("* * * * *")]
    assert "%" not in line, "cron ends the command there"
    words = shlex.split(line)
    # Settings are exported, and their globs stay as they are.
    start = words.index("set")
    assert start == columns
    assert words[start + 1] == "-af;"
    program = words.index("/opt/textfile-users/bin/python3")
    assert words[program - 1] == "exec"
    assert words[program + 1 : program + 3] == ["-I", "-c"]
    assert words[program + 3] == "from textfile_users.__main__ import run; run()"
    assert words[-1] == "$OPTIONS"
    values = parse_plain(words[program + 4 : -1], COLLECT_OPTIONS)
    assert values is not None
    assert (values.repeat, values.interval) == (12, 5.0)
    assert read(name).endswith("\n"), "cron ignores a last line without a newline"


def test_no_line_of_the_project_names_another_place() -> None:
    """Only the installed path, documentation's addresses and example hosts."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={PROJECT}", "-C", str(PROJECT), "ls-files"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "README.md" in listed.stdout
    for name in listed.stdout.split():
        for address in re.findall(r"\b(?:10|172|192)\.\d+\.\d+\.\d+\b", read(name)):
            allowed = address.startswith("192.0.2.")
            assert allowed, f"{name}: {address}"
