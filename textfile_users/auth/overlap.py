"""What a log says that another has said already, where reading moves from one to the other."""

from __future__ import annotations

from collections import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Overlap:
    """Drops messages that were read elsewhere up to ``time``: the older ones, and ``lines``."""

    def __init__(self, time: float, apart: float, lines: Iterable[tuple[bytes, bytes]]) -> None:
        """Take the newest line's time, and program and message of those close before it.

        The logs stamp a message at most ``apart`` seconds apart.
        """
        self._time = time
        self._apart = apart
        self._lines = Counter((program, message.strip()) for program, message in lines)

    def drops(self, time: float, program: bytes, message: bytes) -> bool:
        """Return whether a message was read elsewhere; each of ``lines`` drops one."""
        if time < self._time - self._apart:
            return True
        if time > self._time + self._apart:
            return False
        line = program, message.strip()
        if self._lines[line] > 0:
            self._lines[line] -= 1
            return True
        return False
