"""Hostile bytes: real content with parts of it taken out, repeated, or replaced."""

from __future__ import annotations

import random
import re

from hypothesis import strategies as st

# What decoders stumble over: ends, signs, digits without end, digits that are none, no UTF-8.
TOKENS = [
    *(b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b",", b'"', b"=", b":", b";", b"/", b"..", b"%"),
    *(b"(", b")", b"[", b"]", b"{", b"}", b"\\", b"\\u0000", b"\\ud800", b"-1", b"+1", b"0x7f"),
    *(b"nan", b"inf", b"1e999", b"9" * 20, b"9" * 400, b"9" * 5_000, b"-" + b"9" * 40),
    *("\u00b2".encode(), "\u0663".encode(), "\u2028".encode(), b"\xff", b"\xed\xa0\x80"),
    *(b"A" * 300, b"\x1b[31m", b"0" * 70_000, b"\xff" * 384),
]


def _words(data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(rb"[0-9]+|[A-Za-z]+", data)] or [(0, 0)]


def mutated(samples: list[bytes]) -> st.SearchStrategy[bytes]:
    """Draw what mutant() returns, by choices that hypothesis makes, and makes simpler."""
    return st.randoms(use_true_random=False).map(lambda chance: mutant(chance, samples))


def mutant(chance: random.Random, samples: list[bytes]) -> bytes:
    """Return one of the samples after up to six edits."""
    data = chance.choice(samples)
    for _ in range(chance.randint(0, 6)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice([0, 0, 1, 1, 2, 8, 64]))
        if chance.randint(0, 1):  # a whole word, or number
            start, end = chance.choice(_words(data))
        piece = data[start:end]
        kind = chance.randint(0, 3)
        if kind == 0:
            piece = chance.choice(TOKENS)
        elif kind == 1:
            piece = bytes(chance.randint(0, 255) for _ in range(chance.randint(0, 8)))
        elif kind == 2:
            piece *= chance.choice([2, 3, 50])
        data = data[:start] + (b"" if kind == 3 else piece) + data[end:]
    return data
