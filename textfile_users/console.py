"""What is said: on stderr one line each, on stdout as it is, but for terminals."""

from __future__ import annotations

import os
import sys

from textfile_users.reading.text import printable, printable_lines

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


def put(text: str) -> None:
    """Print lines on stdout: byte by byte, but on a terminal what is not printable is escaped."""
    if sys.stdout is None:
        return
    if sys.stdout.isatty():
        print(printable_lines(text))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(f"{text}\n".encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


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
