"""What the set-up says: the settings file, the unit's user and its groups, the redaction's key."""

from __future__ import annotations

import os

from textfile_users.checks.child import find_identity, in_child
from textfile_users.checks.finding import (
    FAULT,
    INSTALL,
    NOTE,
    OK,
    SETTINGS,
    UNIT_USER,
    Finding,
    Host,
    quote,
)
from textfile_users.paths import REDACT_KEY
from textfile_users.redaction import mend_of, read_key
from textfile_users.sources.files import read_regular, reason
from textfile_users.sources.passwd import MAX_BYTES
from textfile_users.sources.text import decode, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

GROUPS = ("adm", "systemd-journal", "utmp")
SECONDS = 2.0


def check_settings(host: Host) -> Iterator[Finding]:
    """Yield the faults of the settings file."""
    from textfile_users.settings import read_settings

    paths = host.options.paths
    values, faults = read_settings(paths)
    exists = os.path.lexists(paths.below(SETTINGS))
    return judge_settings(values, faults, exists=exists)


def judge_settings(
    values: Mapping[str, str], faults: tuple[str, ...], *, exists: bool
) -> Iterator[Finding]:
    """Yield a finding a fault, or what is set."""
    for fault in faults:
        line = fault.partition(":")[0]
        number = line.rpartition(" ")[2] if line.startswith("line ") else ""
        edit = f"sensible-editor {f'+{number} ' if is_number(number) else ''}{SETTINGS}"
        _, has_mend, mend = fault.partition("; run: ")
        yield Finding("settings", FAULT, fault, mend if has_mend else edit)
    if not faults:
        found = f"set: {', '.join(sorted(values)) or 'nothing'}" if exists else "no settings file"
        yield Finding("settings", OK, found)


def check_user(host: Host) -> Iterator[Finding]:
    """Yield who the runs are, and the groups that are missing."""
    paths = host.options.paths
    if not paths.is_own_host:
        return iter((Finding("user", OK, f"judged for {host.identity.user}"),))
    identity = find_identity(paths, UNIT_USER)
    gids = find_gids(read_regular(paths.below("/etc/group"), MAX_BYTES), GROUPS)
    member = frozenset() if identity is None else frozenset(identity.groups)
    return judge_user(host.identity.user, identity is not None, gids, member)


def judge_user(
    user: str, has_user: bool, gids: Mapping[str, int], member: frozenset[int]
) -> Iterator[Finding]:
    """Yield who the runs are: the unit's user, and in which of its groups it is not."""
    if not has_user:
        found = f"no user {UNIT_USER} here: judged for {user}"
        yield Finding("user", NOTE, found, INSTALL)
        return
    missing = [name for name, gid in gids.items() if gid not in member]
    if missing:
        found = f"{UNIT_USER} is not in {', '.join(missing)}"
        yield Finding("user", FAULT, found, f"usermod -aG {','.join(missing)} {UNIT_USER}")
    elif user != UNIT_USER:
        yield Finding(
            "user", NOTE, f"judged for {user}, runs are {UNIT_USER}'s", "sudo textfile-users doctor"
        )
    else:
        yield Finding("user", OK, f"{user}, in {', '.join(gids) or 'no group of logs'}")


def find_gids(data: bytes, names: tuple[str, ...]) -> dict[str, int]:
    """Return the gids of those of ``names`` that a group file's bytes have."""
    rows = [decode(line).split(":", 3) for line in data.split(b"\n")]
    gids = {row[0]: int(row[2]) for row in rows if len(row) > 2 and is_number(row[2])}
    return {name: gids[name] for name in names if name in gids}


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
        yield Finding("redact key", FAULT, f"{REDACT_KEY}: {error[1]}", mend)
    else:
        yield Finding("redact key", OK, f"{REDACT_KEY} can be read")
