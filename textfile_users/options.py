"""The options of the command line: one table, parsed fast; parsers.py does the rest.

Importing and filling argparse costs half as much as starting Python does, and the timer
gives the same plain arguments 17,280 times a day. Whatever is not plain (help, mistakes,
-v, abbreviations of values) is for argparse.
"""

from __future__ import annotations

from textfile_users.collecting import COLLECTORS, OPT_IN, REDACTABLE
from textfile_users.metrics import SETS, USERS, WHAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from textfile_users.networks import Network

WRONG_USAGE = 2
# With these the set `what` would have the names of other sets.
_TAKEN = ("users", "unix", "unix_user", "ssh", "ssh_session", "ssh_sessions", "user_sessions")


class WrongUsage(SystemExit):
    """What the command line says cannot be done; ``said`` is why, in one line."""

    def __init__(self, said: str) -> None:
        """Remember what is wrong."""
        super().__init__(WRONG_USAGE)
        self.said = said


class Option:
    """A flag with a value, or without one where ``metavar`` is empty.

    ``parse`` raises ValueError with what is wrong with the value.
    """

    def __init__(
        self,
        flag: str,
        metavar: str,
        help_text: str,
        default: object = None,
        parse: Callable[[str], object] = str,
        repeats: bool = False,
    ) -> None:
        """Describe the option; the values of one that ``repeats`` make a list."""
        self.flag = flag
        self.name = flag[2:].replace("-", "_")
        self.metavar = metavar
        self.help_text = help_text
        self.default = default if metavar else False
        self.parse = parse
        self.repeats = repeats


def choice_of(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Return what reads a list of words, comma-separated, each of them ``known``."""

    def parse(text: str) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(text.split(",")))
        for name in names:
            if name not in known:
                raise _unknown_value(name, known)
        return names

    return parse


def _collectors(text: str) -> tuple[str, ...]:
    """Return the collectors in a list: `+NAME,+NAME` adds to the default, names replace it."""
    names = text.split(",")
    adds = [name.startswith("+") for name in names]
    if all(adds):
        names = [*COLLECTORS, *(name[1:] for name in names)]
    elif any(adds):
        raise ValueError(f"{text!r} has words with and without +")
    return choice_of(*COLLECTORS, *OPT_IN)(",".join(names))


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise _unknown_value(text, known)
        return text

    return parse


def _unknown_value(text: str, known: tuple[str, ...]) -> ValueError:
    from textfile_users.unknown import tell_unknown_value  # difflib, for mistakes alone

    return ValueError(tell_unknown_value(text, known))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= 1_000_000):
        raise ValueError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


def _prefix(text: str) -> str:
    if not text:  # as the exporter's second version has it
        return text
    if not (text.isascii() and text.replace("_", "a").isalnum()) or text[0].isdigit():
        raise ValueError(f"{text!r} cannot begin a metric name")
    if text in _TAKEN:
        raise ValueError(f"{text!r} is the prefix of another set")
    return text


def port(text: str) -> int:
    """Return the number of a port. Raises ValueError with what is wrong."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:8]) <= 65_535):
        raise ValueError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 86_400:
        raise ValueError(f"{text!r} is not a number of seconds from 0 to 86400")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not abs(value) < 1e15:  # NaN too
        raise ValueError(f"{text!r} is not a time")
    return value


def _network(text: str) -> Network:
    from textfile_users.networks import parse_network  # for those who ask for it

    return parse_network(text)


def _path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("an empty path")
    return text


NOW = Option("--now", "EPOCH", "use this as the current time (for tests)", None, _number)
SESSION_COMMAND = Option(
    "--session-command",
    "",
    "write the foreground command of each session; command lines may hold secrets",
)
HOST_OPTIONS = (
    Option("--root", "DIR", "scan the host whose file system is in DIR", "/", _path),
    Option("--utmp", "FILE", "default: /run/utmp below the root", None, _path),
    Option("--wtmp", "FILE", "default: /var/log/wtmp below the root", None, _path),
    Option("--btmp", "FILE", "default: /var/log/btmp below the root", None, _path),
    Option(
        "--auth-log",
        "FILE",
        "an auth log; may be repeated. Default: auth.log, secure or messages in /var/log",
        None,
        _path,
        repeats=True,
    ),
    Option(
        "--auth-source",
        "SOURCE",
        "auto (default): the auth log if syslogd writes it, else the journal; files, journal, none",
        "auto",
        _one_of("auto", "files", "journal", "none"),
    ),
    Option("--exclude-user", "GLOB", "leave out these users; may be repeated", repeats=True),
    Option(
        "--ssh-port",
        "PORT",
        "another ssh port, besides the ports of a running sshd; may be repeated",
        None,
        port,
        repeats=True,
    ),
    Option(
        "--network",
        "NAME=CIDR",
        "name a network; may be repeated, the first that holds an address counts",
        None,
        _network,
        repeats=True,
    ),
    SESSION_COMMAND,
    Option(
        "--timeout",
        "SECONDS",
        "stop after this (default 4); a collector gets a quarter of it, some three quarters",
        4.0,
        _seconds,
    ),
    NOW,
)
TEXTFILE_DIRECTORY = Option(
    "--textfile-directory",
    "DIR",
    "default: $TEXTFILE_DIRECTORY, else the distribution's",
    None,
    _path,
)
COLLECT_OPTIONS = (
    *HOST_OPTIONS,
    Option(
        "--output",
        "FILE",
        "default: users.prom in the textfile directory; - is stdout",
        None,
        _path,
    ),
    TEXTFILE_DIRECTORY,
    Option(
        "--state-directory",
        "DIR",
        "default: $STATE_DIRECTORY, else /var/lib/textfile-users for root, else below "
        "$XDG_STATE_HOME",
        None,
        _path,
    ),
    Option(
        "--runtime-directory",
        "DIR",
        "default: $RUNTIME_DIRECTORY, else the given --state-directory, else "
        "/run/textfile-users/private for root, else below $XDG_RUNTIME_DIR",
        None,
        _path,
    ),
    Option(
        "--collectors",
        "LIST",
        "what to scan, comma-separated: sessions,auth,history,processes,connections,accounts "
        "(the default), slices; +slices adds it to the default",
        COLLECTORS,
        _collectors,
    ),
    Option("--all-users", "", "write processes, memory and CPU time of system accounts too"),
    Option(
        "--redact",
        "LIST",
        "write keyed hashes instead of these, comma-separated: user,host,ip; the key is in "
        "/etc/textfile-users/redact.key",
        (),
        choice_of(*REDACTABLE),
    ),
    Option(
        "--aggregate-only",
        "",
        "write only sums: nothing by user, session, address or account",
    ),
    Option(
        "--metrics",
        "LIST",
        "sets to write, comma-separated: users (default), and the sets of other exporters: "
        "what,unix-user,ssh,user-sessions,ssh-sessions",
        (USERS,),
        choice_of(*SETS),
    ),
    Option(
        "--metrics-prefix",
        "NAME",
        "prefix of the names of the set what (default: what; '' for none)",
        WHAT,
        _prefix,
    ),
    Option("--backfill", "", "count the past too at a first scan: all logs, also rotated ones"),
    Option("--repeat", "N", "scan N times, within this minute at most (for cron)", 1, _count),
    Option(
        "--interval",
        "SECONDS",
        "with --repeat: scan at multiples of this (default 5)",
        5.0,
        _seconds,
    ),
)


INSTALL_ROOT = Option("--root", "DIR", "the image with its file system in DIR", "/", _path)


class Values:
    """What the command line says: an attribute an option."""

    verbose = 0

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def require_together(values: Values) -> None:
    """Raise WrongUsage for options of `collect` that conflict."""
    if values.aggregate_only and values.metrics != (USERS,):
        raise WrongUsage("--aggregate-only allows no other set than users: see --metrics")


def parse_plain(
    argv: list[str], options: Iterable[Option], start: Values | None = None
) -> Values | None:
    """Return the values of plain arguments, or None where argparse is needed.

    Plain arguments are ``--flag value`` and ``--flag=value`` of ``options``, with valid values.
    They go before those of ``start``, or are added to them.
    """
    values = Values()
    by_flag = {}
    for option in options:
        by_flag[option.flag] = option
        default: Any = [] if option.repeats else option.default
        value = getattr(start, option.name, default)
        setattr(values, option.name, list(value) if option.repeats else value)
    words = iter(argv)
    for word in words:
        flag, equals, text = word.partition("=")
        if flag not in by_flag:
            return None
        option = by_flag[flag]
        if not option.metavar:
            if equals:
                return None
            setattr(values, option.name, True)
            continue
        if not equals:
            text = next(words, "--")
            if text.startswith("-") and text != "-":
                return None
        try:
            value = option.parse(text)
        except ValueError:
            return None
        if option.repeats:
            getattr(values, option.name).append(value)
        else:
            setattr(values, option.name, value)
    return values
