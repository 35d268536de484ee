"""The two files that keep the memory between runs.

The durable file holds what must not be lost: what was counted, together with the positions up to
which logs are read. It is replaced as a whole, and only when something in it changed. The volatile
file lies on tmpfs where there is one, carries the boot id, and may vanish at any time.

A file is lines of JSON: a header, [KIND, VALUE] for each kind of what is kept, and the checksum of
the lines before it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from binascii import crc32

from textfile_users.counting import dropping
from textfile_users.memory import (
    Durable,
    Volatile,
    durable_lines,
    durable_of,
    volatile_lines,
    volatile_of,
)
from textfile_users.reading.files import read_regular, reason
from textfile_users.reading.json_text import dumps, loads
from textfile_users.record import Record
from textfile_users.writer import make_directory, open_own, write_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeVar

    from textfile_users.memory import Line

    Made = TypeVar("Made")

DURABLE = "durable.json"
VOLATILE = "volatile.json"
# As they were called when they were CSV.
OLD_NAMES = {DURABLE: "durable.csv", VOLATILE: "volatile.csv"}
HEADERS = {DURABLE: ["textfile-users durable", 3], VOLATILE: ["textfile-users volatile", 2]}
MAX_BYTES = 8 << 20
LOCK_POLL = 0.02  # seconds
# Of a file that would be larger each kind of line may have so many bytes.
SHARES = {
    "counters": 3200 << 10,  # of which counting.py has bounds of its own
    "failures": 1536 << 10,
    "spoken": 1536 << 10,
    "logins": 1280 << 10,
    "held": 256 << 10,
    "last logins": 256 << 10,
    "sessions": 2048 << 10,
    "places": 2048 << 10,
    "processes": 1280 << 10,
    "connections": 896 << 10,
    "answers": 384 << 10,
    "cpu": 384 << 10,
    "slices": 256 << 10,
    "gone": 256 << 10,
    "addresses": 256 << 10,
    "ended": 128 << 10,
    "said": 128 << 10,
}
# Of these the first stay, so that what was counted goes on, of others the last: the newest.
OLDEST_STAY = ("counters",)


class Saved(Record):
    """The bytes of a state file, and what they say: a further scan of a run need not read them."""

    data: bytes
    value: Any


NEVER_SAVED = Saved(b"", None)


def load_durable(directory: str, known: Saved = NEVER_SAVED) -> Saved:
    """Return the durable file of ``directory``, as ``known`` where it has not changed since.

    Its value is Durable() where there is no file. Raises OSError where it cannot be read,
    ValueError where it is no state and never will be.
    """
    path = state_file(directory, DURABLE)
    try:
        if path.endswith(OLD_NAMES[DURABLE]):
            from textfile_users import older_memory

            return Saved(b"", older_memory.load_durable(path))
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        if os.path.islink(path):
            raise ValueError("is a link that leads nowhere") from None
        return Saved(b"", Durable())
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.ELOOP, errno.EFBIG):
            raise ValueError(reason(error)) from error
        raise
    return known if data == known.data != b"" else Saved(data, parse_durable(data))


def load_volatile(directory: str, boot_id: str, known: Saved = NEVER_SAVED) -> Saved:
    """Return the volatile file of ``directory``, as ``known`` where it has not changed since.

    Its value is Volatile() where there is no file of this boot. Raises OSError and ValueError
    where it cannot be read.
    """
    path = state_file(directory, VOLATILE)
    try:
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return Saved(b"", Volatile())
    if path.endswith(OLD_NAMES[VOLATILE]):
        from textfile_users import older_memory

        return Saved(b"", older_memory.parse_volatile(data, boot_id))
    return known if data == known.data != b"" else Saved(data, parse_volatile(data, boot_id))


def state_file(directory: str, name: str) -> str:
    """Return the path of a state file in ``directory``: that of an older version if it is alone."""
    path, old = os.path.join(directory, name), os.path.join(directory, OLD_NAMES[name])
    return old if not os.path.lexists(path) and os.path.lexists(old) else path


def save_durable(directory: str, durable: Durable) -> Saved:
    """Replace the file in ``directory``; what has no place there is dropped. Raises OSError."""
    data, dropped = _format(HEADERS[DURABLE], durable_lines(durable))
    if dropped:
        kept = parse_durable(data)
        durable = kept._replace(counts=dropping(kept.counts, "", dropped))
        data, _ = _format(HEADERS[DURABLE], durable_lines(durable))
    return _save(directory, DURABLE, Saved(data, durable))


def save_volatile(directory: str, volatile: Volatile, boot_id: str) -> Saved:
    """Replace the file in ``directory``; what has no place there is forgotten. Raises OSError."""
    data, dropped = _format([*HEADERS[VOLATILE], boot_id], volatile_lines(volatile))
    volatile = parse_volatile(data, boot_id) if dropped else volatile
    return _save(directory, VOLATILE, Saved(data, volatile))


def _save(directory: str, name: str, saved: Saved) -> Saved:
    old = state_file(directory, name)
    path = os.path.join(directory, name)
    write_whole(path, saved.data, 0o600, for_owner=True)
    if old != path:  # an older version that comes back must not count again from there
        os.unlink(old)
    return saved


def put_aside(directory: str) -> str:
    """Give a durable file that cannot be read another name, and return that. Raises OSError."""
    path = state_file(directory, DURABLE)
    os.rename(path, path + ".unreadable")
    return path + ".unreadable"


def format_durable(durable: Durable) -> bytes:
    """Return the file's content, from which parse_durable makes ``durable`` again."""
    return _format(HEADERS[DURABLE], durable_lines(durable))[0]


def format_volatile(volatile: Volatile, boot_id: str) -> bytes:
    """Return the file's content, from which parse_volatile makes ``volatile`` again."""
    return _format([*HEADERS[VOLATILE], boot_id], volatile_lines(volatile))[0]


def parse_durable(data: bytes) -> Durable:
    """Return what the file's bytes say.

    Raises ValueError where they are no such file, of a version not known, cut short or damaged.
    """
    header, found = _parse(data)
    if header != HEADERS[DURABLE]:
        if header[:1] != HEADERS[DURABLE][:1]:
            raise ValueError("no state of this program")
        raise ValueError(f"of version {header[1:]}, not {HEADERS[DURABLE][1]}")
    return _understood(durable_of, found)


def parse_volatile(data: bytes, boot_id: str) -> Volatile:
    """Return what the file's bytes say, Volatile() where they are another boot's.

    Raises ValueError where they are no such file of this version, or not a whole one.
    """
    header, found = _parse(data)
    if header[:-1] != HEADERS[VOLATILE]:
        raise ValueError("not of this version")
    return _understood(volatile_of, found) if header[-1] == boot_id else Volatile()


def _understood(make: Callable[[dict[str, Any]], Made], found: dict[str, Any]) -> Made:
    try:
        return make(found)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not understood: {error!r}") from error


def _format(header: list[object], lines: Iterable[Line]) -> tuple[bytes, int]:
    """Return a state file, and how many items of its lists had no place in it."""
    made = {kind: _line(kind, value) for kind, value in lines if value}
    dropped = 0
    if sum(map(len, made.values())) > MAX_BYTES - 1024:
        for kind in SHARES.keys() & made.keys():
            if len(made[kind]) > SHARES[kind]:
                items = _loads(made[kind])[1]
                within = _within(items, SHARES[kind], kind in OLDEST_STAY)
                dropped += len(items) - len(within)
                made[kind] = _line(kind, within)
    data = b"\n".join([_line(*header), *made.values(), b""])
    return data + _end_of(data), dropped


def _line(*values: object) -> bytes:
    return dumps(values).encode("utf-8", "surrogatepass")  # names may be halves of a character


def _loads(line: bytes) -> Any:
    return loads(line.decode("utf-8", "surrogatepass"))


def _within(items: list[object], share: int, oldest_stay: bool) -> list[object]:
    """Return as many items as have a place in ``share`` bytes, the first or the last of them."""
    ordered = items if oldest_stay else items[::-1]
    left = share - 64
    count = 0
    for item in ordered:
        left -= len(_line(item)) - 1
        if left < 0:
            break
        count += 1
    return items[:count] if oldest_stay else items[len(items) - count :]


def _parse(data: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return the header of a state file, and the value of each kind."""
    if not data.endswith(b"\n"):
        raise ValueError("cut short")
    start = data.rfind(b"\n", 0, -1) + 1
    first, *lines = data[:start].split(b"\n")[:-1] or [b""]
    header = _loads(first) if first.startswith(b'["textfile-users ') else None
    if not isinstance(header, list):
        raise ValueError("no state of this program")  # noqa: TRY004 - as for any content
    if data[start:] != _end_of(data[:start]):
        is_end = data.startswith(b'["end",', start)
        raise ValueError("damaged" if is_end else "cut short")
    return header, dict(map(_loads, lines))


def _end_of(data: bytes) -> bytes:
    """Return the last line of a state file: the checksum of the ``data`` before it."""
    return b'["end","%08x"]\n' % crc32(data)


def open_lock(directory: str, faults: list[str]) -> int:
    """Return a descriptor of the state directory's lock file, -1 where there can be none."""
    try:
        make_directory(directory)
        return open_own(os.path.join(directory, "lock"))
    except OSError as error:
        faults.append(f"{directory}: cannot be written: {reason(error)}; see --state-directory")
        return -1


def close_lock(descriptor: int) -> None:
    """Close the lock file, if there is one; a failure releases it too, see close(2)."""
    try:
        if descriptor >= 0:
            os.close(descriptor)
    except OSError:
        pass  # what was to be written is written


def take_lock(descriptor: int, wait: float, faults: list[str]) -> bool:
    """Take the lock; return False where another run has it for ``wait`` seconds."""
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                faults.append(f"no lock, two runs at once may clash: {reason(error)}")
                return True
            if time.monotonic() >= end:
                return False
            time.sleep(LOCK_POLL)
        else:
            return True
