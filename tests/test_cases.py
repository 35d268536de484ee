"""Whole logs and what `events` makes of them: the files of cases in tests/cases.

A case is a line of JSON: `id`, `why` it exists, the `lines` of a log, its `events` in their order
with the keys that matter, and the numbers of the lines `unmatched`: none where that is left out.
Cases handed in from outside lie in ../shared/cases where they are there; of these `unmatched` is
compared only where it is told.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from textfile_users.events import read_log

OWN = Path(__file__).parent / "cases"
HANDED = Path(__file__).parents[2] / "shared" / "cases"
NOW = 1796049600.0  # 2026-11-30 14:40:00 UTC
Case = dict[str, Any]


def cases(directory: Path) -> list[Case]:
    """Return the cases of all files of a directory, none where it is not there."""
    return [
        json.loads(line)
        for path in sorted(directory.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]


def read(case: Case, *, unmatched: bool) -> list[Case]:
    """Return what `events` prints of a case's lines."""
    log = "".join(f"{line}\n" for line in case["lines"]).encode("utf-8", "surrogateescape")
    return [dict(event) for event in read_log([log], unmatched, NOW)]


def check(case: Case, unmatched: list[int] | None) -> None:
    found = read(case, unmatched=False)
    assert [
        {key: event.get(key, "") for key in wanted} for event, wanted in zip(found, case["events"])
    ] == case["events"], case["why"]
    assert len(found) == len(case["events"]), (case["why"], found)
    if unmatched is not None:
        assert [line["line"] for line in read(case, unmatched=True)] == unmatched, case["why"]


@pytest.mark.parametrize("case", cases(OWN), ids=lambda case: case["id"])
def test_own_cases(case: Case) -> None:
    check(case, case.get("unmatched", []))


@pytest.mark.parametrize("case", cases(HANDED), ids=lambda case: case["id"])
def test_handed_cases(case: Case) -> None:
    check(case, case.get("unmatched"))


def test_ids_are_told_apart_and_reasons_given() -> None:
    own = cases(OWN)
    assert len({case["id"] for case in own}) == len(own) > 0
    assert all(case["why"] and case["lines"] for case in own)
