"""The reference of metrics and the manual page are what the code says."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from textfile_users.accounts.account import Account
from textfile_users.cli import COMMANDS
from textfile_users.collecting import SESSIONS
from textfile_users.metrics import SETS, families_of
from textfile_users.metrics.family import Family
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.session import Session
from textfile_users.snapshot import CollectorReport, Snapshot

PROJECT = Path(__file__).parents[1]
SCRIPT = PROJECT / "script" / "docs"
FIXTURES = Path(__file__).with_name("fixtures")


@pytest.fixture(scope="module")
def docs() -> dict[str, Any]:
    """The functions of script/docs."""
    return runpy.run_path(str(SCRIPT))


def test_what_is_committed_is_what_the_code_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), "run script/docs"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("### `a`\n\nWords.\n", "b is missing"),
        ("### `a`\n\nWords.\n\n### `b`\n\n## Other things\n\nWords.\n", "b has no words"),
        ("### `a`\n\nWords.\n\n### `b`\n\nWords.\n\n### `c`\n\nWords.\n", "c is no family"),
    ],
)
def test_families_and_words_belong_together(docs: dict[str, Any], template: str, why: str) -> None:
    with pytest.raises(SystemExit, match=why[0]):
        docs["metrics"](template, {"a": ("Help.", ()), "b": ("Help.", ())})


def test_what_the_code_knows_of_a_family(docs: dict[str, Any]) -> None:
    made = docs["metrics"]("### `a_total`\n\nWords.\n", {"a_total": ("Help.", ("x", "y"))})
    assert made == "### `a_total`\n\nCounter by `x`, `y`: *Help.*\n\nWords.\n"


def test_closed_labels_have_the_values_that_are_told(docs: dict[str, Any]) -> None:
    """In the outputs of whole hosts."""
    values = {pair: set(known) for pair, known in docs["VALUES"].items()}
    seen = 0
    for path in FIXTURES.rglob("*.prom"):
        for name, labels in re.findall(r"^(users_\w+)\{(.*)\} ", path.read_text(), re.MULTILINE):
            family = name[:-7] if name.endswith("_bucket") else name
            for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
                known = values.get((family, label)) or values.get(("", label))
                if known is not None:
                    seen += 1
                    assert value in known, f"{path.name}: {name} {label}"
    assert seen > 100


def test_the_manual_has_every_command(docs: dict[str, Any]) -> None:
    assert {*docs["COMMANDS"], "collect"} == set(COMMANDS)


def test_roff_is_escaped(docs: dict[str, Any]) -> None:
    assert docs["_roff"](".a-b\\c") == "\\&.a\\-b\\ec"


def _sample() -> Snapshot:
    """A scan that has something for each family."""
    session = Session("1", "alice", "pts/0", "ssh", "sshd", "", "192.0.2.7", "", 1.0, 2)
    return Snapshot(
        2.0,
        (session,),
        collectors=(CollectorReport(SESSIONS, True, 0.0), CollectorReport("auth", True, 0.0)),
        auth_log="authlog",
        last_logins={"alice": 1.0},
        connections=(),
        accounts=(Account("alice", 1000, "users", ""),),
        activities={"1": Activity(1.0, 1, 1.0)},
        cpu_seconds={"alice": 1.0},
        usages={"alice": (1, 1)},
        cpu_ratios={"alice": 0.5},
    )


@pytest.mark.parametrize("name", SETS[1:])
def test_the_tables_of_other_exporters_are_what_the_code_makes(name: str) -> None:
    """Family, type, and labels in their order."""
    text = (PROJECT / "docs" / "migration.md").read_text()
    section = text.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (gauge|counter) \|(.*?)\|", section, re.MULTILINE)
    told = [(family, type_, re.findall(r"\w+", labels)) for family, type_, labels in rows]
    assert sorted(told) == sorted(_described(one) for one in families_of(name, _sample()))


def _described(family: Family) -> tuple[str, str, list[str]]:
    (sample,) = family.samples
    return sample.name, family.type, list(sample.labels)


ARCHITECTURE = (PROJECT / "docs" / "architecture.md").read_text()
PACKAGE = PROJECT / "textfile_users"


def test_the_architecture_names_every_place() -> None:
    """Each module and folder at the top of the package is in the table, and nothing else."""
    table = ARCHITECTURE.partition("\n|---|---|\n")[2].partition("\n\n")[0].replace("\\", "")
    told = [re.split(r", ", row.split("|")[1].strip()) for row in table.splitlines()]
    there = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    there |= {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert {name for names in told for name in names} == there


def test_the_architecture_names_files_that_are_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", ARCHITECTURE)) - {"auth/PROGRAM.py"}
    assert len(named) > 20
    roots = (PACKAGE, PROJECT)
    assert [
        name for name in sorted(named) if not any((root / name).exists() for root in roots)
    ] == []
