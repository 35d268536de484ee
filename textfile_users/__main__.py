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
    status = 1
    try:
        from textfile_users.cli import main

        status = main(sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody who runs a timer
        _tell_fault(error)
    finally:
        # Taking the interpreter down in order costs a third of its start, and would wait for
        # a collector that hangs on a dead mount.
        os._exit(status)


def _tell_fault(error: Exception) -> None:
    from textfile_users.console import ERROR, say

    place = error.__traceback__
    while place and place.tb_next:
        place = place.tb_next
    where = (
        f"{os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno}" if place else ""
    )
    # A module that cannot be loaded, and memory that is not to be had, are the machine's.
    is_own = not isinstance(error, (ImportError, OSError, MemoryError))
    whose = "a fault of this program, please report it" if is_own else "ended early"
    say(ERROR, f"{whose}: {type(error).__name__} in {where}: {error}")


if __name__ == "__main__":
    run()
