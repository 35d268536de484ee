"""Puts the program of a one-file build (script/build) where pip would have put it.

What is made is an environment as venv makes them (PEP 405): unit and cron entry are the same, and
a run costs the same, since the host's own Python has compiled the modules.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import sys
import tempfile
import zipfile
from io import BytesIO

from textfile_users.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# Where the archive has what is no module, and an environment too.
SHARE = "share/"
# Beside these what the archive holds is for Python's path, but for what starts it and for the
# modules, once more, that Python before 3.9 takes: a zip file of their own.
_OLDER = "older.zip"
_STARTS = ("__main__.py", "older_finder.py", _OLDER)
VERSION = f"3.{sys.version_info[1]}"
OLDEST = 6
NEWER = 9  # from here on the modules are the archive's own
_PYTHON = re.compile(r"(?:platform-)?python3(?:\.(\d+))?")
# Where an image has its Python; the last is RHEL 8's own, which is always there.
_PLACES = ("/usr/local/bin/python3", "/usr/bin/python3", "/usr/libexec/platform-python")
_MOST_LINKS = 8
_SCRIPT = """#!{prefix}/bin/python3 -I
from textfile_users.__main__ import run

run()
"""


def running_archive() -> str:
    """Return the one-file build that this program runs from, '' for an installed one."""
    archive = getattr(__spec__.loader if __spec__ else None, "archive", "")
    return str(archive)


def unpack(archive: str, root: str, prefix: str) -> None:
    """Make the environment ``prefix`` below ``root`` of what ``archive`` holds.

    An environment that is there is replaced, as a whole: it is made beside and renamed. Raises
    OSError, also where links lead out of ``root``, ValueError where something else has its
    place or ``root`` has no Python, and zipfile.BadZipFile.
    """
    paths = Paths(root)
    place = paths.below(prefix)
    paths.require_inside(place)
    if os.path.lexists(place) and not os.path.isfile(os.path.join(place, "pyvenv.cfg")):
        raise ValueError(f"{place}: is there and no environment of Python's; move it away")
    python, version = find_python(root)
    umask = os.umask(0o022)  # all may run the program, whatever root's is
    try:
        above = os.path.dirname(place)
        os.makedirs(above, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".textfile-users.", dir=above) as beside:
            new, old = os.path.join(beside, "new"), os.path.join(beside, "old")
            _make(archive, new, prefix, python, version)
            _replace(place, new, old)
    finally:
        os.umask(umask)


def _replace(place: str, new: str, old: str) -> None:
    """Put ``new`` in the place of what is there, which becomes ``old``."""
    if os.path.lexists(place):
        os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        if os.path.lexists(old):
            os.rename(old, place)
        raise


def find_python(root: str) -> tuple[str, str]:
    """Return the path, below ``root``, of the Python that is to run the program, and its version.

    The path ends in the version where it can. Raises ValueError where there is none, or one
    too old.
    """
    if os.path.realpath(root) == "/":
        found = os.path.realpath(sys.executable)
        named = os.path.join(os.path.dirname(found), f"python{VERSION}")
        return named if os.path.exists(named) else found, VERSION
    for place in _PLACES:
        path = _last_link(root, place)
        match = _PYTHON.fullmatch(os.path.basename(path))
        if match and match[1] and int(match[1]) >= OLDEST:
            return path, f"3.{match[1]}"
    raise ValueError(
        f"{root}: no python3 of version 3.{OLDEST} or later in /usr/local/bin or /usr/bin"
    )


def _last_link(root: str, path: str) -> str:
    """Return where links lead to below ``root``, as alternatives have it: /etc/alternatives."""
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(os.path.join(root, path[1:]))
        except OSError:
            break
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return path


def _make(archive: str, new: str, prefix: str, python: str, version: str) -> None:
    modules = f"lib/python{version}/site-packages"
    for name, data in archive_files(archive, is_older=int(version[2:]) < NEWER):
        _write(new, name if name.startswith(SHARE) else f"{modules}/{name}", data)
    # As venv(1) has it: with this beside or above it, the Python that is linked takes our modules.
    home = f"home = {os.path.dirname(python)}\ninclude-system-site-packages = false\n"
    _write(new, "pyvenv.cfg", home.encode())
    _write(new, "bin/textfile-users", _SCRIPT.format(prefix=prefix).encode(), 0o777)
    os.symlink(python, os.path.join(new, "bin/python3"))
    if version == VERSION:
        compileall.compile_dir(
            os.path.join(new, modules),
            ddir=os.path.join(prefix, modules),
            quiet=2,
            invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
        )


def archive_files(archive: str, *, is_older: bool) -> Iterator[tuple[str, bytes]]:
    """Yield what an environment is made of, by name."""
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            if name not in _STARTS and not name.endswith((".pyc", "/", ".py" if is_older else "/")):
                yield name, file.read(name)
        if is_older:
            with zipfile.ZipFile(BytesIO(file.read(_OLDER))) as modules:
                for name in modules.namelist():
                    yield name, modules.read(name)


def _write(directory: str, name: str, data: bytes, mode: int = 0o666) -> None:
    path = os.path.join(directory, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)


def share_directory() -> str:
    """Return where units and cron entries lie: the checkout, or the environment's share."""
    import sysconfig

    checkout = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if os.path.isdir(os.path.join(checkout, "systemd-timer")):
        return checkout
    return os.path.join(sysconfig.get_path("data"), "share/textfile-users")


def share_files() -> dict[str, bytes]:
    """Return units and cron entries by name, as ``cron/textfile-users``. Raises OSError."""
    from textfile_users.reading.files import read_regular

    found = {}
    archive = running_archive()
    if archive:
        from zipfile import ZipFile

        above = "share/textfile-users/"
        with ZipFile(archive) as file:
            for name in file.namelist():
                if name.startswith(above) and not name.endswith("/"):
                    found[name[len(above) :]] = file.read(name)
        return found
    share = share_directory()
    for directory in ("systemd-timer", "cron"):
        for name in sorted(os.listdir(os.path.join(share, directory))):
            found[f"{directory}/{name}"] = read_regular(
                os.path.join(share, directory, name), 1 << 20
            )
    return found
