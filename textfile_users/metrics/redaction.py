"""Keyed hashes in place of users, hosts and addresses, in all that leaves this program."""

from __future__ import annotations

import errno
import os
import re

from textfile_users.accounts.account import Account
from textfile_users.collecting import HOST, IP, USER
from textfile_users.counting import USERS
from textfile_users.reading.addresses import parse_ip
from textfile_users.reading.files import open_regular
from textfile_users.sessions.logind import LogindSession
from textfile_users.sessions.session import Session
from textfile_users.sessions.utmp import parse_origin
from textfile_users.snapshot import Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import TypeVar

    from textfile_users.connections.connection import Connection
    from textfile_users.counting import Series
    from textfile_users.sessions.activity import Activity
    from textfile_users.sessions.merge import Verdict

    # Gives what is shown of the value of a field: user, host or ip.
    Hide = Callable[[str, str], str]
    Value = TypeVar("Value")

KEY_BYTES = 32
# Host fields that name no host: displays, windows of screen and tmux, mosh without a peer, et.
DISPLAY = re.compile(
    r":\d{1,5}(?:\.\d{1,3})?|:(?:pts/\d{1,10}|tty\w{1,4}):S\.\d{1,5}|(?:mosh|et) \[\d{1,10}\]"
    r"|tmux\(\d{1,10}\)\.%\d{1,10}|login screen"
)
HASH_BYTES = 8  # of a million names two are the same with a chance of one in forty million


def hider(fields: Collection[str], key: bytes) -> Hide:
    """Return what gives for a value of one of ``fields`` its hash with ``key``: 16 hex digits.

    Values of other fields, and '', stay as they are. The same value has the same hash wherever
    the key is the same, and another one as the value of another field.
    """
    try:
        from _blake2 import blake2b  # hashlib around it costs a third of starting Python
    except ImportError:  # another implementation of Python
        from hashlib import blake2b

    known: dict[tuple[str, str], str] = {}

    def hide(field: str, text: str) -> str:
        if not text or field not in fields:
            return text
        if (field, text) not in known:
            data = text.encode("utf-8", "surrogatepass")
            hashed = blake2b(data, digest_size=HASH_BYTES, key=key, person=field.encode())
            known[field, text] = hashed.hexdigest()
        return known[field, text]

    return hide


def redact(snapshot: Snapshot, fields: Collection[str], key: bytes) -> Snapshot:
    """Return what may be shown of a snapshot: hashes with ``key`` for the values of ``fields``.

    Uids, groups, real names and commands are empty (a uid is -1); what is not named is left out.
    """
    hide = hider(fields, key)
    return Snapshot(
        now=snapshot.now,
        sessions=_each(snapshot.sessions, lambda one: _session(one, hide)),
        dropped=snapshot.dropped,
        closing=snapshot.closing,
        recent=tuple((hide(USER, user), type_) for user, type_ in snapshot.recent),
        gone=tuple(_gone(*one, hide) for one in snapshot.gone),
        whole=snapshot.whole,
        sources=tuple(source._replace(faults=()) for source in snapshot.sources),
        collectors=snapshot.collectors,
        verdicts=tuple(_verdict(verdict, hide) for verdict in snapshot.verdicts),
        counters={_series(series, hide): count for series, count in snapshot.counters.items()},
        failures=_keys(hide, IP, snapshot.failures),
        last_logins=_keys(hide, USER, snapshot.last_logins),
        auth_log=snapshot.auth_log,
        last_log=snapshot.last_log,
        caught_up=snapshot.caught_up,
        connections=_each(snapshot.connections, lambda one: _connection(one, hide)),
        accounts=_each(snapshot.accounts, lambda one: Account(hide(USER, one.user), -1, "", "")),
        activities=_without_commands(snapshot.activities),
        cpu_seconds=_keys_if_known(hide, snapshot.cpu_seconds),
        usages=_keys_if_known(hide, snapshot.usages),
        cpu_ratios=_keys_if_known(hide, snapshot.cpu_ratios),
        networks=_keys(hide, IP, snapshot.networks),
        root=hide(USER, snapshot.root),
        root_logins=snapshot.root_logins,
        attempts=snapshot.attempts,
        system_users=frozenset(hide(USER, user) for user in snapshot.system_users),
        network_count=snapshot.network_count,
        slices=_keys_if_known(hide, snapshot.slices),
        slices_dropped=snapshot.slices_dropped,
    )


def _each(
    values: tuple[Value, ...] | None, hide: Callable[[Value], Value]
) -> tuple[Value, ...] | None:
    return values and tuple(map(hide, values))


def _gone(user: str, written: str, numeric: str, tty: str, hide: Hide) -> tuple[str, str, str, str]:
    return hide(USER, user), _origin(written, hide), _origin(numeric, hide), tty


def _keys(hide: Hide, field: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {hide(field, text): value for text, value in values.items()}


def _keys_if_known(hide: Hide, values: Mapping[str, Value] | None) -> dict[str, Value] | None:
    return None if values is None else _keys(hide, USER, values)


def _session(one: Session, hide: Hide) -> Session:
    return one._replace(
        user=hide(USER, one.user),
        host=hide(HOST, one.host),
        ip=hide(IP, one.ip),
        recorded=_origin(one.recorded, hide),
    )


def _origin(text: str, hide: Hide) -> str:
    """Return what is shown of a session's host field, which may name an address, a host or none.

    What is no display or window of a form known whole is hidden whole: it may hold any name.
    """
    if not text or DISPLAY.fullmatch(text):
        return text
    ip = parse_ip(text)
    if ip:
        hidden = hide(IP, ip)
        return text if hidden == ip else hidden
    address, colon, display = text.rpartition(":")
    if parse_ip(address) and display.replace(".", "", 1).isdecimal():
        return f"{_origin(address, hide)}{colon}{display}"
    hidden = hide(HOST, text)
    is_name = parse_origin(text).host == text
    return hide(IP, text) if hidden == text and not is_name else hidden


def _verdict(verdict: Verdict, hide: Hide) -> Verdict:
    """Return a verdict on what names its user alone."""
    seen, why = verdict
    user = hide(USER, seen.user)
    if isinstance(seen, LogindSession):
        return seen._replace(user=user, host=""), why
    if isinstance(seen, Session):
        return seen._replace(user=user, host="", ip="", recorded=""), why
    return seen._replace(user=user, host="", ip=""), why


def _series(series: Series, hide: Hide) -> Series:
    places = USERS.get(series[0], ())
    return tuple(hide(USER, text) if place in places else text for place, text in enumerate(series))


def _connection(one: Connection, hide: Hide) -> Connection:
    return one._replace(ip=hide(IP, one.ip), uid=-1)


def _without_commands(activities: Mapping[str, Activity] | None) -> Mapping[str, Activity] | None:
    return activities and {key: one._replace(command="") for key, one in activities.items()}


# The key


def read_key(path: str) -> bytes:
    """Return the key in the file ``path``. Raises OSError where it is none, or not kept secret."""
    if os.path.islink(path):
        raise OSError(errno.ELOOP, "is a link, not a file", path)
    descriptor = open_regular(path)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            raise OSError(errno.EBADMSG, "others than its owner have rights on it", path)
        key = os.read(descriptor, KEY_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(key) != KEY_BYTES:
        held = f"{len(key)} bytes" if len(key) < KEY_BYTES else "more than that"
        raise OSError(errno.EINVAL, f"a key has {KEY_BYTES} bytes, this file {held}", path)
    return key


def mend_of(error: OSError, path: str, owner: str) -> str:
    """Return the command, for root, that mends what read_key() has raised.

    ``owner`` is the user that reads the key.
    """
    directory = os.path.dirname(path)
    # Root's, who keeps a record of its own there: the user may read in it and change nothing.
    make_directory = f"install -d -m 750 -o root -g {owner} {directory}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{make_directory} && chown {owner} {path}"
    if error.errno == errno.EBADMSG:
        return f"chmod 600 {path}"
    make = f"(umask 077 && head -c {KEY_BYTES} /dev/urandom >{path}) && chown {owner} {path}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"{make_directory} && {make}"
    return f"mv {path} {path}.old && {make}"
