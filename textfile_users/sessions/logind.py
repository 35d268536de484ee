"""logind: every PAM session, also without a PTY (/run/systemd/sessions, systemd-logind(8)).

The files are ``KEY=VALUE`` lines that systemd calls private data: keys and values not
known here are ignored.
"""

from __future__ import annotations

import errno
import os

from textfile_users.collecting import ABSENT, BROKEN, DENIED, OK, SourceReport
from textfile_users.paths import Paths
from textfile_users.reading.files import read_regular, reason
from textfile_users.reading.text import decode
from textfile_users.record import Record

MAX_BYTES = 64 << 10  # a session file has less than one KiB

MAX_NAME = 64
MAX_VALUE = 1024  # a host name has 255 characters at most
KEYS = (
    "USER",
    "STATE",
    "CLASS",
    "TYPE",
    "SERVICE",
    "TTY",
    "REMOTE_HOST",
    "LEADER",
    "REALTIME",
)


class LogindSession(Record):
    """One session file of systemd-logind."""

    id: str
    user: str
    state: str
    class_: str
    type: str
    service: str
    tty: str
    host: str
    leader: int
    start: float


class Damaged(ValueError):
    """A session file does not say what a session needs."""


def parse_session(ident: str, data: bytes) -> LogindSession:
    """Return the session ``ident`` from the bytes of its file.

    Where a key stands twice, the last one holds, as in systemd. Raises Damaged where the
    user is missing.
    """
    found = dict.fromkeys(KEYS, "")
    for line in decode(data).split("\n"):
        key, _, value = line.partition("=")
        if key in found:
            found[key] = value if value.isalnum() else _unquote(value)
            if len(value) > MAX_VALUE or "\0" in value:
                raise Damaged(f"no {key} is like that")
    if not found["USER"]:
        raise Damaged("no USER")
    return LogindSession(
        id=ident,
        user=found["USER"],
        state=found["STATE"],
        class_=found["CLASS"] or "user",  # systemd's own default
        type=found["TYPE"],
        service=found["SERVICE"],
        tty=found["TTY"].replace("/dev/", "", 1),
        host=found["REMOTE_HOST"],
        leader=_number(found["LEADER"]),
        start=_number(found["REALTIME"]) / 1e6,
    )


def read_logind(paths: Paths) -> tuple[tuple[LogindSession, ...], SourceReport]:
    """Return the sessions that logind holds, of every class and state, and the report."""
    directory = paths.logind_sessions()
    try:
        paths.require_inside(directory)
        names = _session_names(directory)
    except OSError as error:
        return (), _report_of(directory, error)
    sessions, faults = _read_sessions(directory, names)
    unusable = (("damaged", len(faults)),)
    if not faults:
        return sessions, SourceReport("logind", OK, (), unusable)
    fault = f"{directory}: {len(faults)} session files skipped; {faults[0]}"
    status = OK if sessions else BROKEN
    return sessions, SourceReport("logind", status, (fault,), unusable)


def _session_names(directory: str) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries if _is_session(entry))


def _is_session(entry: os.DirEntry[str]) -> bool:
    """Return whether it is a session's file; beside it lie ID.ref, a FIFO, and .#ID."""
    name = entry.name
    return name.isalnum() and name.isascii() and len(name) <= MAX_NAME


def _report_of(directory: str, error: OSError) -> SourceReport:
    if error.errno == errno.ENOENT:
        return SourceReport("logind", ABSENT)
    status = DENIED if isinstance(error, PermissionError) else BROKEN
    return SourceReport("logind", status, (f"{directory}: {reason(error)}",))


def _read_sessions(directory: str, names: list[str]) -> tuple[tuple[LogindSession, ...], list[str]]:
    """Return the sessions, and what is wrong with the files skipped, a few words each."""
    sessions = []
    faults = []
    for name in names:
        try:
            sessions.append(parse_session(name, read_regular(f"{directory}/{name}", MAX_BYTES)))
        except FileNotFoundError:
            continue  # the session ended while we looked
        except OSError as error:
            faults.append(f"{name}: {reason(error)}")
        except Damaged as error:
            faults.append(f"{name}: {error}")
    return tuple(sessions), faults


def _unquote(value: str) -> str:
    r"""Return what a value means: in double quotes a backslash takes the next character as it is.

    Without quotes it is literal: systemd before 253 writes ``USER=DOMAIN\alice`` so.
    """
    if len(value) < 2 or not value[0] == value[-1] == '"':
        return value
    parts = value[1:-1].split("\\\\")
    return "\\".join([part.replace("\\", "") for part in parts])


def _number(text: str) -> int:
    """Return a decimal number, 0 for anything else and for what no 64 bits hold."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
