"""`show`: what a scan found, for people."""

from __future__ import annotations

import json
import shutil
import sys
import time

from textfile_users.collecting import (
    ACCOUNTS,
    AUTH,
    CONNECTIONS,
    PROCESSES,
    SESSIONS,
    Wanted,
)
from textfile_users.memory import NOTHING
from textfile_users.networks import network_of
from textfile_users.paths import Paths
from textfile_users.reading.text import printable
from textfile_users.scan import scan
from textfile_users.sessions.session import Session
from textfile_users.show_table import (
    HOUR,
    MINUTE,
    NOTHING_KNOWN,
    Failures,
    Page,
    View,
    clock_time,
    format_table,
)
from textfile_users.snapshot import Snapshot
from textfile_users.terminal import has_colour, is_screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any, TextIO


COLLECTORS = (PROCESSES, SESSIONS, ACCOUNTS, CONNECTIONS, AUTH)
INTERVAL = 2.0  # seconds between the scans of --watch
# What begins a scan on a screen, clears a line before it is written, and what is below (ECMA-48):
# after a line as wide as the screen it would erase the last character.
HOME, TO_END_OF_LINE, BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def show(
    paths: Paths,
    wanted: Wanted,
    timeout: float,
    now: float | None,
    excluded: Callable[[str], bool] | None,
    as_json: bool,
    watch: bool,
) -> int:
    """Look and print a table, or JSON; with ``watch`` every two seconds, until Ctrl-C.

    Returns 0, or 1 where sessions are not known.
    """
    stream = sys.stdout
    draw = _drawing(stream, wanted.commands, as_json, watch)
    status = 0
    for view in _views(paths, wanted, timeout, now, excluded):
        draw(view)
        status = 0 if view.snapshot.sessions is not None else 1
        if not watch or stream is None:
            break
        stream.flush()
        time.sleep(INTERVAL - time.time() % INTERVAL)
    return status


def _views(
    paths: Paths,
    wanted: Wanted,
    timeout: float,
    now: float | None,
    excluded: Callable[[str], bool] | None,
) -> Iterator[View]:
    """Look again and again. What the unit counts is neither read nor changed: see rule 10.

    A first look at a log finds the failures of its last hour, the next ones go on from there.
    """
    wanted = wanted._replace(collectors=COLLECTORS, refused_users=True)
    memory = NOTHING
    before: Snapshot | None = None
    users: dict[str, dict[str, int]] = {}
    partial_until = 0.0
    while True:
        at = time.time() if now is None else now
        snapshot, after = scan(paths, at, wanted, memory, timeout, excluded)
        if not snapshot.caught_up:
            partial_until = at + HOUR
        users = _added(users, snapshot)
        failures = _failures(snapshot, users, wanted) if snapshot.is_log_known else None
        yield View(snapshot, failures, at < partial_until, _percent(before, snapshot))
        if AUTH in snapshot.failed:  # the hour is still to be read
            after = after._replace(durable=memory.durable)
        memory, before = after, snapshot


def _added(users: dict[str, dict[str, int]], snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return who was refused, by address, of this scan and those before it."""
    result = {}
    for address in snapshot.failures:
        of, more = dict(users.get(address, {})), snapshot.refused_users.get(address, {})
        for user, times in more.items():
            of[user] = of.get(user, 0) + times
        result[address] = of
    return result


def _failures(
    snapshot: Snapshot, users: Mapping[str, Mapping[str, int]], wanted: Wanted
) -> tuple[Failures, ...]:
    """Return the failures of the last hour, the address with most first."""
    found = []
    for address, minutes in snapshot.failures.items():
        of = users[address]
        names = tuple(sorted(of, key=lambda user: (user == "", -of[user], user)))
        last = float(max(minutes) * MINUTE)
        network = network_of(address, wanted.networks)
        found.append(Failures(address, network, sum(minutes.values()), last, names))
    return tuple(sorted(found, key=lambda one: (-one.times, -one.last, one.ip)))


def _percent(before: Snapshot | None, snapshot: Snapshot) -> dict[str, float] | None:
    if before is None or snapshot.now <= before.now:
        return None
    then, now = before.activities or {}, snapshot.activities or {}
    seconds = snapshot.now - before.now
    return {
        ident: 100 * max(0.0, activity.cpu - (then[ident].cpu or 0.0)) / seconds
        for ident, activity in now.items()
        if activity.cpu is not None and ident in then
    }


# Drawing


def _drawing(
    stream: TextIO | None, commands: bool, as_json: bool, watch: bool
) -> Callable[[View], None]:
    """Return what writes a view to ``stream``."""

    def draw_json(view: View) -> None:
        print(format_json(view, commands, None if watch else 2), file=stream)

    def draw_table(view: View) -> None:
        text = format_table(view, _page(stream), commands)
        stamp = f"{clock_time(view.snapshot.now)}\n" if watch else ""
        print(f"{stamp}{text}" + "\n" * watch, file=stream)

    def draw_screen(view: View) -> None:
        page = _page(stream)._replace(lines=shutil.get_terminal_size().lines - 2)
        lines = [clock_time(view.snapshot.now), *format_table(view, page, commands).split("\n")]
        body = "".join(f"{TO_END_OF_LINE}{line}\n" for line in lines)
        print(f"{HOME}{body}{BELOW}", end="", file=stream)

    if as_json:
        return draw_json
    if not (watch and is_screen(stream)):
        return draw_table
    # What is on the screen can be scrolled back to. Nothing else is changed of the terminal, so
    # that nothing needs to be put right however this ends.
    print("\n" * shutil.get_terminal_size().lines, end="", file=stream)
    return draw_screen


def _page(stream: TextIO | None) -> Page:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return Page(shutil.get_terminal_size().columns, 0, has_colour(stream), encoding)


def format_json(view: View, commands: bool = False, indent: int | None = 2) -> str:
    """Return the view as a JSON object; times are seconds since the epoch."""
    snapshot, failures = view.snapshot, view.failures
    sessions = snapshot.sessions
    content = {
        "time": snapshot.now,
        "sessions": None
        if sessions is None
        else [_as_json(one, view, commands) for one in sessions],
        "closing": snapshot.closing,
        "failures": None if failures is None else list(map(_failure_as_json, failures)),
        "failures_partial": view.partial,
        "sources": {source.name: source.status for source in snapshot.sources},
        "faults": snapshot.faults,
    }
    return json.dumps(content, indent=indent)


def _as_json(session: Session, view: View, commands: bool) -> dict[str, Any]:
    activity = (view.snapshot.activities or {}).get(session.id, NOTHING_KNOWN)
    known = activity.cpu is not None
    shown = session._asdict()
    del shown["recorded"]  # host and ip say what it means
    content = {
        **{"program" if key == "service" else key: value for key, value in shown.items()},
        "last_activity": activity.last_activity,
        "cpu_seconds": activity.cpu,
        "memory_bytes": activity.resident if known else None,
        "processes": activity.processes,
    }
    if view.percent is not None:
        content["cpu_percent"] = view.percent.get(session.id)
    if commands:
        content["command"] = printable(activity.command)
    return content


def _failure_as_json(one: Failures) -> dict[str, Any]:
    place = {"ip": one.ip, "network": one.network}
    return {**place, "count": one.times, "last": one.last, "users": one.users}
