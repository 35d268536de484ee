"""NSS: accounts and groups of any source, each by its id, asked in a child (nss(5)).

A look-up may hang, in a library that others wrote, so it is never made in this process.
"""

from __future__ import annotations

# In the child nothing can be imported: a thread left behind may hold the lock of an import.
import _signal as signal  # type: ignore[import-not-found] # signal itself imports enum
import _thread
import grp
import os
import pwd
import select
import time

from textfile_users.accounts.account import GID, KINDS, MAX_IDS, UID, Answer
from textfile_users.accounts.passwd import MAX_UID, is_name, real_name
from textfile_users.reading.text import decode, is_number
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import NoReturn

    from textfile_users.accounts.account import Question

LEAST_SECONDS = 0.05  # with less left nothing is asked
REAP_SECONDS = 0.05  # that the end of a killed child is waited for
SPARE_SECONDS = 1.0  # after which the child ends even if its parent could not end it
MAX_NAME_BYTES = 4096  # of a real name in the pipe
CHUNK = 1 << 16

# What the child writes of an answer: kind, key, user, uid, gid and name, each ended by a NUL.
FIELDS = 6
END = b"end" + FIELDS * b"\0"
NONE = (b"", -1, -1, b"")


class Reply(Record):
    """The ``answers`` that came in time, and the question that NSS ``hung_on``, or None.

    A source that is only slow has not hung: what is left can be asked in the next scan.
    """

    answers: tuple[Answer, ...]
    hung_on: Question | None


def ask(asked: list[Question], gids: AbstractSet[str], now: float, deadline: float) -> Reply:
    """Ask NSS for accounts and groups, and for the accounts' groups unless in ``gids``.

    ``now`` is the time that the answers get, ``deadline`` that of time.monotonic() when the
    child is killed. Raises OSError where there can be no child.
    """
    seconds = deadline - time.monotonic()
    if seconds < LEAST_SECONDS:
        return Reply((), None)
    out, end = os.pipe()
    try:
        pid = os.fork()
        if not pid:
            _be_child(asked, gids, end, seconds)
    except OSError:
        os.close(out)
        raise
    finally:
        os.close(end)
    try:
        data, silence = _receive(out, deadline)
    finally:
        os.close(out)
        _end(pid)
    answers = parse_answers(data, now)
    if data.endswith(END) or silence < seconds / 2:
        return Reply(answers, None)
    answered = {answer.question for answer in answers}
    return Reply(answers, next((one for one in asked if one not in answered), (GID, "")))


def parse_answers(data: bytes, now: float) -> tuple[Answer, ...]:
    """Return the whole answers in what the child wrote, which got ``now`` for a time."""
    fields = data.split(b"\0")[:-1]
    answers = []
    for start in range(0, len(fields) - FIELDS + 1, FIELDS):
        kind, key, user, uid, gid, name = fields[start : start + FIELDS]
        text = decode(name) if kind == GID.encode() else real_name(name)
        numbers = (_number(uid), _number(gid))
        answers.append(Answer(decode(kind), decode(key), decode(user), *numbers, text, False, now))
    return tuple(answer for answer in answers if answer.kind in KINDS)


def _number(data: bytes) -> int:
    text = decode(data)
    return int(text) if is_number(text) and int(text) <= MAX_UID else -1


def _receive(out: int, deadline: float) -> tuple[bytes, float]:
    """Return what the child wrote, and for how long it has been silent at the deadline.

    The silence is without end where the child ended before it was through.
    """
    data = bytearray()
    heard = time.monotonic()
    poller = select.poll()
    poller.register(out, select.POLLIN)
    while not data.endswith(END):
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            break
        chunk = os.read(out, CHUNK)
        if not chunk:
            return bytes(data), float("inf")
        data += chunk
        heard = time.monotonic()
    return bytes(data), deadline - heard


def _end(pid: int) -> None:
    """Kill the child and reap it; one that is in a dead mount's hands dies when they let go."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + REAP_SECONDS
        while time.monotonic() < end:
            time.sleep(0.001)
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        _thread.start_new_thread(_reap, (pid,))
    except (OSError, RuntimeError):  # reaped where SIGCHLD is ignored; no thread to be had
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, 0)
    except OSError:
        return


def _be_child(asked: list[Question], gids: AbstractSet[str], end: int, seconds: float) -> NoReturn:
    """Write an answer to each question, as soon as it is there, and END; then end."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds + SPARE_SECONDS)
        _close_all_but(end)
        questions = list(asked)
        known = {key for kind, key in asked if kind == GID}.union(gids)
        for kind, key in questions:  # which grow meanwhile
            user, uid, gid, name = _look_up(kind, key)
            fields = (kind.encode(), _bytes(key), user, b"%d" % uid, b"%d" % gid, name)
            os.write(end, b"".join(field + b"\0" for field in fields))
            if gid >= 0 and str(gid) not in known and len(questions) < MAX_IDS:
                known.add(str(gid))
                questions.append((GID, str(gid)))
        os.write(end, END)
    finally:
        os._exit(0)


def _close_all_but(kept: int) -> None:
    """Close what the parent has open: its lock and its reader's pipe must not outlive it."""
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        descriptors = list(range(1024))
    for descriptor in descriptors:
        if descriptor != kept:
            try:
                os.close(descriptor)
            except OSError:
                continue
    for _ in range(3):  # libraries write to standard streams, whatever is open there
        os.open(os.devnull, os.O_RDONLY)


def _look_up(kind: str, key: str) -> tuple[bytes, int, int, bytes]:
    """Return user, uid, gid and real name of an account, or gid and name of a group."""
    try:
        if kind == GID:
            group = grp.getgrgid(int(key))
            name = os.fsencode(group.gr_name)
            return (b"", -1, group.gr_gid, name) if is_name(name) else NONE
        account = pwd.getpwuid(int(key)) if kind == UID else pwd.getpwnam(os.fsdecode(_bytes(key)))
    except (KeyError, ValueError, OSError):
        return NONE
    user = os.fsencode(account.pw_name)
    name = os.fsencode(account.pw_gecos or "").partition(b",")[0][:MAX_NAME_BYTES]
    is_sound = is_name(user) and account.pw_uid >= 0
    return (user, account.pw_uid, account.pw_gid, name) if is_sound else NONE


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
