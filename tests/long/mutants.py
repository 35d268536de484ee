"""Mutants of the patterns: what a slip of the hand, or a later change, would make of them.

Libraries for mutation testing change code, and none the regular expressions in it.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.test_patterns import Samples

_TOKEN = re.compile(
    rb"\\.|\[\^?\]?(?:\\.|[^]\\])*\]"  # an escape, a class
    rb"|\((?:\?P<\w+>|\?[:=!])?|[|)]"  # what makes groups
    rb"|(?:[*+?]|\{\d+,?\d*\})\??|.",  # a quantifier, any other character
    re.DOTALL,
)
_LITERAL = re.compile(rb"\\[^\w]|[^\\\s.()|*+?^$\[{]")
_CLASS = re.compile(rb"\\[dSsw]|\[.+\]", re.DOTALL)
_SECONDS = 0.5  # of CPU for all messages of a mutant
_CONTEXT = 24


class Token(NamedTuple):
    """A piece of a regular expression, and where it stands."""

    start: int
    end: int
    text: bytes


class Mutant(NamedTuple):
    """A regular expression in which ``new`` replaces what is from ``start`` to ``end``."""

    source: bytes
    start: int
    end: int
    new: bytes

    def changed(self) -> bytes:
        """Return the mutant's regular expression."""
        return self.source[: self.start] + self.new + self.source[self.end :]

    def __str__(self) -> str:
        """Return the change with a little of what is around it: ``for (.«* → +») from``."""
        before = self.source[max(0, self.start - _CONTEXT) : self.start]
        old, after = self.source[self.start : self.end], self.source[self.end :][:_CONTEXT]
        return f"{before.decode()}«{old.decode()} → {self.new.decode()}»{after.decode()}"


def mutants(source: bytes) -> Iterator[Mutant]:
    """Yield the mutants of a regular expression, without those that match alike for sure."""
    tokens = [Token(match.start(), match.end(), match[0]) for match in _TOKEN.finditer(source)]
    for number, token in enumerate(tokens):
        for new in _instead(token.text):
            yield Mutant(source, token.start, token.end, new)
        if _takes_what_it_can(source, tokens, number):
            new = token.text[:1] if token.text[1:] else token.text + b"?"
            yield Mutant(source, token.start, token.end, new)
    alternatives = set(_alternatives(tokens, len(source)))
    words = {
        (start, end)
        for start, end in _words(tokens, len(source))
        if (start - 1, end) not in alternatives and (start, end + 1) not in alternatives
    }
    for start, end in sorted(words | alternatives):
        yield Mutant(source, start, end, b"")


def _instead(text: bytes) -> Iterator[bytes]:
    """Yield what may stand for a token that is no literal."""
    if text[:1] == b"?":
        yield from (b"", b"{0}")
    elif text[:1] == b"*":
        yield b"+" + text[1:]
    elif text[:1] == b"+":
        yield b"*" + text[1:]
    elif text[:1] == b"{" and text != b"{":
        yield b"+"
    elif _CLASS.fullmatch(text):
        yield b"."
    elif text in (b"(?=", b"(?!"):
        yield b"(?!" if text == b"(?=" else b"(?="


def _takes_what_it_can(source: bytes, tokens: list[Token], number: int) -> bool:
    """Return whether a repetition may end here or there, and a group tells where it did."""
    if number == 0 or tokens[number].text[:1] not in (b"*", b"+"):
        return False
    behind = source[tokens[number].end :].lstrip(b")?")
    repeated = tokens[number - 1].text
    is_decided = not behind or (repeated == rb"\S" and behind[:1] == b" ")
    return repeated in (b".", rb"\S") and not is_decided and re.compile(source).groups > 0


def _words(tokens: list[Token], length: int) -> Iterator[tuple[int, int]]:
    """Yield where literals stand in a row, from blank to blank."""
    word: list[Token] = []
    for token in [*tokens, Token(length, length, b" ")]:
        if _LITERAL.fullmatch(token.text):
            word.append(token)
            continue
        if token.text[:1] in b"*+?{":  # of the last one
            word = word[:-1]
        if word:
            yield word[0].start, word[-1].end
        word = []


def _alternatives(tokens: list[Token], length: int) -> Iterator[tuple[int, int]]:
    """Yield where alternatives stand, each with one bar."""
    opened = [[0]]  # where the alternatives of the groups that are open begin
    for token in [*tokens, Token(length, length, b")")]:
        if token.text[:1] == b"(":
            opened.append([token.end])
        elif token.text == b"|":
            opened[-1].append(token.end)
        elif token.text == b")":
            begins = opened.pop()
            if len(begins) > 1:
                yield from zip(begins, begins[1:])
                yield begins[-1] - 1, token.start


class _TooSlowError(Exception):
    """The messages took too long."""


@contextmanager
def _limited() -> Iterator[None]:
    """Raise where the block takes more CPU than a pattern ever may."""

    def stop(*_: object) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def survives(mutant: Mutant, samples: Samples) -> bool:
    """Return whether a mutant says of all messages beside its pattern what the pattern does."""
    match = re.compile(mutant.changed(), re.DOTALL).fullmatch
    try:
        with _limited():
            for message, finding in samples.known:
                found = match(message)
                if not found or samples.pattern.make(found) != finding:
                    return False
            return not any(match(message) for message in samples.refused)
    except (_TooSlowError, LookupError, ValueError):  # a field has another text, or none
        return False
