"""Which entries of the journal are believed: anybody may log under any name."""

from __future__ import annotations

import os

from textfile_users.reading.text import decode

NOBODY = -1
UNSET_UID = (1 << 32) - 1
# Where the programs of the system are. What is there is root's; of LOCAL that is looked at: a
# store may be its user's, where Nix or Guix were installed without root.
STORES = ("/nix/store/", "/gnu/store/")
LOCAL = ("/usr/local/", "/opt/", *STORES)
SYSTEM = (
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/libexec/",
    "/bin/",
    "/sbin/",
    "/lib/",
    "/lib64/",
    "/run/wrappers/",  # NixOS' setuid programs
    "/run/privileged/",  # Guix'
    "/run/setuid-programs/",  # Guix' before
    *LOCAL,
)
_SSHD = ("sshd", "sshd-session", "sshd-auth")
_SUDO = ("sudo", "sudo.ws", "sudo-rs")
_SU = ("su", "su-rs", "busybox")
_XRDP = ("xrdp-sesman", "xrdp-sesexec")
_GDM = ("gdm", "gdm3", "gdm-binary", "gdm-session-worker")
_SYSTEMD = ("systemd", "systemd-executor")
# They log what somebody tells them, whom sudo may allow to run just these.
_TELL_ANYTHING = ("logger", "systemd-cat", "busybox", "toybox")
# Behind a file's name, where several packages have the program (Yocto's alternatives).
_PROVIDERS = (".suid", ".shadow", ".util-linux")
# What programs call themselves, and the names of their files. Links are resolved in _EXE:
# /usr/bin/sudo may be one to sudo-rs' or to sudo.ws.
BINARIES = {
    "sshd": _SSHD,
    "sshd-session": _SSHD,
    "sshd-auth": _SSHD,
    "dropbear": ("dropbear", "dropbearmulti"),
    "login": ("login", "busybox"),
    "agetty": ("agetty",),
    "gdm": _GDM,
    "gdm3": _GDM,
    "gdm-password": _GDM,
    "gdm-autologin": _GDM,
    "gdm-fingerprint": _GDM,
    "gdm-smartcard": _GDM,
    "gdm-session-worker": _GDM,
    "lightdm": ("lightdm",),
    "sddm": ("sddm", "sddm-helper"),
    "sddm-helper": ("sddm-helper",),
    "gdm-switchable-auth": _GDM,
    "xrdp-sesman": _XRDP,
    "xrdp-sesexec": _XRDP,
    "cockpit-session": ("cockpit-session",),
    "cockpit-ws": ("cockpit-ws",),
    # Display managers whose refusals and sessions PAM tells, each by its own name.
    **{
        name: (name,)
        for name in (
            "cosmic-greeter",
            "emptty",
            "entrance",
            "greetd",
            "kdm",
            "lemurs",
            "lxdm-binary",
            "lxdm-session",
            "ly-dm",
            "mdm",
            "nodm",
            "plasmalogin-helper",
            "slim",
            "tdm",
            "wdm",
            "xdm",
        )
    },
    "lxdm": ("lxdm", "lxdm-binary", "lxdm-session"),
    "ly": ("ly", "ly-dm"),
    "plasmalogin": ("plasmalogin", "plasmalogin-helper"),
    "polkitd": ("polkitd",),
    "sudo": _SUDO,
    "sudo-rs": _SUDO,
    "sudoedit": (*_SUDO, "sudoedit"),
    "su": _SU,
    "su-l": _SU,
    "su-rs": _SU,
    "doas": ("doas",),
    "pkexec": ("pkexec",),
    "polkit-agent-helper-1": ("polkit-agent-helper-1",),
}
# Of these a user's process has the user's uid: setuid changes only the effective one.
SETUID_PROGRAMS = frozenset(
    (
        "sudo",
        "sudo-rs",
        "sudoedit",
        "su",
        "su-l",
        "su-rs",
        "doas",
        "pkexec",
        "polkit-agent-helper-1",
    )
)
# They log by syslog(3); of the others, which use GLib's log, journald's own protocol is believed.
NATIVE_PROGRAMS = ("polkitd", "gdm")
COMM = 15  # bytes of a name in _COMM
SYSTEM_UIDS = 1000  # users' own begin here, see login.defs(5)
ROOTS_GID = ("0", "")  # '' where it is not told


def is_believed(
    program: str, uid: str, exe: str, transport: str = "", comm: str = "", gid: str = ""
) -> bool:
    """Return whether an entry may be from the program it names.

    The others are its fields _UID, _EXE, _TRANSPORT, _COMM and _GID, '' where missing: journald
    sets them, while anybody can choose ``program``. _EXE and _COMM are missing where the process
    had ended: of root's uid that may have been a user's sudo, which complains with the user's
    group. A stream to stdout or stderr says nothing of who writes: a user chooses its name, and
    may have root's sudo complain into it.
    """
    program = program.rstrip("]")
    if program not in BINARIES:
        return _is_other_believed(program, uid, exe, transport, gid)
    names = BINARIES[program]
    is_native = transport == "journal" and program.startswith(NATIVE_PROGRAMS)
    if transport not in ("", "syslog") and not is_native:
        return False
    if exe and not _is_binary(exe, names):
        return False
    if uid == "0":  # and not by cat(1), say, which sudo may allow a user
        if not exe and gid not in ROOTS_GID and program not in SETUID_PROGRAMS:
            return False
        return bool(exe) or not comm or comm in [name[:COMM] for name in names]
    if program == "polkitd":  # not setuid: who starts it can make it say anything
        return bool(exe) and 0 < number_of(uid) < SYSTEM_UIDS
    return program in SETUID_PROGRAMS and uid_of(uid) != NOBODY


def _is_other_believed(program: str, uid: str, exe: str, transport: str, gid: str) -> bool:
    """Return whether an entry in the name of a program that no table knows may be from it.

    That is one of the system's, run by root, which calls itself as its file: PAM's tag is mostly
    that. systemd has that of whatever it is going to run, in brackets.
    """
    name = _name_of(exe)
    if uid != "0" or gid not in ROOTS_GID or transport not in ("", "syslog"):
        return False
    if not name or name in _TELL_ANYTHING:
        return False
    if program.startswith("("):
        return name in _SYSTEMD
    if program.startswith("gdm-"):
        return name in _GDM
    return f"{name}-".startswith(f"{program}-") or program.startswith(f"{name}-")


def _is_binary(exe: str, names: tuple[str, ...]) -> bool:
    return _name_of(exe) in names


def _name_of(exe: str) -> str:
    """Return the name of a program of the system, '' of any other."""
    directory, _, name = exe.rpartition("/")
    if name.endswith("-wrapped"):  # /nix/store/HASH-sudo/bin/.sudo-wrapped
        name = name[: -len("-wrapped")].lstrip(".")
    name = next((name[: -len(one)] for one in _PROVIDERS if name.endswith(one)), name)
    is_path = exe.startswith("/") and not {"", ".", ".."}.intersection(directory.split("/")[1:])
    return name if is_path and exe.startswith(SYSTEM) else ""


def is_roots(path: str, known: dict[str, bool] = {}) -> bool:  # noqa: B006 - a cache
    """Return whether root alone can write a file and the directories above it, by lstat(2).

    Nix' store is open to its builders' group, but sticky: they replace nothing of root's.
    """
    if path not in known:
        above = path.rpartition("/")[0]
        try:
            status = os.lstat(path or "/")
        except OSError:
            return False
        is_store = status.st_mode & 0o41002 == 0o41000  # a sticky directory, not all the world's
        is_own = status.st_uid == 0 and not status.st_mode & (0o002 if is_store else 0o022)
        known[path] = is_own and (not path or is_roots(above, known))
    return known[path]


def command_of(program: str, message: bytes) -> str:
    """Return the name of the command that ``program`` became behind its ``message``, '' for none.

    doas and pkexec log as the last thing that they do: journald may see the command already.
    """
    if program == "doas":
        command = message.partition(b" ran command ")[2].partition(b" ")[0]
    elif program == "pkexec":
        command = message.rpartition(b" [COMMAND=")[2].partition(b"]")[0].partition(b" ")[0]
    else:
        return ""
    return decode(command.rpartition(b"/")[2])


def uid_of(value: object) -> int:
    """Return a uid, NOBODY where it is none: 4294967295 is one that was not set."""
    text = text_of(value)
    number = number_of(text)
    return number if str(number) == text and number < UNSET_UID else NOBODY


def text_of(value: object) -> str:
    """Return a field's text, '' for what is none, as a field given twice."""
    if not isinstance(value, str):
        return ""
    return value if value.isascii() else decode(value.encode("utf-8", "surrogatepass"))


def number_of(value: object) -> int:
    """Return the number that a field holds, 0 where it holds none."""
    text = text_of(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
