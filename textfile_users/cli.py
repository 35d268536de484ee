"""The command line: one function a command, and the exit status."""

from __future__ import annotations

import os
import sys

from textfile_users.collecting import Wanted
from textfile_users.console import ERROR, say
from textfile_users.metrics import SSH_SESSIONS, USER_SESSIONS
from textfile_users.options import (
    COLLECT_OPTIONS,
    WRONG_USAGE,
    Values,
    WrongUsage,
    parse_plain,
    port,
    require_together,
)
from textfile_users.paths import (
    LINKED_OUTPUT,
    OUTPUT_NAME,
    PUBLIC,
    Paths,
    default_textfile_directory,
    leads_to_linked,
    state_directories,
)
from textfile_users.reading.files import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from textfile_users.run import Options

INTERRUPTED = 130  # as a shell has it


def main(argv: list[str]) -> int:
    """Run the command that ``argv`` (without the program's name) asks for; return its status.

    0: done, or another run holds the lock; 1: not done; 2: wrong usage.
    """
    try:
        status = _command(argv)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where its errors are reported
    except BrokenPipeError:  # the reader of our output has closed it
        return 1
    except OSError as error:
        say(ERROR, f"standard output: {reason(error)}")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _command(argv: list[str]) -> int:
    name = argv[0] if argv and argv[0] in COMMANDS else ""
    try:
        return COMMANDS[name](argv[1:]) if name else _collect(argv)
    except WrongUsage as error:
        say(ERROR, error.said)
        return WRONG_USAGE
    except SystemExit as end:  # argparse: --help, --version
        return end.code if isinstance(end.code, int) else 0


def _collect(argv: list[str]) -> int:
    if os.environ.get("STATE_DIRECTORY"):  # the unit's run or cron's, which have the settings
        return _collect_as_service(argv)
    from textfile_users.by_hand import collect_by_hand

    return collect_by_hand(argv, _options)


def _collect_as_service(argv: list[str]) -> int:
    from textfile_users.run import collect, say_if_due

    try:
        values = parse_plain(argv, COLLECT_OPTIONS)
        options = _options(_parse("collect", argv) if values is None else values)
    except WrongUsage as error:
        from textfile_users.product import SETTINGS

        _, runtime_directory = state_directories(None, None)
        say_if_due(runtime_directory, f"{error.said}; check OPTIONS in {SETTINGS}")
        return WRONG_USAGE
    return collect(options)


def _parse(command: str, argv: list[str]) -> Values:
    from textfile_users.parsers import parse  # the timer's runs do without argparse

    return parse(command, argv)


def _options(values: Values) -> Options:
    """Return the options of `collect`. Raises SystemExit for values that conflict."""
    from textfile_users.run import Options

    if USER_SESSIONS in values.metrics:
        _take_environment(values)
    require_together(values)
    directory = values.textfile_directory or default_textfile_directory()
    state_directory, runtime_directory = state_directories(
        values.state_directory, values.runtime_directory
    )
    return Options(
        paths=_paths(values),
        output=_behind_link(values.output) if values.output else _file_in(directory),
        waits=bool(values.output),
        state_directory=state_directory,
        runtime_directory=runtime_directory,
        metrics=values.metrics,
        prefix=values.metrics_prefix,
        excluded=_excluded(values.exclude_user),
        timeout=values.timeout,
        repeat=values.repeat,
        interval=values.interval,
        verbosity=values.verbose,
        now=values.now,
        redacted=values.redact,
        aggregate=values.aggregate_only,
        apart=1 if os.environ.get("SECONDS_APART") == "1" else 0,
        wanted=_wanted(values),
    )


def _wanted(values: Values) -> Wanted:
    return Wanted(
        values.collectors,
        values.auth_source,
        values.backfill,
        explain=values.verbose > 1,
        all_users=values.all_users,
        commands=values.session_command or SSH_SESSIONS in values.metrics,
        ssh_ports=tuple(values.ssh_port),
        networks=tuple(values.network),
        discreet=bool(values.redact),
        summed=values.aggregate_only,
        system_users=USER_SESSIONS in values.metrics,
    )


def _file_in(directory: str) -> str:
    """Return the file to write for a textfile directory; '' is one that a package waits for."""
    if not directory:
        return LINKED_OUTPUT if os.path.isdir(PUBLIC) else ""
    return _behind_link(os.path.join(directory, OUTPUT_NAME), is_given=False)


def _behind_link(path: str, *, is_given: bool = True) -> str:
    """Return the file in /run if ``path`` is the link to it that `install` made, else ``path``.

    If a file replaced the link, node_exporter would serve that file for ever.
    """
    try:
        return LINKED_OUTPUT if leads_to_linked(os.readlink(path)) else path
    except PermissionError:  # the textfile directory has another owner, who may close it
        return LINKED_OUTPUT if not is_given and os.path.isdir(PUBLIC) else path
    except OSError:
        return path


def _take_environment(values: Values) -> None:
    """Add the settings that the exporter of the set user-sessions takes from its environment."""
    settings = (("EXCLUDE_USERS", _literal, "exclude_user"), ("SSH_PORTS", port, "ssh_port"))
    for name, read, flag in settings:
        for text in os.environ.get(name, "").replace(",", " ").split():
            try:
                getattr(values, flag).append(read(text))
            except ValueError as error:
                raise WrongUsage(f"${name}: {error}") from None
    if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
        values.verbose = max(values.verbose, 1)


def _literal(name: str) -> str:
    """Return the glob that matches ``name`` alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _show(argv: list[str]) -> int:
    from textfile_users.by_hand import parse_by_hand
    from textfile_users.show import show

    values = parse_by_hand("show", argv)

    wanted = Wanted(
        auth_source=values.auth_source,
        commands=values.session_command,
        ssh_ports=tuple(values.ssh_port),
        networks=tuple(values.network),
    )
    excluded = _excluded(values.exclude_user)
    return show(
        _paths(values), wanted, values.timeout, values.now, excluded, values.json, values.watch
    )


def _nobody(argv: list[str]) -> int:
    from textfile_users.nobody import Who, nobody
    from textfile_users.parsers import NOBODY_OPTIONS
    from textfile_users.product import SETTINGS

    values = parse_plain(argv, NOBODY_OPTIONS) or _parse("nobody", argv)
    if os.path.lexists(Paths(values.root).below(SETTINGS)):
        from textfile_users.by_hand import parse_for_nobody  # a third of a scan

        values = parse_for_nobody(argv, values.root)
    who = Who(values.idle, values.session_type, _excluded(values.exclude_user))
    return nobody(
        Paths(values.root, values.utmp or ""),
        Wanted(ssh_ports=tuple(values.ssh_port)),
        who,
        values.timeout,
        values.now,
        values.json,
        values.quiet,
    )


def _records(argv: list[str]) -> int:
    values = _parse("records", argv)
    from textfile_users.records import records

    return records(values.files)


def _events(argv: list[str]) -> int:
    values = _parse("events", argv)
    from textfile_users.events import events

    return events(values.files, values.unmatched, values.now)


def _doctor(argv: list[str]) -> int:
    from textfile_users.by_hand import parse_for_doctor
    from textfile_users.setup.doctor import doctor

    values = parse_for_doctor(argv)
    return doctor(_options(values), values.json)


def _install(argv: list[str]) -> int:
    values = _parse("install", argv)
    from textfile_users.setup.install import install

    return install(
        values.root,
        values.textfile_directory or "",
        values.cron,
        values.in_place,
        values.dry_run,
        values.packaged,
    )


def _uninstall(argv: list[str]) -> int:
    values = _parse("uninstall", argv)
    from textfile_users.setup.install import uninstall

    return uninstall(values.root, values.textfile_directory or "", values.dry_run, values.packaged)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "collect": _collect,
    "show": _show,
    "nobody": _nobody,
    "events": _events,
    "records": _records,
    "doctor": _doctor,
    "install": _install,
    "uninstall": _uninstall,
}


def _paths(values: Values) -> Paths:
    given = (values.utmp or "", values.wtmp or "", values.btmp or "")
    return Paths(values.root, *given, tuple(values.auth_log))


def _excluded(globs: list[str]) -> Callable[[str], bool] | None:
    if not globs:
        return None
    if not any("?" in glob or "[" in glob for glob in globs):
        return lambda user: any(matches(user, glob) for glob in globs)
    from fnmatch import fnmatchcase  # a tenth of a run

    return lambda user: any(fnmatchcase(user, glob) for glob in globs)


def matches(name: str, glob: str) -> bool:
    """Return whether a name matches a glob in which only ``*`` is special."""
    first, *rest = glob.split("*")
    if not rest:
        return name == glob
    *middle, last = rest
    end = len(name) - len(last)
    if end < len(first) or not (name.startswith(first) and name.endswith(last)):
        return False
    at = len(first)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
