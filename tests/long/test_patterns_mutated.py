"""The examples beside the patterns of textfile_users/auth notice a change of a pattern.

survivors.txt lists the mutants that pass all of them, each below the reason why it may.
"""

from __future__ import annotations

import importlib
from collections import Counter, defaultdict
from pathlib import Path

from tests.long.mutants import Mutant, mutants, survives
from tests.test_patterns import ALL

LISTED = Path(__file__).with_name("survivors.txt")


def shared_parts(module: str) -> list[bytes]:
    """Return what patterns of a module have in common, the innermost first."""
    variables = vars(importlib.import_module(f"textfile_users.auth.{module}"))
    parts = [value for value in variables.values() if isinstance(value, bytes)]
    return sorted((part for part in parts if b"(" in part or b"[^" in part), key=len)


def in_code(mutant: Mutant, parts: list[bytes]) -> Mutant:
    """Return a mutant as one of the shared part that it changes, if it does."""
    for part in parts:
        where = mutant.source.find(part)
        while where >= 0:
            if where <= mutant.start and mutant.end <= where + len(part):
                return Mutant(part, mutant.start - where, mutant.end - where, mutant.new)
            where = mutant.source.find(part, where + 1)
    return mutant


def surviving() -> tuple[int, list[str]]:
    """Return how many mutants there are, and the lines of those that survive."""
    results: dict[tuple[str, Mutant], list[bool]] = defaultdict(list)
    for samples in ALL:
        module = samples.place.partition(".")[0]
        parts = shared_parts(module)
        for mutant in mutants(samples.pattern.source):
            results[module, in_code(mutant, parts)].append(survives(mutant, samples))
    lines = [f"{module}: {mutant}" for (module, mutant), alive in results.items() if all(alive)]
    return len(results), lines


def test_each_survivor_has_a_reason() -> None:
    count, lines = surviving()
    listed = [line for line in LISTED.read_text().splitlines() if line and line[0] != "#"]
    new, gone = Counter(lines) - Counter(listed), Counter(listed) - Counter(lines)
    assert not new, "mend the pattern, add an example or list it:\n" + "\n".join(new.elements())
    assert not gone, "does not survive any more:\n" + "\n".join(gone.elements())
    assert count > 1000
