"""How much is tried: a little with every change, all of it by `script/test --long`."""

from __future__ import annotations

import os

IS_LONG = os.environ.get("TEXTFILE_USERS_LONG") == "1"

# What docs/reliability.md has figures of: reduced, full.
_SIZES = {
    "system calls": (60, 0),  # faults injected with one scan; 0: every one
    "threads": (12, 0),  # the same in the program's own threads
    "examples": (60, 20_000),  # of each decoder's input
    "mutants": (1_000, 100_000),  # more of each, chosen without hypothesis
    "looks": (160, 17_280),  # of the soak, in process
    "rotation": (60, 200),  # looks from one rotation of the log to the next
    "runs": (10, 500),  # of the soak, a process each
    "at once": (200, 200),  # processes started together
    "in turn": (40, 200),  # the same, each waiting for its turn
    "cut": (12, 0),  # lengths to which a state file is cut; 0: every one
    "line": (2_000, 1 << 16),  # bytes of an adversarial line; no longer one is read
    "file": (2_000, 1 << 20),  # of what is no line
}


def size(name: str) -> int:
    """Return how much is tried of ``name`` now."""
    return _SIZES[name][IS_LONG]


def spread(count: int, wanted: int) -> list[int]:
    """Return ``wanted`` of the numbers below ``count``, evenly spread; all for 0."""
    if not wanted or wanted >= count:
        return list(range(count))
    return sorted({index * count // wanted for index in range(wanted)})
