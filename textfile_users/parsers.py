"""The commands' arguments by argparse: help, mistakes, and whatever else is not plain."""

from __future__ import annotations

from textfile_users import __version__
from textfile_users.console import PROGRAM
from textfile_users.options import (
    COLLECT_OPTIONS,
    HOST_OPTIONS,
    INSTALL_ROOT,
    NOW,
    TEXTFILE_DIRECTORY,
    Option,
    Values,
    WrongUsage,
    choice_of,
    parse_plain,
)
from textfile_users.sessions.session import TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable
    from typing import NoReturn

MAX_MESSAGE = 300  # characters of what is wrong with the arguments
DESCRIPTION = (
    "Scan this host once: who is logged in, who came and went, who failed to get\n"
    "in. Write one .prom file for node_exporter's textfile collector, and exit."
)
COMMANDS_HELP = """commands:
  collect        scan once, write, exit (the default)
  show           print who is logged in as a table
  nobody         exit with 0 only if it is known that nobody is on
  events FILE    print the events in auth logs as JSON lines; - is stdin
  records FILE   print the records of utmp, wtmp and btmp files as JSON lines
  doctor         check the set-up and suggest a fix for each problem
  install        put timer or cron entry in place; uninstall removes them
Each has --help of its own."""

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
# The kernel sets a terminal's time every 8 s: in less nobody can be seen to type.
_LEAST_IDLE = 60


def _idle(text: str) -> int:
    """Return seconds of ``30m``. A bare number is refused: it may be meant as minutes."""
    number, unit = text[:-1], _UNITS.get(text[-1:])
    seconds = int(number) * unit if unit and number.isascii() and number[:9].isdigit() else 0
    if not (len(number) < 9 and _LEAST_IDLE <= seconds <= 365 * _UNITS["d"]):
        raise ValueError(f"{text!r} is not a time from 1m to 365d, such as 90s, 30m, 8h")
    return seconds


# Of the host's those that tell whose sessions there are; what reads logs is of no use.
_OF_HOST = ("root", "utmp", "exclude_user", "ssh_port", "timeout", "now")
NOBODY_OPTIONS = (
    Option(
        "--idle",
        "TIME",
        "leave out sessions without input for so long, such as 30m",
        None,
        _idle,
    ),
    Option(
        "--session-type",
        "LIST",
        "count only these, comma-separated: " + ",".join(TYPES),
        (),
        choice_of(*TYPES),
    ),
    *(option for option in HOST_OPTIONS if option.name in _OF_HOST),
    Option("--json", "", "print one JSON object"),
    Option("--quiet", "", "print nothing on stdout"),
)


def parse_collect(argv: list[str]) -> Values:
    """Return the values of `collect`'s arguments. Raises SystemExit as argparse does."""
    values = parse_plain(argv, COLLECT_OPTIONS)
    return parse("collect", argv) if values is None else values


def parse(command: str, argv: list[str], start: Values | None = None) -> Values:
    """Return the values of a command's arguments, which go before and add to those of ``start``.

    Raises WrongUsage, and SystemExit for what argparse answers itself: --help, --version.
    """
    parser = PARSERS[command]()
    values = Values()
    for name, value in vars(start or values).items():
        setattr(values, name, list(value) if isinstance(value, list) else value)
    words = argv[: argv.index("--")] if "--" in argv else argv
    # argparse would take -help for -h with a value.
    unknown = [word for word in words if word[:1] == "-" and f"-{word}" in _flags(parser)]
    if not unknown:
        values, unknown = parser.parse_known_args(argv, values)
    if unknown:
        from textfile_users.unknown import tell_unknown

        word = next((word for word in unknown if word != "--"), "--")
        flags = {name: _flags(make()) for name, make in PARSERS.items()}
        parser.error(tell_unknown(word, command, flags))
    return values


def _flags(parser: ArgumentParser) -> tuple[str, ...]:
    return tuple(parser._option_string_actions)


def _collect_parser() -> ArgumentParser:
    parser = _parser(PROGRAM, DESCRIPTION, COMMANDS_HELP)
    add_options(parser, COLLECT_OPTIONS)
    parser.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        help="report sessions that began or ended; twice: why a record or line counts or not",
    )
    return parser


def _show_parser() -> ArgumentParser:
    parser = _parser(f"{PROGRAM} show", "Show who is logged in as a table.")
    add_options(parser, HOST_OPTIONS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--watch", action="store_true", help="repeat the scan until Ctrl-C")
    return parser


def _nobody_parser() -> ArgumentParser:
    parser = _parser(
        f"{PROGRAM} nobody",
        "Exit with 0 only if it is known that nobody is logged in, with 1 and a line for each\n"
        "session if somebody is, with 2 if it cannot be known.",
    )
    add_options(parser, NOBODY_OPTIONS)
    parser.add_argument("-q", dest="quiet", action="store_true", help="the same")
    return parser


def _doctor_parser() -> ArgumentParser:
    parser = _parser(
        f"{PROGRAM} doctor",
        "Check the set-up and suggest a fix for each problem; exit with 1 if there is a fault.",
    )
    add_options(parser, COLLECT_OPTIONS)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    return parser


def _install_parser() -> ArgumentParser:
    parser = _parser(
        f"{PROGRAM} install", "Put the timer or the cron entry in place and scan once. As root."
    )
    add_options(parser, (INSTALL_ROOT, TEXTFILE_DIRECTORY))
    parser.add_argument("--cron", action="store_true", help="use cron even if systemd runs")
    parser.add_argument(
        "--in-place",
        action="store_true",
        help="write users.prom into the textfile directory itself, not into /run with a link to it",
    )
    _add_to_setup(parser, "do not scan, accept a host where nothing can run yet")
    return parser


def _uninstall_parser() -> ArgumentParser:
    parser = _parser(f"{PROGRAM} uninstall", "Remove what install has put in place. As root.")
    add_options(parser, (INSTALL_ROOT, TEXTFILE_DIRECTORY))
    _add_to_setup(parser, "keep state, settings, user and key")
    return parser


def _add_to_setup(parser: ArgumentParser, packaged: str) -> None:
    parser.add_argument("--dry-run", action="store_true", help="print each step, do nothing")
    parser.add_argument(
        "--packaged", action="store_true", help=f"for a package's scripts: {packaged}"
    )


def _events_parser() -> ArgumentParser:
    parser = _parser(f"{PROGRAM} events", "Print the events in auth logs as JSON lines.")
    parser.add_argument("files", metavar="FILE", nargs="*", help="- is stdin, the default")
    parser.add_argument(
        "--unmatched",
        action="store_true",
        help="print instead the lines of known programs that no pattern matches",
    )
    add_options(parser, (NOW,))
    return parser


def _records_parser() -> ArgumentParser:
    parser = _parser(
        f"{PROGRAM} records",
        "Print the records of utmp, wtmp, btmp and wtmp.db as JSON lines.",
    )
    parser.add_argument("files", metavar="FILE", nargs="+")
    return parser


# What reads the arguments of each command, where they are not plain.
PARSERS: dict[str, Callable[[], ArgumentParser]] = {
    "collect": _collect_parser,
    "show": _show_parser,
    "nobody": _nobody_parser,
    "events": _events_parser,
    "records": _records_parser,
    "doctor": _doctor_parser,
    "install": _install_parser,
    "uninstall": _uninstall_parser,
}


def add_options(parser: ArgumentParser, options: Iterable[Option]) -> None:
    """Add the options of a table to an argparse parser."""
    for option in options:
        if not option.metavar:
            parser.add_argument(option.flag, action="store_true", help=option.help_text)
            continue
        parser.add_argument(
            option.flag,
            metavar=option.metavar,
            help=option.help_text,
            type=_for_argparse(option.parse),
            default=[] if option.repeats else option.default,
            action="append" if option.repeats else "store",
        )


def _for_argparse(parse: Callable[[str], object]) -> Callable[[str], object]:
    from argparse import ArgumentTypeError

    def parse_or_tell(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parse_or_tell


def _parser(prog: str, description: str, epilog: str = "") -> ArgumentParser:
    import argparse

    class Parser(argparse.ArgumentParser):
        """Says what is wrong with the arguments in one line."""

        def error(self, message: str) -> NoReturn:
            shown = message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}..."
            raise WrongUsage(f"{shown} (see {self.prog} --help)")

    parser = Parser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"{PROGRAM} {__version__}", help="print the version"
    )
    return parser
