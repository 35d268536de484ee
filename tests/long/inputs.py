"""Hostile bytes: real content with parts of it taken out, repeated, or replaced."""

from __future__ import annotations

import re

from hypothesis import strategies as st

# What decoders stumble over: ends, signs, digits without end, digits that are none, no UTF-8.
TOKENS = st.sampled_from(
    [
        *(b"", b"\0", b"\n", b"\r\n", b" ", b"\t", b",", b'"', b"=", b":", b";", b"/", b"..", b"%"),
        *(b"(", b")", b"[", b"]", b"{", b"}", b"\\", b"\\u0000", b"\\ud800", b"-1", b"+1", b"0x7f"),
        *(b"nan", b"inf", b"1e999", b"9" * 20, b"9" * 400, b"9" * 5_000, b"-" + b"9" * 40),
        *("\u00b2".encode(), "\u0663".encode(), "\u2028".encode(), b"\xff", b"\xed\xa0\x80"),
        *(b"A" * 300, b"\x1b[31m", b"0" * 70_000, b"\xff" * 384),
    ]
)


def _words(data: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(rb"[0-9]+|[A-Za-z]+", data)] or [(0, 0)]


@st.composite
def mutated(draw: st.DrawFn, samples: list[bytes], edits: int = 6) -> bytes:
    """Draw one of the samples after some edits, or any bytes."""
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, edits))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 1, 2, 8, 64])))
        if draw(st.booleans()):  # a whole word, or number
            start, end = draw(st.sampled_from(_words(data)))
        piece = data[start:end]
        kind = draw(st.integers(0, 3))
        if kind == 0:
            piece = draw(TOKENS)
        elif kind == 1:
            piece = draw(st.binary(max_size=8))
        elif kind == 2:
            piece *= draw(st.sampled_from([2, 3, 50]))
        data = data[:start] + (b"" if kind == 3 else piece) + data[end:]
    return data
