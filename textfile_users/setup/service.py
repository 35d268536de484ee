"""The installed service: who runs it and where it keeps its state, as root's files name it.

Root's run by hand becomes the service's user by this, and never by who owns a directory.
"""

from __future__ import annotations

import os

from textfile_users.console import PROGRAM
from textfile_users.paths import PRIVATE, SERVICE_UNIT, STATE
from textfile_users.product import CRON_ENTRIES
from textfile_users.reading.files import read_regular
from textfile_users.reading.text import decode
from textfile_users.record import Record
from textfile_users.setup.entry import others_can_write

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from collections.abc import Iterable, Iterator

# In the order in which systemd looks, see systemd.unit(5).
UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# The first has a column for the user; busybox's are named after the user instead.
CRON_D, *CRONTABS = CRON_ENTRIES
MAX_BYTES = 1 << 20
PR_SET_NO_NEW_PRIVS = 38  # linux/prctl.h


class Service(Record):
    """``user`` runs it, root or another; the directories are of the two kinds of state."""

    user: str
    state: str = STATE
    runtime: str = PRIVATE


def find_service() -> Service | None:
    """Return the service that root's unit or crontab defines on this host, None without."""
    unit = _unit_lines()
    crontab = next(filter(None, _crontabs()), None)
    # The unit of a host that systemd does not run is a leftover, if there is a crontab.
    if unit is None or (crontab and not is_systemd_running()):
        return crontab
    return parse_unit(unit)


def is_systemd_running() -> bool:
    """Return whether systemd runs this host, as sd_booted(3) has it."""
    return os.path.isdir("/run/systemd/system")


def parse_unit(lines: Iterable[str]) -> Service:
    """Return what a unit's lines, its drop-ins' behind its own, say of the service."""
    values: dict[str, str] = {}
    section = ""
    for line in map(str.strip, lines):
        name, equals, value = line.partition("=")
        if line.startswith("["):
            section = line
        elif equals and section == "[Service]" and not line.startswith(("#", ";")):
            values[name.rstrip()] = value.strip()
    return Service(
        values.get("User") or "root",
        _below("/var/lib", values.get("StateDirectory", ""), STATE),
        _below("/run", values.get("RuntimeDirectory", ""), PRIVATE),
    )


def parse_crontab(data: bytes, user: str = "") -> Service | None:
    """Return the service of a crontab, None where none of its lines runs this program.

    The user is named before the command, where ``user`` is '' (crontab(5), /etc/cron.d).
    """
    lines = [line.strip() for line in decode(data).split("\n")]
    lines = [line for line in lines if line and not line.startswith("#")]
    for line in lines:
        *times, command = line.split(None, 5 if user else 6)
        is_whole = line[0] in "*0123456789" and len(times) == (5 if user else 6)
        if is_whole and PROGRAM in command.replace("_", "-"):
            pairs = dict(_assignments(lines))
            directories = (pairs.get("STATE_DIRECTORY", STATE), pairs.get("RUNTIME_DIRECTORY", ""))
            return Service(user or times[5], directories[0], directories[1] or directories[0])
    return None


def become(user: str) -> None:
    """Give up root for ``user`` and for good, as systemd starts a service.

    Raises OSError, and KeyError where there is no such user.
    """
    from time import tzset

    account = find_account(user)
    if account.pw_uid == 0:
        return
    _gain_nothing_more()
    os.chdir("/")
    os.umask(0o077)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    os.environ.update(HOME=account.pw_dir, USER=account.pw_name, LOGNAME=account.pw_name)
    os.environ.pop("TZ", None)  # the caller's: the service has none
    tzset()


def find_account(user: str) -> pwd.struct_passwd:
    """Return the account of a name or uid. Raises KeyError where there is none."""
    import pwd

    return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)


def _gain_nothing_more() -> None:
    """Have no program that is started from here on gain rights, see prctl(2)."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs is refused", "prctl")


def _unit_lines() -> list[str] | None:
    """Return the lines of the unit and its drop-ins, None where there is no unit of root's."""
    units = (_read_roots(f"{directory}/{SERVICE_UNIT}") for directory in UNIT_DIRECTORIES)
    unit = next((found for found in units if found), None)
    if unit is None:
        return None
    drop_ins: dict[str, bytes] = {}  # of those with the same name the first counts
    for directory in UNIT_DIRECTORIES:
        above = f"{directory}/{SERVICE_UNIT}.d"
        try:
            names = [name for name in os.listdir(above) if name.endswith(".conf")]
        except OSError:
            continue
        for name in names:
            drop_ins.setdefault(name, _read_roots(f"{above}/{name}"))
    parts = [unit, *(drop_ins[name] for name in sorted(drop_ins))]
    return [line for part in parts for line in decode(part).split("\n")]


def _crontabs() -> Iterator[Service | None]:
    yield parse_crontab(_read_roots(CRON_D))
    for path in CRONTABS:
        found = parse_crontab(_read_roots(path), os.path.basename(path))
        # The file is root's, but its user may have written it: busybox's crontab(1) is setuid.
        yield found and found._replace(state=_own(found.state), runtime=_own(found.runtime))


def _read_roots(path: str) -> bytes:
    """Return the bytes of a file that root alone can write, b'' for anything else."""
    try:
        status = os.stat(path)
        above = os.stat(os.path.dirname(path))
        if any(map(others_can_write, (status, above))):
            return b""
        return read_regular(path, MAX_BYTES)
    except OSError:
        return b""


def _own(directory: str) -> str:
    return directory if directory in (STATE, PRIVATE) else STATE


def _below(above: str, value: str, default: str) -> str:
    """Return the directory of StateDirectory= or RuntimeDirectory=; one is all that is used."""
    name = value.split(":")[0].split(" ")[0]
    return f"{above}/{name}" if name and "%" not in name and ".." not in name else default


def _assignments(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        for word in line.split():
            name, equals, value = word.partition("=")
            if equals and value.startswith("/"):
                yield name, value
