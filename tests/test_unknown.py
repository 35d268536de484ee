"""A word or option that is not known is answered by the nearest one, in one line, with status 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from textfile_users.cli import main

COMMANDS = "collect, show, nobody, events, records, doctor, install, uninstall"
HELP = "(see textfile-users --help)"
# A word, and what it was meant to be.
MEANT = {
    "shwo": "show",
    "SHOW": "show",
    "doc": "doctor",
    "unistall": "uninstall",
    "help": "--help",
    "version": "--version",
    "ouptut": "--output",
}
SETS = "users, what, unix-user, ssh, user-sessions, ssh-sessions"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        # Words where a command is expected.
        *(
            ([word], f"'{word}' is no command; did you mean {meant}?")
            for word, meant in MEANT.items()
        ),
        (["shwo", "--json"], "'shwo' is no command; did you mean show?"),
        (["--", "shwo"], "'shwo' is no command; did you mean show?"),
        (["-v", "shwo"], "'shwo' is no command; did you mean show?"),
        (["nonsense"], f"'nonsense' is no command; choose from {COMMANDS}"),
        ([""], f"'' is no command; choose from {COMMANDS}"),
        (["-"], f"'-' is no command; choose from {COMMANDS}"),
        (["="], f"'=' is no command; choose from {COMMANDS}"),
        (["a\x1b[31m\n"], rf"'a\x1b[31m\n' is no command; choose from {COMMANDS}"),
        (["\udcff\udcfe"], rf"'\xff\xfe' is no command; choose from {COMMANDS}"),
        (["a" * 100_000], f"'{'a' * 64}...' is no command; choose from {COMMANDS}"),
        # A command behind something else.
        (
            ["--root", "/", "show"],
            "'show' is a command, not an option; a command is the first word",
        ),
        (["collect", "show"], "'show' is a command, not an option; a command is the first word"),
        # Options.
        (["--ouptut", "x"], "'--ouptut' is no option; did you mean --output?"),
        (["--ouptut=x"], "'--ouptut' is no option; did you mean --output?"),
        (["--state_directory", "x"], "'--state_directory' is no option; did you mean --state-dir"),
        (["--rep", "3"], "'--rep' is no option; did you mean --repeat?"),
        (["--auth"], "'--auth' is no option; did you mean --auth-log or --auth-source?"),
        (["--doctor"], "'--doctor' is no option; did you mean doctor?"),
        (["--watch"], "'--watch' is an option of show, not of collect"),
        (["-help"], "'-help' is no option; did you mean --help?"),
        (["-version"], "'-version' is no option; did you mean --version?"),
        (["-output=x"], "'-output' is no option; did you mean --output?"),
        (["-x"], "'-x' is no option"),
        (["---"], "'---' is no option"),
        (["--"], "'--' is no option"),
        # Values.
        (["--metrics", "user"], "argument --metrics: 'user' is not known; did you mean users?"),
        (["--metrics", "users,w"], f"argument --metrics: 'w' is not known; choose from {SETS}"),
        (["--metrics", ""], f"argument --metrics: '' is not known; choose from {SETS}"),
        (
            ["--auth-source=file"],
            "argument --auth-source: 'file' is not known; did you mean files?",
        ),
        (["--redact", "hosts"], "argument --redact: 'hosts' is not known; did you mean host?"),
        (["--repeat", "9" * 90_000], f"argument --repeat: '{'9' * 280}... "),
    ],
)
def test_the_nearest_is_suggested(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"textfile-users: {said}")
    assert err.endswith(f" {HELP}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "argv", "said"),
    [
        ("show", ["extra"], "'extra' is no word for show"),
        ("show", ["help"], "'help' is no word for show; did you mean --help?"),
        ("show", ["json"], "'json' is no word for show; did you mean --json?"),
        ("show", ["doctor"], "'doctor' is a command, not an option; a command is the first word"),
        ("show", ["--ouptut"], "'--ouptut' is no option of show"),
        ("show", ["--wacth"], "'--wacth' is no option of show; did you mean --watch?"),
        ("show", ["--output", "x"], "'--output' is an option of collect and doctor, not of show"),
        ("doctor", ["me"], "'me' is no word for doctor"),
        ("install", ["--dryrun"], "'--dryrun' is no option of install; did you mean --dry-run?"),
        (
            "events",
            ["a", "--now", "5", "b"],
            "'b' stands apart: give the files one after",
        ),
        ("events", ["--unmached", "a"], "'--unmached' is no option of events; did you mean --unm"),
        ("records", ["-x", "a"], "'-x' is no option of records"),
    ],
)
def test_words_behind_a_command(
    command: str, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"textfile-users: {said}")
    assert err.endswith(f" (see textfile-users {command} --help)\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("word", ["-h", "--help", "--version"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS.split(", "))], ids="".join)
def test_every_command_has_help_and_version(
    command: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, word]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("textfile-users " if word == "--version" else "usage: textfile-users")
    assert err == ""


def test_difflib_is_imported_for_mistakes_alone() -> None:
    program = (
        "import sys\n"
        "from textfile_users.parsers import parse_collect\n"
        "parse_collect(['-v', '--metrics', 'users'])\n"
        "assert 'difflib' not in sys.modules\n"
        "try:\n    parse_collect(['shwo'])\nexcept SystemExit:\n    pass\n"
        "assert 'difflib' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
