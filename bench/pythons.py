"""What a scan costs on each Python of this machine, beside that Python's own bare interpreter."""

from __future__ import annotations

import os
import random
import statistics
import zipfile
from pathlib import Path

from bench.hosts import logged_host
from bench.tools import cpu_seconds, ours, table, times_base
from tests.pythons import VERSIONS, Installed, build, find_python, install

ONE_FILE = "one file"
# The same without what is in it for the older Pythons.
NEWER_ALONE = "one file, newer alone"
NEWER = ("older.zip", "older_finder.py")


def measure_pythons(directory: str, runs: int) -> str:
    """Return the table: medians of scans that find nothing new, all in turns."""
    archive = build(Path(directory) / "textfile-users.pyz")
    alone = _newer_alone(archive)
    root = os.path.join(directory, "host")
    logged_host(root, 1)
    found = [install(archive, path, Path(directory)) for path in map(find_python, VERSIONS) if path]
    commands: dict[tuple[str, str], list[str]] = {}
    for one in found:
        flags = ours(os.path.join(directory, one.python.strip("/")), "--root", root)[1:]
        python = f"{one.prefix}/bin/python3"
        commands[one.python, "installed"] = [python, *flags, "--timeout", "60"]
        commands[one.python, ONE_FILE] = [python, "-I", str(archive), *flags[3:]]
        if _is_newer(one):
            commands[one.python, NEWER_ALONE] = [python, "-I", str(alone), *flags[3:]]
    for command in commands.values():
        cpu_seconds(command)
    return table(_rows(found, _costs(commands, runs)))


def _newer_alone(archive: Path) -> Path:
    path = archive.with_name("newer.pyz")
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name not in NEWER:
                target.writestr(name, source.read(name))
    return path


def _is_newer(one: Installed) -> bool:
    return int(one.python.rpartition(".")[2]) >= 9


Costs = dict[tuple[str, str], list[float]]


def _costs(commands: dict[tuple[str, str], list[str]], runs: int) -> Costs:
    """Return what each command costs, in times BASE; each Python's BASE, in seconds, is "bare"."""
    found: Costs = {key: [] for key in commands}
    for _ in range(runs):
        for key in random.sample(sorted(commands), len(commands)):
            argv = commands[key]
            bare: list[float] = []
            found[key].append(times_base(argv, bare, argv[0]))
            found.setdefault((key[0], "bare"), []).extend(bare)
    return found


def _rows(found: list[Installed], costs: Costs) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("Python", "BASE, ms", "a scan, x BASE", f"from the {ONE_FILE}", "without the older's part")
    ]
    for one in found:
        of = {
            name: statistics.median(costs[one.python, name])
            for name in ("bare", "installed", ONE_FILE, NEWER_ALONE)
            if (one.python, name) in costs
        }
        last = f"{of[NEWER_ALONE]:.2f}" if NEWER_ALONE in of else ""
        rows.append(
            (one.full_version, f"{of['bare'] * 1000:.1f}", f"{of['installed']:.2f}",
             f"{of[ONE_FILE]:.2f}", last)
        )  # fmt: skip
    return rows
