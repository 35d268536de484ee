"""Programs of other Debian releases, which run here with their own libraries.

Their packages come from this machine's own mirror, once, into .test/debian.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.e2e.parts import run

CACHE = Path(__file__).parents[2] / ".test/debian"
SUITES = {
    "trixie": ("systemd",),
    "sid": ("systemd", "promtool", "prometheus-node-exporter"),
}
# What journalctl opens when it needs it.
LIBRARIES = ("libzstd1", "liblz4-1", "liblzma5", "libgcrypt20", "libacl1", "libcap2")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# apt's state in a directory of its own, in which nothing is installed yet.
CONFIG = """Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
Dir::State::lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
"""


def leave_out(why: str) -> NoReturn:
    """Leave a test out, where it is not said that all are required."""
    if os.environ.get("TEXTFILE_USERS_E2E") == "required":
        pytest.fail(f"left out: {why}")
    pytest.skip(f"left out: {why}")


def program(name: str, suite: str) -> str:
    """Return how the program `name` of `suite` is called; "own" is this machine's."""
    return name if suite == "own" else str(programs(suite) / name)


def programs(suite: str) -> Path:
    """Return the directory with the programs of `suite`; where it cannot be had the test ends."""
    found = CACHE / suite / "bin"
    if not found.exists():
        try:
            _fetch(suite, CACHE / f"{suite}.new")
            (CACHE / f"{suite}.new").rename(CACHE / suite)
        except AssertionError as error:
            leave_out(f"{', '.join(SUITES[suite])} of Debian {suite}: {str(error)[-300:]}")
    return found


def unpacked(name: str, directory: Path) -> Path:
    """Return a directory with what is in a package of this machine's own release."""
    fetched = run("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name, check=False,
                  cwd=str(directory))  # fmt: skip
    if fetched.returncode:
        leave_out(f"{name}: {fetched.stderr[-300:]}")
    (package,) = directory.glob(f"{name}_*.deb")
    run("dpkg-deb", "--extract", str(package), str(directory / name))
    return directory / name


def _fetch(suite: str, directory: Path) -> None:
    """Unpack the packages, with all that they depend on, and make their programs callable."""
    shutil.rmtree(directory, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "bin"):
        (directory / name).mkdir(parents=True)
    (directory / "status").touch()
    (directory / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} {suite} main\n")
    config = directory / "apt.conf"
    config.write_text(CONFIG.format(directory=directory))
    apt = ("env", f"APT_CONFIG={config}", "apt-get", "-q", "-y")
    run(*apt, "-o", "APT::Update::Error-Mode=any", "update")
    run(*apt, "install", "--download-only", *SUITES[suite], *LIBRARIES)
    root = directory / "root"
    for package in (directory / "cache/archives").glob("*.deb"):
        run("dpkg-deb", "--extract", str(package), str(root))
    for name in ("lists", "cache"):
        shutil.rmtree(directory / name)
    for name, text in _wrappers(root, CACHE / suite / "root"):
        wrapper = directory / "bin" / name
        wrapper.write_text(text)
        wrapper.chmod(0o755)


def _mirror() -> str:
    """Return where this machine has Debian's packages from."""
    uris = run("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages").stdout
    found = [uri for uri in uris.split() if uri.rstrip("/").endswith("/debian")]
    assert found, "apt knows no mirror of Debian"
    return found[0]


def _wrappers(root: Path, later: Path) -> Iterator[tuple[str, str]]:
    """Yield scripts for programs in `root`, which will be called `later`."""
    loader = next(root.glob("usr/lib*/ld-linux*"))
    libraries = [*root.glob("usr/lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*/systemd")]
    paths = ":".join(str(later / path.relative_to(root)) for path in libraries)
    for name in ("journalctl", "promtool", "prometheus-node-exporter"):
        if (root / "usr/bin" / name).exists():
            yield (
                name,
                (
                    f"#!/bin/sh\nexec {later / loader.relative_to(root)} --library-path {paths} "
                    f'{later / "usr/bin" / name} "$@"\n'
                ),
            )
