"""The program's entry point: what is done here only saves time, see docs/decisions.md."""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def occupy_closed_streams() -> None:
    """Give standard descriptors that are closed to /dev/null, for reading.

    The next file opened would get their numbers, and then what is meant for them; so a
    write to them fails.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # gets the lowest number that is free


def run() -> NoReturn:
    """Run the command line and end the process with its exit status."""
    occupy_closed_streams()
    gc.disable()  # the process ends before there is garbage worth a search
    from textfile_users.cli import main

    try:
        status = main(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who runs a timer
        status = 1
        _tell_own_fault(error)
    # Taking the interpreter down in order costs a third of its start, and would wait for
    # a collector that hangs on a dead mount.
    os._exit(status)


def _tell_own_fault(error: Exception) -> None:
    from traceback import extract_tb

    from textfile_users.messages import ERROR, say

    place = extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    say(
        ERROR,
        f"a fault of this program, please report it: {type(error).__name__} in {where}: {error}",
    )


if __name__ == "__main__":
    run()
