"""No input costs more than in proportion to its length: patterns and decoders, adversarial lines.

A line is made of a pattern's own pieces: a message that it knows, with one piece of it repeated
until the line is full, whole or cut off behind that, so that the match fails where it is
longest; or with what separates fields, repeated. Its cost is the CPU time of the thread. Of a
line sixteen times as long it is about sixteen times that, and 256 times where it grows with the
square. What seems too much is measured again, both lengths in turn, since another process may
have taken the caches: the median counts. Times prove nothing on a machine that others use, so
this is for the full size alone: at reduced size the lines are tried.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import NOW
from tests.long.decoders import DECODERS, LINES, Decoder
from tests.long.kinds import KINDS, PLAIN, count
from tests.long.kinds import lines as of_kind
from tests.long.sizes import _SIZES, IS_LONG, size
from tests.test_patterns import ALL, Samples
from textfile_users.auth import log_forms as forms
from textfile_users.auth import log_lines as authlog
from textfile_users.auth.message import find
from textfile_users.auth.programs import PROGRAMS
from textfile_users.auth.stamps import Stamps
from textfile_users.reading.lines import MAX_LINE
from textfile_users.reading.localtime import utc_time

SMALLEST = 1 << 12
FACTOR = 16  # from one length to the next
# Times the cost: of a line, and of a file, whose parts take memory. The square is 256 times.
MOST = {"line": 20.0, "file": 100.0}
TRIES = 15
CALLS = 8  # of the shorter one, for each of the longer
NOISE = {"line": 1e-5, "file": 1e-4}  # seconds, below which no growth can be told
# What stands between the fields of messages and in names, or seems to.
SEPARATORS = (
    *(bytes([char]) for char in b" ;\"'[]()<>0:=,\\/-@"),
    b" from ", b" FROM ", b" user ", b" by ", b" port 1", b" from a port 1", b" a port 1: ",
    b"' from ", b"a:1 ", b"(uid=0)", b" ; USER=", b" ; COMMAND=",
    b": Change of username or service not allowed: (",
)  # fmt: skip


def pieces(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield parts of a message, and where they end: each word, pair of words and character."""
    for match in re.finditer(rb"\S+ ?", message):
        yield match.end(), match[0]
    for match in re.finditer(rb"\S+ \S+ ?", message):
        yield match.end(), match[0]
    for char in sorted(set(message)):
        yield message.index(char) + 1, bytes([char])
        yield message.rindex(char) + 1, bytes([char])


def lines(message: bytes, also: tuple[bytes, ...] = ()) -> Iterator[Callable[[int], bytes]]:
    """Yield what makes a line of a length: a piece repeated, then the rest of it or nothing.

    The beginning is one too, and behind each word so is what is ``also`` to be tried.
    """
    seen = set()
    others = [(match.end(), piece) for match in re.finditer(rb"\S+ ?", message) for piece in also]
    for end, piece in [*pieces(message), *others]:
        for tail in (message[end:], b"\xff"):
            key = message[:end], piece, tail
            if key not in seen:
                seen.add(key)
                yield filled(*key)


def filled(start: bytes, piece: bytes, tail: bytes) -> Callable[[int], bytes]:
    """Return what makes a line, no longer than its length where that leaves room for the piece."""
    around = len(start) + len(tail)
    return lambda length: start + piece * max((length - around) // len(piece), 1) + tail


def cost(call: Callable[[Any], object], data: object, calls: int = 1) -> float:
    """Return the CPU seconds of one call."""
    began = time.thread_time()
    for _ in range(calls):
        call(data)
    return (time.thread_time() - began) / calls


def growth(call: Callable[[Any], object], shorter: object, longer: object, noise: float) -> float:
    """Return how many times the cost of the shorter one the longer costs: the lesser median."""
    return min(
        statistics.median(
            cost(call, longer) / max(cost(call, shorter, CALLS), noise) for _ in range(TRIES)
        )
        for _ in range(2)
    )


def grows_too_fast(call: Callable[[Any], object], make: Callable[[int], Any], of: str) -> str:
    """Return how, where what is made by length costs more than in proportion to it."""
    length, before = SMALLEST, min(cost(call, make(SMALLEST)) for _ in range(3))
    while length < size(of):
        length *= FACTOR
        now = cost(call, make(length))
        if now > MOST[of] * max(before, NOISE[of]):
            times = growth(call, make(length // FACTOR), make(length), NOISE[of])
            if times > MOST[of]:
                told = f"{times:.1f} times the cost of {length // FACTOR}"
                return f"{length} bytes: {told}: {make(150)!r}"
        before = now
    return ""


def check(
    call: Callable[[Any], object], made: Iterable[Callable[[int], Any]], of: str = "line"
) -> None:
    """Fail where the call's cost grows faster than what is made; at reduced size only call it."""
    if not IS_LONG:
        for make in made:
            call(make(size(of)))
        return
    found = [grows_too_fast(call, make, of) for make in made]
    assert not any(found), "\n".join(filter(None, found))


def steps(times: float, taken: list[float]) -> Callable[[bytes], None]:
    """Return what takes steps by a line's length, so many times as many for the longest one."""

    def call(line: bytes) -> None:
        taken.append(1e-3 * len(line) * (times / FACTOR if len(line) >= MAX_LINE else 1))

    return call


@pytest.mark.parametrize(("times", "is_found"), [(16, False), (25, True), (256, True)])
def test_the_bound_is_met(times: float, is_found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells what grows in proportion from what does not quite, and from the square.

    The clock is one of steps: a machine that others use must not decide it.
    """
    taken: list[float] = []
    monkeypatch.setitem(_SIZES, "line", (MAX_LINE, MAX_LINE))
    monkeypatch.setattr(time, "thread_time", lambda: sum(taken))
    assert bool(grows_too_fast(steps(times, taken), repeated(b"a"), "line")) == is_found


def also(samples: Samples) -> Iterator[Callable[[int], bytes]]:
    """Yield lines of separators, behind each word of what a pattern knows and refuses."""
    for message in (samples.known[0][0], samples.refused[0]):
        yield from lines(message, SEPARATORS)


@pytest.mark.parametrize("samples", ALL, ids=lambda samples: samples.place)
def test_patterns(samples: Samples) -> None:
    messages = [message for message, _ in samples.known] + samples.refused
    for text in messages if IS_LONG else messages[:3]:
        check(samples.pattern.match, lines(text))
    if IS_LONG:
        check(samples.pattern.match, also(samples))


def repeated(text: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda length: text * (length // len(text)) + end


def by_form(form: bytes) -> Callable[[bytes], object]:
    """Return what splits a line by one form, as `split` does."""
    return lambda line: forms._pattern(form).match(line[: forms.MAX_HEAD])


# What takes a line of a log, or splits it; with each form, whatever the ones before say.
ON_LINES: dict[str, Callable[[bytes], object]] = {
    "split": forms.split,
    **{f"form {number}": by_form(form) for number, form in enumerate(forms._FORMS)},
    "naming": forms.naming,
    "naming_word": forms.naming_word,
    "stamp_of": forms.stamp_of,
    "has_stamps": forms.has_stamps,
    "time_of_line": Stamps(NOW, utc_time).time_of_line,
    "parse_lines": lambda data: list(authlog.parse_lines(data, strange=True)),
}
OF_FORMS = re.findall(rb"^ *# [+-] (.*)$", Path(forms.__file__).read_bytes(), re.MULTILINE)


@pytest.mark.parametrize("name", ON_LINES)
def test_lines_of_a_log(name: str) -> None:
    """A line of any length, and as many lines as there are."""
    call = ON_LINES[name]
    for text in LINES:
        check(call, lines(text, SEPARATORS if IS_LONG else ()))
    check(call, [repeated(text + b"\n") for text in LINES])
    for text in OF_FORMS if IS_LONG else ():
        check(call, lines(text))


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_messages(program: bytes) -> None:
    """What is found without a pattern, too; a repeated message in a repeated message."""
    texts = (
        b"Failed password for invalid user x from 192.0.2.7 port 1 ssh2",
        b"message repeated 2 times: [ Failed password for x from 192.0.2.7 port 1 ssh2]",
        b"pam_unix(%s:session): session opened for user a(uid=0) by b(uid=1)" % program,
        b"alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x",
    )
    for text in texts if IS_LONG else texts[:1]:
        check(lambda message: find(program, message), lines(text))


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_decoders(decoder: Decoder) -> None:
    def call(data: bytes) -> None:
        try:
            decoder.call(data)
        except decoder.raises:
            return

    for sample in decoder.samples[:2]:
        check(call, [*lines(sample[:400]), repeated(sample)], "file")


@pytest.mark.parametrize("kind", [*KINDS, *PLAIN])
def test_lines_that_are_counted(kind: str) -> None:
    """With all that lines leave behind: what is held, remembered, and counted by name."""
    check(count, [lambda length: of_kind(kind, length)], "file")
