"""What the set-up says: the settings file, the unit's user and its groups, the redaction's key."""

from __future__ import annotations

import os

from textfile_users.checks.child import find_identity, in_child
from textfile_users.checks.finding import FAULT, NOTE, OK, Finding, Host
from textfile_users.checks.mends import PROGRAM, edit, install, join, quote
from textfile_users.installing.places import GROUPS
from textfile_users.installing.steps import read_numbers
from textfile_users.paths import REDACT_KEY
from textfile_users.paths import SERVICE_USER as USER
from textfile_users.redaction import mend_of, read_key
from textfile_users.settings import SETTINGS, read_settings
from textfile_users.sources.files import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from textfile_users.settings import Fault

KEY = "redact key"
SECONDS = 2.0
ELSEWHERE = "a mend is a command for the host itself, where doctor names it"


def check_settings(host: Host) -> Iterator[Finding]:
    """Yield the faults of the settings file."""
    paths = host.options.paths
    values, faults = read_settings(paths)
    exists = os.path.lexists(paths.below(SETTINGS))
    return judge_settings(values, faults, exists=exists)


def judge_settings(
    values: Mapping[str, str], faults: tuple[Fault, ...], *, exists: bool
) -> Iterator[Finding]:
    """Yield a finding a fault, or what is set."""
    for fault in faults:
        said = str(fault._replace(mend=""))
        yield Finding("settings", FAULT, said, fault.mend or edit(SETTINGS, fault.line))
    if not faults:
        found = f"set: {', '.join(sorted(values)) or 'nothing'}" if exists else "no settings file"
        yield Finding("settings", OK, found)


def check_user(host: Host) -> Iterator[Finding]:
    """Yield who the runs are, and the groups that are missing."""
    paths = host.options.paths
    if not paths.is_own_host:
        return iter((Finding("user", OK, f"judged for {host.identity.user}; {ELSEWHERE}"),))
    identity = find_identity(paths, USER)
    numbers = read_numbers(paths, "/etc/group")
    gids = {name: numbers[name] for name in GROUPS if name in numbers}
    member = frozenset() if identity is None else frozenset(identity.groups)
    return judge_user(host.identity.user, identity is not None, gids, member, install(host))


def judge_user(
    user: str, has_user: bool, gids: Mapping[str, int], member: frozenset[int], installing: str
) -> Iterator[Finding]:
    """Yield who the runs are: the unit's user, and in which of its groups it is not."""
    if not has_user:
        found = f"no user {USER} here: judged for {user}"
        yield Finding("user", NOTE, found, installing)
        return
    missing = [name for name, gid in gids.items() if gid not in member]
    if missing:
        found = f"{USER} is not in {', '.join(missing)}"
        yield Finding("user", FAULT, found, join(USER, missing))
    elif user != USER:
        found = f"judged for {user}, runs are {USER}'s"
        yield Finding("user", NOTE, found, f"sudo {PROGRAM} doctor")
    else:
        yield Finding("user", OK, f"{user}, in {', '.join(gids) or 'no group of logs'}")


def check_key(host: Host) -> Iterator[Finding]:
    """Yield what is found of the redaction's key, where names are redacted."""
    if not host.options.redacted:
        return iter(())

    def read() -> list[object]:
        try:
            read_key(REDACT_KEY)
        except OSError as error:
            return [error.errno, reason(error)]
        return []

    return judge_key(in_child(read, SECONDS, host.identity), host.identity.user)


def judge_key(error: list[Any], user: str) -> Iterator[Finding]:
    """Yield why the runs' ``user`` does not get the key: number and text of the error, or none."""
    if error:
        mend = mend_of(OSError(*error), REDACT_KEY, quote(user))
        yield Finding(KEY, FAULT, f"{REDACT_KEY}: {error[1]}", mend)
    else:
        yield Finding(KEY, OK, f"{REDACT_KEY} can be read")
