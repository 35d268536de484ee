"""What a log says that another has said already, where reading moves from one to the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

# Two logs stamp a message so far apart at most.
APART_SECONDS = 2.0
# How far before the newest line read the other log is read, and what is held against it.
BACK_SECONDS = 15.0


class Overlap:
    """Drops messages that were read elsewhere up to ``time``: the older ones, and ``lines``."""

    def __init__(self, time: float, lines: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the newest line's time, and program and message of those close before it."""
        self._time = time
        self._lines = Counter((program, message.strip()) for program, message in lines)

    def drops(self, time: float, program: bytes, message: bytes) -> bool:
        """Return whether a message was read elsewhere; each of ``lines`` drops one."""
        if time < self._time - APART_SECONDS:
            return True
        if time > self._time + APART_SECONDS:
            return False
        line = program, message.strip()
        if self._lines[line] > 0:
            self._lines[line] -= 1
            return True
        return False
