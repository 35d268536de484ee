"""What is said on stderr: one line each."""

from __future__ import annotations

import os
import sys

from textfile_users.sources.text import printable

PROGRAM = "textfile-users"

# Levels of sd-daemon(3). Without one the journal takes a line for `info`, which the unit
# leaves out together with PID 1's own lines.
ERROR = 3
WARNING = 4
NOTICE = 5


def say(level: int, text: str) -> None:
    """Print ``text`` as one line; under the journal with its level."""
    prefix = f"<{level}>" if _is_journal() else ""
    if sys.stderr is not None:  # closed by who started us
        try:
            print(f"{prefix}{PROGRAM}: {printable(text)}", file=sys.stderr, flush=True)
        except OSError:  # full, or its reader is gone: the work goes on
            return


def _is_journal() -> bool:
    """Return whether stderr is the stream that $JOURNAL_STREAM names, see systemd.exec(5)."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"
