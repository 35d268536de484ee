"""Packs program, dependencies and what `install` needs into one file: `pyz.py FILE`.

The same input makes the same bytes: names are sorted, stamps are $SOURCE_DATE_EPOCH's or 1980.
The dependencies are those of the Python that runs this. For Python before 3.9 all modules are in it
again, rewritten (older/rewrite.py), as one entry: each start reads the names of all entries.
"""

from __future__ import annotations

import configparser
import glob
import importlib.metadata
import io
import os
import py_compile
import re
import sys
import tempfile
import time
import zipfile

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OLDER = os.path.join(PROJECT, "script", "older")
sys.path.append(OLDER)  # -I leaves it out

from older_finder import SOURCES  # noqa: E402
from rewrite import rewrite  # noqa: E402

# Any Python that can read a zip file, from 2.7 on, must understand this.
MAIN = b'''\
"""textfile-users in one file: `python3 textfile-users.pyz --help`."""

import sys

if sys.version_info < (3, 9):
    if sys.version_info < (3, 6):
        sys.exit(
            "textfile-users: this is Python %d.%d, and 3.6 or later is needed (see docs/deploy.md)"
            % tuple(sys.version_info[:2])
        )
    from older_finder import use

    use(__loader__)

from textfile_users.__main__ import run

run()
'''
# Of a distribution's metadata, what depends on how and where it was installed.
LOCAL = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def contents(settings: configparser.ConfigParser) -> dict[str, bytes]:
    """Return what the file holds, by name, without compiled modules."""
    found = {"__main__.py": MAIN, "LICENSE": _read(os.path.join(PROJECT, "LICENSE"))}
    package = os.path.join(PROJECT, "textfile_users")
    for directory, _, names in os.walk(package):
        for name in names:
            path = os.path.join(directory, name)
            if name.endswith((".py", ".typed")):
                found[os.path.relpath(path, PROJECT)] = _read(path)
    for directory, patterns in settings["options.data_files"].items():
        for pattern in patterns.split():
            for path in glob.glob(os.path.join(PROJECT, pattern)):
                found[f"{directory}/{os.path.basename(path)}"] = _read(path)
    for requirement in settings["options"]["install_requires"].split("\n"):
        if requirement:
            found.update(_distribution(re.split(r"[ <>=!~;,]", requirement)[0]))
    return found


def _distribution(name: str) -> dict[str, bytes]:
    """Return the modules, licences and metadata of an installed distribution."""
    files = importlib.metadata.distribution(name).files or ()
    kept = [
        file
        for file in files
        if file.suffix in (".py", ".typed") or file.parts[0].endswith(".dist-info")
    ]
    return {
        str(file): file.locate().read_bytes()  # type: ignore[attr-defined]
        for file in kept
        if file.name not in LOCAL and ".." not in file.parts
    }


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def compiled(found: dict[str, bytes]) -> dict[str, bytes]:
    """Return the compiled modules as zipimport looks for them: beside their source.

    They bear no time, so that the source's need not be right; another Python leaves them alone.
    """
    modules = {}
    with tempfile.TemporaryDirectory() as directory:
        source, made = os.path.join(directory, "source"), os.path.join(directory, "compiled")
        for name in sorted(found):
            if name.endswith(".py") and name != "__main__.py":
                with open(source, "wb") as file:
                    file.write(found[name])
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                py_compile.compile(source, made, name, doraise=True, invalidation_mode=mode)
                modules[f"{name}c"] = _read(made)
    return modules


def older(found: dict[str, bytes]) -> dict[str, bytes]:
    """Return the modules for Python 3.6 to 3.8 as one entry, and the module that finds them."""
    modules = {
        name: rewrite(data, name)
        for name, data in found.items()
        if name.endswith(".py") and name != "__main__.py"
    }
    for name in ("older_names.py", "older_zone.py"):
        modules[name] = _read(os.path.join(OLDER, name))
    finder = _read(os.path.join(OLDER, "older_finder.py"))
    return {SOURCES: _zip(modules, 0.0), "older_finder.py": finder}


def pack(found: dict[str, bytes], when: float) -> bytes:
    """Return a zip file that can be run."""
    return _zip(found, when, b"#!/usr/bin/env python3\n")


def _zip(found: dict[str, bytes], when: float, before: bytes = b"") -> bytes:
    """Return a zip file; nothing is compressed, which would cost each start."""
    stamp = max(time.gmtime(when)[:6], (1980, 1, 1, 0, 0, 0))
    packed = io.BytesIO()
    packed.write(before)
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(found):
            entry = zipfile.ZipInfo(name, stamp)
            entry.create_system = 3  # Unix
            entry.external_attr = 0o100644 << 16
            file.writestr(entry, found[name])
    return packed.getvalue()


def main() -> int:
    """Write the file."""
    (output,) = sys.argv[1:]
    settings = configparser.ConfigParser()
    settings.read(os.path.join(PROJECT, "setup.cfg"))
    found = contents(settings)
    found = {**found, **compiled(found), **older(found)}
    data = pack(found, float(os.environ.get("SOURCE_DATE_EPOCH", "0")))
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    with open(output, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), 0o755)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
