"""What the set-up says: the settings file, the unit's user and its groups, the redaction's key."""

from __future__ import annotations

import os

from textfile_users.accounts.passwd import read_numbers
from textfile_users.metrics.redaction import mend_of, read_key
from textfile_users.paths import REDACT_KEY
from textfile_users.paths import SERVICE_USER as USER
from textfile_users.product import BTMP_GROUP, GROUPS, SETTINGS
from textfile_users.reading.files import reason
from textfile_users.setup.checks.access import READ, SEARCH, closed_part, opening_command
from textfile_users.setup.checks.child import find_identity, in_child
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host
from textfile_users.setup.fixes import PROGRAM, edit, install, join, leave, quote
from textfile_users.setup.settings import read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from textfile_users.setup.settings import Fault

KEY = "redact key"
SECONDS = 2.0
ELSEWHERE = "a mend is a command for the host itself, where doctor names it"


def check_installed(host: Host) -> Iterator[CheckResult]:
    """Yield that nothing is installed, and how that is done."""
    found = "not installed: run script/install, or textfile-users install, as root"
    yield CheckResult("install", FAULT, found, install(host))


def check_settings(host: Host) -> Iterator[CheckResult]:
    """Yield the faults of the settings file, which systemd reads as root, and cron's shell not."""
    paths = host.options.paths
    if paths.is_own_host and not host.runs_by_timer:
        part = closed_part(SETTINGS, READ, host.identity)
        if part:
            found = f"{part.path} is closed to {host.identity.user}"
            how = READ if part.path == SETTINGS else SEARCH
            yield CheckResult("settings", FAULT, found, opening_command(part, how, host.identity))
            return
    if os.path.lexists(paths.below(SETTINGS)) and not os.access(paths.below(SETTINGS), os.R_OK):
        yield CheckResult(
            "settings", NOTE, f"{SETTINGS} cannot be read by this user: checked without"
        )
        return
    values, faults = read_settings(paths)
    exists = os.path.lexists(paths.below(SETTINGS))
    yield from judge_settings(values, faults, exists=exists)


def judge_settings(
    values: Mapping[str, str], faults: tuple[Fault, ...], *, exists: bool
) -> Iterator[CheckResult]:
    """Yield a finding a fault, or what is set."""
    for fault in faults:
        said = str(fault._replace(mend=""))
        yield CheckResult("settings", FAULT, said, fault.mend or edit(SETTINGS, fault.line))
    if not faults:
        found = f"set: {', '.join(sorted(values)) or 'nothing'}" if exists else "no settings file"
        yield CheckResult("settings", OK, found)


def check_user(host: Host) -> Iterator[CheckResult]:
    """Yield who the runs are, and the groups that are missing or too many."""
    paths = host.options.paths
    if not paths.is_own_host:
        yield CheckResult("user", OK, f"judged for {host.identity.user}; {ELSEWHERE}")
        return
    identity = find_identity(paths, USER)
    numbers = read_numbers(paths, "/etc/group")
    gids = {name: numbers[name] for name in GROUPS if name in numbers}
    member = frozenset() if identity is None else frozenset(identity.groups)
    user, is_there = host.identity.user, identity is not None
    reads_log = host.seen is not None and bool(host.seen.auth_log)
    yield from judge_user(user, is_there, gids, member, install(host))
    if is_there and reads_log and numbers.get(BTMP_GROUP) in member:
        found = f"{USER} is in {BTMP_GROUP}, which can write wtmp and btmp: not needed"
        yield CheckResult("user", NOTE, found, leave(USER, BTMP_GROUP))


def judge_user(
    user: str, has_user: bool, gids: Mapping[str, int], member: frozenset[int], installing: str
) -> Iterator[CheckResult]:
    """Yield who the runs are: the unit's user, and in which of its groups it is not."""
    if not has_user:
        found = f"no user {USER} here: judged for {user}"
        yield CheckResult("user", NOTE, found, installing)
        return
    missing = [name for name, gid in gids.items() if gid not in member]
    if missing:
        found = f"{USER} is not in {', '.join(missing)}"
        yield CheckResult("user", FAULT, found, join(USER, missing))
    elif user != USER:
        found = f"judged for {user}, whose state directory it is; the unit's runs are {USER}'s"
        yield CheckResult("user", NOTE, found)
    else:
        yield CheckResult("user", OK, f"{user}, in {', '.join(gids) or 'no group of logs'}")


def check_rest(host: Host) -> Iterator[CheckResult]:
    """Yield what this process has not the rights to judge, and who has."""
    if not host.has_rights:
        found = f"only root can check sources, scan, sessions and key: sudo {PROGRAM} doctor"
        yield CheckResult("the rest", NOTE, found)


def check_key(host: Host) -> Iterator[CheckResult]:
    """Yield what is found of the redaction's key, where names are redacted."""
    if not (host.options.redacted and host.has_rights):
        return iter(())

    def read() -> list[object]:
        try:
            read_key(REDACT_KEY)
        except OSError as error:
            return [error.errno, reason(error)]
        return []

    return judge_key(in_child(read, SECONDS, host.identity), host.identity.user)


def judge_key(error: list[Any], user: str) -> Iterator[CheckResult]:
    """Yield why the runs' ``user`` does not get the key: number and text of the error, or none."""
    if error:
        mend = mend_of(OSError(*error), REDACT_KEY, quote(user))
        yield CheckResult(KEY, FAULT, f"{REDACT_KEY}: {error[1]}", mend)
    else:
        yield CheckResult(KEY, OK, f"{REDACT_KEY} can be read")
