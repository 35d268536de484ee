"""What is remembered of a process that has spoken."""

from __future__ import annotations

from textfile_users.auth_event import AuthEvent
from textfile_users.record import Record, quick

REMEMBERED_SECONDS = 600.0
# What a program and PAM say of one thing stands closer than this.
PAIRED_SECONDS = 10.0
AT_ONCE_SECONDS = 1.5
# So many refusals of a process wait for the address; sshd allows six attempts.
MAX_WAITING = 16
# What a process has said that decides, in Remembered.said.
ACCEPTED = "a"
FAILED = "f"
ENDED = "e"
UNPAIRED = "u"  # a refusal of keyboard-interactive that PAM may repeat behind it


class Remembered(Record):
    """What is remembered of a process: when it last spoke, and what.

    ``held`` are findings, if any, that make events unless a later line decides otherwise.
    ``peer`` is the address of its connection, where its first line has said it, and ``port`` the
    client's, by which another process of the same pid is told.
    """

    time: float
    said: str
    held: tuple[AuthEvent, ...]
    peer: str = ""
    port: int = 0


NEW = Remembered(0.0, "", (), "", 0)


def after(
    memory: Remembered, event: AuthEvent, said: str, held: tuple[AuthEvent, ...] = ()
) -> Remembered:
    """Return what is remembered of a process behind an event."""
    return quick(Remembered, (event.time, said, held, memory[3], event[3].port or memory[4]))


# The service, and the pid; where a log has no pids, the address.
Key = tuple[str, "str | int"]
Step = tuple[Remembered, list[AuthEvent]]
