"""Plain arguments are read without argparse, and exactly as argparse would."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.cli import main
from textfile_users.options import COLLECT_OPTIONS, Values, parse_plain
from textfile_users.parsers import add_options, parse_collect

FLAGS = [option.flag for option in COLLECT_OPTIONS]
WORDS = st.one_of(
    st.sampled_from(FLAGS),
    st.sampled_from(["1", "5", "0.5", "nan", "1e999", "-", "--", "-1", "users", "sessions", "x,y"]),
    st.text("-=a1 .,", max_size=4),
    st.tuples(st.sampled_from(FLAGS), st.sampled_from(["1", "", "users", "sessions", "-x"])).map(
        "=".join
    ),
)


class Refused(Exception):
    pass


def by_argparse(argv: list[str]) -> dict[str, object]:
    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]
            raise Refused(message)

    parser = Parser(allow_abbrev=False, add_help=False)
    add_options(parser, COLLECT_OPTIONS)
    return vars(parser.parse_args(argv, Values()))


@given(st.lists(WORDS, max_size=5))
def test_what_is_plain_means_what_argparse_says(argv: list[str]) -> None:
    plain = parse_plain(argv, COLLECT_OPTIONS)
    if plain is not None:
        assert vars(plain) == by_argparse(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--repeat", "12", "--interval", "5"],
        ["--output=-", "--root", "/host", "--exclude-user", "a", "--exclude-user", "b*"],
    ],
)
def test_what_the_timer_and_cron_give_is_plain(argv: list[str]) -> None:
    assert parse_plain(argv, COLLECT_OPTIONS) is not None


PATH_OPTIONS = (
    *("output", "textfile-directory", "state-directory", "runtime-directory", "utmp", "auth-log"),
)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--repeat", "0"], "argument --repeat: '0' is not a number from 1 to 1000000"),
        (["--repeat", "99999999999"], "argument --repeat: '99999999999' is not a number from 1"),
        (["--interval", "0"], "argument --interval: '0' is not a number of seconds"),
        (["--timeout", "nan"], "argument --timeout: 'nan' is not a time"),
        (["--metrics", "users,w"], "argument --metrics: 'w' is not known; choose from users"),
        (["--collectors", ""], "argument --collectors: '' is not known"),
        *(([f"--{name}="], f"argument --{name}: an empty path") for name in ("root", "output")),
        *(([f"--{name}", ""], f"argument --{name}: an empty path") for name in PATH_OPTIONS),
        (["--root"], "argument --root: expected one argument"),
        (["nonsense"], "'nonsense' is no command; choose from collect, show"),
        (["--rep", "3"], "'--rep' is no option; did you mean --repeat?"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"textfile-users: {message}")
    assert said.endswith(" (see textfile-users --help)\n")
    assert said.count("\n") == 1


def test_verbosity() -> None:
    assert [parse_collect(argv).verbose for argv in ([], ["-v"], ["-vv"], ["-v", "-v"])] == [
        0,
        1,
        2,
        2,
    ]
