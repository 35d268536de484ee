"""No input costs more than in proportion to its length: patterns and decoders, adversarial lines.

A line is made of a pattern's own pieces: a message that it knows, with one piece of it repeated
until the line is full, whole or cut off behind that, so that the match fails where it is
longest. Its cost is the CPU time of the thread, the least of some tries where it seems too much;
of a line sixteen times as long it is about sixteen times that, and 256 times where it grows with
the square. In between are caches and the memory that backtracking takes. Times prove nothing on a
machine that others use, so this is for the full size alone: at reduced size the lines are tried.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.hosts import NOW
from tests.long.decoders import DECODERS, LINES, Decoder
from tests.long.kinds import KINDS, PLAIN, count
from tests.long.kinds import lines as of_kind
from tests.long.sizes import IS_LONG, size
from tests.test_patterns import ALL, Samples
from textfile_users.auth.programs import PROGRAMS, find
from textfile_users.sources import authlog, forms

SMALLEST = 1 << 12
FACTOR = 16  # from one length to the next
TOO_MUCH = 100.0  # times the cost of that; the square is 256
TRIES = 3
NOISE = 1e-4  # seconds, below which no growth can be told


def pieces(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield parts of a message, and where they end: each word, pair of words and character."""
    for match in re.finditer(rb"\S+ ?", message):
        yield match.end(), match[0]
    for match in re.finditer(rb"\S+ \S+ ?", message):
        yield match.end(), match[0]
    for char in sorted(set(message)):
        yield message.index(char) + 1, bytes([char])
        yield message.rindex(char) + 1, bytes([char])


def lines(message: bytes) -> Iterator[Callable[[int], bytes]]:
    """Yield what makes a line of a length: a piece repeated, then the rest of it or nothing."""
    seen = set()
    for end, piece in pieces(message):
        for tail in (message[end:], b"\xff"):
            key = message[:end], piece, tail
            if key not in seen:
                seen.add(key)
                yield filled(*key)


def filled(start: bytes, piece: bytes, tail: bytes) -> Callable[[int], bytes]:
    return lambda length: start + piece * (length // len(piece)) + tail


def cost(call: Callable[[Any], object], data: object, tries: int = 1) -> float:
    """Return the CPU seconds of one call, the least of some."""
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        call(data)
        best = min(best, time.thread_time() - began)
    return best


def grows_too_fast(call: Callable[[Any], object], make: Callable[[int], Any]) -> str:
    """Return how, where what is made by length costs more than in proportion to it."""
    length, before = SMALLEST, cost(call, make(SMALLEST))
    while length < size("line"):
        length *= FACTOR
        now = cost(call, make(length))
        if _is_too_much(before, now):  # once more: another process may have taken the time
            before = cost(call, make(length // FACTOR), TRIES)
            now = cost(call, make(length), TRIES)
            if _is_too_much(before, now):
                times = f"{now / before:.0f} times the cost of {length // FACTOR}"
                return f"{length} bytes: {times}: {make(150)!r}"
        before = now
    return ""


def _is_too_much(before: float, now: float) -> bool:
    return now > TOO_MUCH * max(before, NOISE)


def check(call: Callable[[Any], object], made: Iterable[Callable[[int], Any]]) -> None:
    """Fail where the call's cost grows faster than what is made; at reduced size only call it."""
    if not IS_LONG:
        for make in made:
            call(make(size("line")))
        return
    found = [grows_too_fast(call, make) for make in made]
    assert not any(found), "\n".join(filter(None, found))


@pytest.mark.parametrize("samples", ALL, ids=lambda samples: samples.place)
def test_patterns(samples: Samples) -> None:
    messages = [message for message, _ in samples.known[:3]] + samples.refused[:1]
    check(samples.pattern.match, (make for text in messages for make in lines(text)))


def repeated(text: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda length: text * (length // len(text)) + end


@pytest.mark.parametrize("text", LINES)
def test_lines_of_a_log(text: bytes) -> None:
    """A line of any length, and as many lines as there are."""

    def parse(data: bytes) -> None:
        for _ in authlog.parse_lines(data, strange=True):
            pass

    check(parse, [*lines(text), repeated(text + b"\n")])
    for call in (forms.split, forms.naming, forms.stamp_of):
        check(call, lines(text))
    check(forms.has_stamps, [*lines(text), repeated(text + b"\n")])
    stamps = authlog.Stamps(NOW, authlog.utc_time)
    check(stamps.time_of_line, lines(text))


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
        check(call, [*lines(sample[:400]), repeated(sample)])


@pytest.mark.parametrize("kind", [*KINDS, *PLAIN])
def test_lines_that_are_counted(kind: str) -> None:
    """With all that lines leave behind: what is held, remembered, and counted by name."""
    check(count, [lambda length: of_kind(kind, length)])
