"""The commands that fix what is found, with the names and tools that this host has."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from shlex import quote as quote

from textfile_users.product import DROP_IN, PREFIX, SETTINGS
from textfile_users.setup.checks.child import TOOLS
from textfile_users.setup.checks.result import SERVICE
from textfile_users.setup.service import UNIT_DIRECTORIES
from textfile_users.setup.settings import OPTIONS, TEXTFILE_DIRECTORY
from textfile_users.setup.unpack import running_archive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textfile_users.setup.checks.result import Host

NAME = "textfile-users"
LINKS = (f"/usr/local/bin/{NAME}", f"/usr/bin/{NAME}")
SOME_DIRECTORY = "DIR"  # which the reader is to choose
LAST_WORDS = "journalctl -t textfile-users -n 5"
SCRIPTS = "/etc/init.d"
MANAGERS = {
    "apt-get": "install",
    "dnf": "install",
    "zypper": "install",
    "pacman": "-S",
    "apk": "add",
}
# What can stand in a unit, a crontab, the settings file and sed's words without quotes.
PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+@,=-]*")
PLAIN_WORDS = re.compile(r"[A-Za-z0-9 /._+@,:*=-]*")


def own_command() -> str:
    """Return how a shell calls this program: by its path, for sudo may not search /usr/local."""
    archive = running_archive()
    name = f"{PREFIX if archive else sys.prefix}/bin/{NAME}"
    if archive and not os.path.exists(name):
        return shlex.join((sys.executable, archive))
    return quote(name) if archive or sys.prefix != sys.base_prefix else NAME


def program() -> str:
    """Return how a shell calls this program: by its name alone where install has put a link."""
    command = own_command()
    real = os.path.realpath(command)
    is_ours = any(os.path.islink(link) and os.path.realpath(link) == real for link in LINKS)
    return NAME if is_ours else command


PROGRAM = program()


def has(tool: str) -> bool:
    """Return whether the host has a program of that name."""
    return shutil.which(tool, path=TOOLS) is not None


def installed_service(names: Iterable[str]) -> str:
    """Return the first of ``names`` that the host has a unit or an init script for, '' for none."""
    for name in names:
        units = (f"{directory}/{name}.service" for directory in UNIT_DIRECTORIES)
        if any(map(os.path.exists, (*units, f"{SCRIPTS}/{name}"))):
            return name
    return ""


def service(how: str, names: tuple[str, ...], is_systemd: bool) -> str:
    """Return the command that starts or restarts a service, which has one of ``names``."""
    name = installed_service(names) or names[0]
    if is_systemd:
        return f"systemctl {'enable --now' if how == 'start' else how} {name}"
    return f"rc-service {name} {how}" if has("rc-service") else f"service {name} {how}"


def start_unit(unit: str) -> str:
    """Return the command that starts a unit of ours, which may have failed, now and at boot."""
    return f"systemctl reset-failed {unit}; systemctl enable --now {unit}"


def package(name: str, managers: Iterable[str] = tuple(MANAGERS)) -> str:
    """Return the command that gets a package which has this name with ``managers``, '' without."""
    manager = next(filter(has, managers), "")
    return manager and f"{manager} {MANAGERS[manager]} {name}"


def join(user: str, groups: Iterable[str]) -> str:
    """Return the command that puts a user into groups."""
    if has("usermod"):
        return f"usermod -aG {','.join(map(quote, groups))} {quote(user)}"
    return " && ".join(f"addgroup {quote(user)} {quote(group)}" for group in groups)


def leave(user: str, group: str) -> str:
    """Return the command that takes a user out of a group."""
    if has("gpasswd"):
        return f"gpasswd -d {quote(user)} {quote(group)}"
    return f"delgroup {quote(user)} {quote(group)}"


def edit(path: str, line: int = 0) -> str:
    """Return the command that opens a file in an editor, at a line where one is given."""
    return f"${{EDITOR:-vi}} {f'+{line} ' if line else ''}{quote(path)}"


def install(host: Host, directory: str = "", *, in_place: bool = False) -> str:
    """Return the command that installs as the host was installed.

    ``directory`` is the textfile directory that it is to have, '' for the one that it has;
    ``in_place`` is whether the file is to be written there, and no link.
    """
    command = f"{PROGRAM} install"
    if host.is_systemd and not host.runs_by_timer:
        command += " --cron"
    elif host.is_systemd and (in_place or os.path.exists(DROP_IN)):
        command += " --in-place"
    setting = host.values.get(TEXTFILE_DIRECTORY, "")
    if not directory or setting == directory:
        return command
    if not setting:
        name = directory if directory == SOME_DIRECTORY else quote(directory)
        return f"{command} --textfile-directory {name}"
    # install takes no other directory than the settings'.
    if not PLAIN_PATH.fullmatch(directory):
        return f"{edit(SETTINGS)} && {command}"
    return f"{_set(TEXTFILE_DIRECTORY, directory)} && {command}"


def link() -> str:
    """Return the command that has the file in /run, with a link in the textfile directory.

    Where node_exporter would not see it, that writes the file in place.
    """
    return f"{PROGRAM} install"


def add_option(values: Mapping[str, str], words: str) -> str:
    """Return the command that adds ``words`` to the options in the settings file."""
    if OPTIONS not in values:
        return f"printf '\\n{OPTIONS}=\"{words}\"\\n' >>{SETTINGS}"
    if not PLAIN_WORDS.fullmatch(values[OPTIONS]):
        return f"{edit(SETTINGS)} # {words}"
    return _set(OPTIONS, f'"{values[OPTIONS]} {words}"'.replace('" ', '"'))


def _set(name: str, text: str) -> str:
    """Return the command that replaces the line of a setting, whatever quotes it has."""
    return f"sed -i 's|^[[:blank:]]*{name}=.*|{name}={text}|' {SETTINGS}"


def run(host: Host) -> str:
    """Return the command of one run as its user: as root's it would leave files of root's."""
    if host.runs_by_timer:
        return f"systemctl start {SERVICE}; {LAST_WORDS}"
    options = host.options
    return _as_runs(
        host,
        f"{_scan(host)} --output {quote(options.output)} "
        f"--state-directory {quote(options.state_directory)} "
        f"--runtime-directory {quote(options.runtime_directory)}",
    )


def explain(host: Host) -> str:
    """Return the command that says of all that is seen why it counts.

    It has a state of its own: the runs' is to stay theirs.
    """
    directories = "--state-directory $D --runtime-directory $D"
    scan = _as_runs(host, f"{_scan(host)} -vv --output - {directories} >/dev/null")
    return f"export D=$(mktemp -d); chown {quote(host.identity.user)} $D; {scan}; rm -r $D"


def _scan(host: Host) -> str:
    return " ".join((PROGRAM, *map(quote, host.values.get(OPTIONS, "").split())))


def _as_runs(host: Host, script: str) -> str:
    if host.identity.uid == os.geteuid():
        return script
    return f"su -s /bin/sh {quote(host.identity.user)} -c {quote(script)}"
