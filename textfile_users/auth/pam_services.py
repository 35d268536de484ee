"""The services that PAM lets in, or up: which programs speak for one, and what it counts as."""

from __future__ import annotations

from textfile_users.auth.patterns import (
    PAM_ACCEPTED,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    PAM_REFUSED,
)
from textfile_users.auth.programs import OTHER, PROGRAMS
from textfile_users.auth_event import (
    IRRELEVANT,
    SESSION_CLOSED,
    SESSION_OPENED,
)
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


class Use(Record):
    """What a PAM service's lines mean: the label `service`, and an event for each kind."""

    service: str
    programs: tuple[bytes, ...]
    failure: str
    opened: str
    closed: str


def _login(service: str, *programs: bytes) -> Use:
    return Use(service, programs, PAM_REFUSED, SESSION_OPENED, SESSION_CLOSED)


def _escalation(service: str, *programs: bytes) -> Use:
    return Use(service, programs, PAM_ESCALATION_FAILURE, PAM_ESCALATION, IRRELEVANT)


SU = _escalation("su", b"su", b"su-l", b"su-rs")
_SUDO = _escalation("sudo", b"sudo", b"sudo-rs")
LOGIN = _login("login", b"login")
_GDM = _login(
    "gdm",
    b"gdm",
    b"gdm3",
    b"gdm-password",
    b"gdm-autologin",
    b"gdm-fingerprint",
    b"gdm-smartcard",
    b"gdm-switchable-auth",
    b"gdm-session-worker",
)
_LIGHTDM = _login("lightdm", b"lightdm")
_SDDM = _login("sddm", b"sddm", b"sddm-helper")
_XRDP = _login("xrdp", b"xrdp-sesman", b"xrdp-sesexec")
# Display managers without a label of their own.
_GREETD = _login("other", b"greetd")
_LXDM = _login("other", b"lxdm", b"lxdm-binary", b"lxdm-session")
_LY = _login("other", b"ly", b"ly-dm")
_PLASMA = _login("other", b"plasmalogin", b"plasmalogin-helper")
# Greeters, cron and user managers are not here: they are no events.
USES = {
    b"sshd": Use("sshd", (b"sshd", b"sshd-session", b"sshd-auth"), IRRELEVANT, *LOGIN[3:]),
    b"dropbear": Use("dropbear", (b"dropbear",), IRRELEVANT, *LOGIN[3:]),
    b"login": LOGIN,
    b"remote": LOGIN,
    b"su": SU,
    b"su-l": SU,
    b"sudo": _SUDO,
    b"sudo-i": _SUDO,
    b"doas": _escalation("doas", b"doas"),
    b"polkit-1": _escalation("pkexec", b"pkexec", b"polkit-agent-helper-1"),
    b"systemd-run0": _escalation("run0"),
    b"gdm": _GDM,
    b"gdm-password": _GDM,
    b"gdm-autologin": _GDM,
    b"gdm-fingerprint": _GDM,
    b"gdm-smartcard": _GDM,
    b"lightdm": _LIGHTDM,
    b"lightdm-autologin": _LIGHTDM,
    b"sddm": _SDDM,
    b"sddm-autologin": _SDDM,
    b"xrdp-sesman": _XRDP,
    b"cockpit": _login("cockpit", b"cockpit-session", b"cockpit-ws"),
    b"greetd": _GREETD,
    b"cosmic-greeter": _GREETD,
    b"emptty": _login("other", b"emptty"),
    b"entrance": _login("other", b"entrance"),
    b"kdm": _login("other", b"kdm"),
    b"kdm-np": _login("other", b"kdm"),
    b"lemurs": _login("other", b"lemurs"),
    b"lxdm": _LXDM,
    b"ly": _LY,
    b"ly-autologin": _LY,
    b"mdm": _login("other", b"mdm"),
    b"mdm-autologin": _login("other", b"mdm"),
    b"nodm": _login("other", b"nodm"),
    b"plasmalogin": _PLASMA,
    b"plasmalogin-autologin": _PLASMA,
    b"slim": _login("other", b"slim"),
    b"tdm": _login("other", b"tdm"),
    b"tdm-trinity": _login("other", b"tdm"),
    b"tdm-trinity-np": _login("other", b"tdm"),
    b"wdm": _login("other", b"wdm"),
    b"xdm": _login("other", b"xdm"),
}
# Of a service that no table knows: see use_of in pam_modules.py.
UNKNOWN = Use("other", (), PAM_REFUSED, PAM_ACCEPTED, IRRELEVANT)
DISPLAY_MANAGERS = ("gdm", "lightdm", "sddm", "other")
# Whom display managers run their greeters as, some under the PAM service of users.
GREETERS = frozenset(
    [
        "cosmic-greeter",
        "Debian-gdm",
        "gdm",
        "gdm-greeter",
        "greetd",
        "_greetd",
        "greeter",
        "gnome-initial-setup",
        "lightdm",
        "lxdm",
        "plasmalogin",
        "sddm",
        "slim",
    ]
)


def use_for(service: bytes) -> Use:
    """Return what lines of a PAM service mean that its program may write."""
    return USES.get(service) or (_GDM if service.startswith(b"gdm-") else UNKNOWN)


def is_seat(tty: bytes) -> bool:
    """Return whether a terminal is a seat's: ``tty1``, ``/dev/tty1``, ``:0``, ``:0.0``."""
    if tty.startswith(b":"):
        return tty[1:].replace(b".", b"", 1).isdigit()
    tty = tty[5:] if tty.startswith(b"/dev/") else tty
    return tty.startswith(b"tty") and tty[3:].isdigit()


# PAM services that may name a seat's terminal and let nobody into the host: they lock a screen,
# change an account, or become another user. Those of mail, files and web name no terminal.
NEVER = frozenset(
    b"atd chfn chsh cron crond dovecot dtlogin ftp i3 kcheckpass kde kde-fingerprint kde-smartcard"
    b" newrole other passwd ppp proftpd runuser runuser-l samba smtp smtpd systemd-user unix_chkpwd"
    b" useradd userdel usermod vsftpd xautolock".split()
)
# swaylock, i3lock, xlock, vlock, physlock, light-locker, dde-lock; screen, xscreensaver,
# gnome-screensaver; greeters' own sessions.
_NEVER_HOLD = (b"lock", b"screen", b"greeter", b"launch-environment")


def use_of(program: bytes, service: bytes) -> Use | None:
    """Return what a PAM service's lines mean in the name of ``program``, None for nothing.

    A service that no table knows may be the next display manager's.
    """
    use = USES.get(service)
    if use is not None:
        is_open = program == OTHER and use.service in ("other", "run0")  # under any tag
        return use if is_open or program in use.programs else None
    if service in NEVER or any(word in service for word in _NEVER_HOLD):
        return None
    if service.startswith(b"gdm-"):
        return use_for(service) if program == OTHER or program.startswith(b"gdm") else None
    return UNKNOWN if program == OTHER or not PROGRAMS[program] else None
