"""The Pythons of this machine, and the one file as it is installed for each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from textfile_users.setup.unpack import unpack

PROJECT = Path(__file__).parents[1]
PACK = PROJECT / "script" / "pyz.py"
VERSIONS = tuple(f"3.{minor}" for minor in range(6, 15))
PREFIX = "/opt/textfile-users"
# As cron starts programs: without a locale.
ENVIRONMENT = {"PATH": os.environ["PATH"], "TZ": "UTC"}


def find_python(version: str) -> str:
    """Return the path of Python ``version`` (3.6), as $PATH and pyenv have it, '' without."""
    name = f"python{version}"
    places = [Path(directory) / name for directory in os.environ["PATH"].split(":")]
    places += Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}")
    code = "import sys; print('%d.%d %s' % (sys.version_info[:2] + (sys.executable,)))"
    for path in places:
        if os.access(path, os.X_OK):  # pyenv's in $PATH is a script, which may start none
            done = subprocess.run(
                [str(path), "-c", code], capture_output=True, text=True, check=False
            )
            found, _, executable = done.stdout.strip().partition(" ")
            if found == version and executable:
                return os.path.realpath(executable)
    return ""


def build(path: Path) -> Path:
    """Make the one file."""
    subprocess.run([sys.executable, "-I", str(PACK), str(path)], check=True)
    return path


class Installed(NamedTuple):
    """The program in an image, and the Python that runs it there."""

    image: Path
    python: str
    archive: Path

    @property
    def prefix(self) -> str:
        """Return where the image has it."""
        return f"{self.image}{PREFIX}"

    @property
    def full_version(self) -> str:
        """Return Python's version: 3.6.15."""
        return self.code("import sys; print('.'.join(map(str, sys.version_info[:3])))").strip()

    def code(self, code: str, *argv: str, **environment: str) -> str:
        """Return what code prints; a status but 0 is a fault, and so is a traceback."""
        command = [f"{self.prefix}/bin/python3", "-I", "-c", code, *argv]
        done = subprocess.run(
            command, env={**ENVIRONMENT, **environment}, capture_output=True, check=False
        )
        said = done.stderr.decode()
        assert done.returncode == 0, said
        assert "Traceback" not in said
        assert "Error" not in said
        return done.stdout.decode()

    def run(self, *argv: str, before: str = "", **environment: str) -> str:
        """Return what the program prints, which is started as by the unit, ``before`` it code."""
        code = f"{before}\nfrom textfile_users.__main__ import run; run()"
        return self.code(code, *argv, **environment)


def install(archive: Path, python: str, directory: Path) -> Installed:
    """Unpack the one file into an image whose Python is that of this machine."""
    image = directory / f"image-{os.path.basename(python)}"
    (image / "usr/bin").mkdir(parents=True)
    (image / "opt").mkdir()
    os.symlink(python, image / "usr/bin/python3")
    unpack(str(archive), str(image), PREFIX)
    found = Installed(image, python, archive)
    found.code(f"import compileall; compileall.compile_dir({found.prefix!r} + '/lib', quiet=2)")
    return found
