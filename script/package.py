"""Makes packages of the one file: `package.py NFPM PYZ DIRECTORY FORMAT...`.

The tree is an environment as `install` unpacks it, but for any Python from 3.6 on: lib/python3.N
is a link to the modules for it. All of a version is below a directory of its own, which `lib` leads
to, so that an upgrade changes one link, and a scan sees the old program or the new one.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PACKAGING = os.path.join(PROJECT, "packaging")
sys.path.insert(0, PROJECT)  # -I leaves it out

from textfile_users import __version__  # noqa: E402
from textfile_users.product import PACKAGE, PREFIX, SERVICE, STARTERS  # noqa: E402
from textfile_users.setup.plan import default_settings  # noqa: E402
from textfile_users.setup.plan_units import tmpfiles_lines  # noqa: E402
from textfile_users.setup.unpack import NEWER, OLDEST, archive_files  # noqa: E402

LAST = 30  # Python 3.N that will find its modules: a minor version comes each year
DOCUMENTS = "usr/share/doc/textfile-users"
CHANGELOG = """textfile-users ({version}) unstable; urgency=medium

  * Version {version}, see CHANGELOG.md of the project.

 -- textfile-users <textfile-users@packages.invalid>  {date}
"""


def tree(pyz: str, when: float) -> dict[str, bytes]:
    """Return the files of the packages, by their path without the first slash."""
    own, version = PACKAGE[1:], f"{PACKAGE[1:]}/{__version__}"
    share, files = {}, {}
    for is_older, modules in ((False, "modules"), (True, "older")):
        for name, data in archive_files(pyz, is_older=is_older):
            if name.startswith("share/"):
                share[name] = data
            else:
                files[f"{version}/{modules}/site-packages/{name}"] = data
    units = {name.rpartition("/")[2]: data for name, data in share.items()}
    for name, data in share.items():
        if "/man/" not in name:
            files[f"{version}/{name}"] = data
    for name in (SERVICE, *STARTERS):
        files[f"usr/lib/systemd/system/{name}"] = _placed(units[name])
    users = [line for line in units["textfile-users.sysusers"].splitlines() if line[:2] == b"u "]
    files["usr/lib/sysusers.d/textfile-users.conf"] = b"\n".join([*users, b""])
    files["usr/lib/tmpfiles.d/textfile-users.conf"] = "\n".join([*tmpfiles_lines(), ""]).encode()
    files[f"{own}/pyvenv.cfg"] = b"home = /usr/bin\ninclude-system-site-packages = false\n"
    files[f"{own}/bin/textfile-users"] = _read("textfile-users")
    files[f"{own}/bin/compile"] = _read("compile")
    files["etc/default/textfile-users"] = default_settings().encode()
    page = units["textfile-users.1"]
    files["usr/share/man/man1/textfile-users.1.gz"] = gzip.compress(page, mtime=0)
    date = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(when))
    changes = CHANGELOG.format(version=__version__, date=date).encode()
    files[f"deb/{DOCUMENTS}/changelog.gz"] = gzip.compress(changes, mtime=0)
    files[f"{DOCUMENTS}/copyright"] = _read("copyright")
    files["deb/usr/share/lintian/overrides/textfile-users"] = _read("lintian-overrides")
    files["deb/usr/share/python3/runtime.d/textfile-users.rtupdate"] = _read("rtupdate")
    return files


def links() -> dict[str, str]:
    """Return the links of the packages: where each leads to, by its path."""
    own, version = PACKAGE[1:], f"{PACKAGE[1:]}/{__version__}"
    found = {
        f"{version}/lib/python3.{minor}": "../modules" if minor >= NEWER else "../older"
        for minor in range(OLDEST, LAST)
    }
    found[f"{own}/lib"] = f"{__version__}/lib"
    found[f"{own}/share"] = f"{__version__}/share"
    found[f"{own}/bin/python3"] = "../../../bin/python3"
    found["usr/bin/textfile-users"] = "../lib/textfile-users/bin/textfile-users"
    return found


def _placed(data: bytes) -> bytes:
    return data.replace(PREFIX.encode(), PACKAGE.encode())


def _read(name: str) -> bytes:
    with open(os.path.join(PACKAGING, name), "rb") as file:
        return file.read().replace(b"@VERSION@", __version__.encode())


def lay_out(directory: str, pyz: str, when: float) -> None:
    """Make the tree and the scripts in ``directory``, where nfpm is to find them."""
    for name, data in tree(pyz, when).items():
        path = os.path.join(directory, "tree", name)
        is_run = re.search(r"/bin/|\.rtupdate$", name)
        _write(path, data, 0o755 if is_run else 0o644)
    for name, target in links().items():
        path = os.path.join(directory, "tree", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
    for name in ("after-install", "before-remove", "after-remove"):
        _write(os.path.join(directory, "scripts", name), _read(name), 0o755)
    shutil.copy(os.path.join(PACKAGING, "nfpm.yaml"), directory)


def _write(path: str, data: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)


def main() -> int:
    """Make the packages and print where they are."""
    nfpm, pyz, output, *formats = sys.argv[1:]
    when = float(os.environ.get("SOURCE_DATE_EPOCH") or os.stat(pyz).st_mtime)
    environment = {**os.environ, "VERSION": __version__}
    environment["SOURCE_DATE_EPOCH"] = str(int(when))
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as directory:
        lay_out(directory, pyz, when)
        for name in formats:
            argv = [nfpm, "package", "--packager", name, "--target", os.path.abspath(output)]
            subprocess.run(argv, cwd=directory, env=environment, check=True, stdout=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
