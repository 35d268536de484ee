"""PAM's lines, which many programs write: ``pam_unix(SERVICE:auth): ...`` (Linux-PAM).

A PAM service speaks only for the programs that use it. Where a program has lines of its own,
PAM's decide nothing, or only if those are missing (attempts.py). Modules other than pam_unix
repeat what it says of the same attempt, or speak of the account.
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    FAILURE,
    IRRELEVANT,
    NOTHING,
    PAM_ESCALATION,
    PAM_ESCALATION_FAILURE,
    PAM_FAILURE,
    SESSION_CLOSED,
    SESSION_OPENED,
    Finding,
    Pattern,
    address,
    finding,
    irrelevant,
    name,
    number,
    terminal,
)
from textfile_users.record import Record, quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

    from textfile_users.auth.finding import Finder, Forms


class Use(Record):
    """What a PAM service's lines mean: the label `service`, and an event for each kind."""

    service: str
    programs: tuple[bytes, ...]
    failure: str
    opened: str
    closed: str


def _login(service: str, failure: str, *programs: bytes) -> Use:
    return Use(service, programs, failure, SESSION_OPENED, SESSION_CLOSED)


def _escalation(service: str, *programs: bytes) -> Use:
    return Use(service, programs, PAM_ESCALATION_FAILURE, PAM_ESCALATION, IRRELEVANT)


_SU = _escalation("su", b"su", b"su-l", b"su-rs")
_SUDO = _escalation("sudo", b"sudo", b"sudo-rs")
_LOGIN = _login("login", PAM_FAILURE, b"login")
_GDM = _login(
    "gdm",
    FAILURE,
    b"gdm",
    b"gdm3",
    b"gdm-password",
    b"gdm-autologin",
    b"gdm-fingerprint",
    b"gdm-smartcard",
    b"gdm-session-worker",
)
_LIGHTDM = _login("lightdm", FAILURE, b"lightdm")
_SDDM = _login("sddm", FAILURE, b"sddm", b"sddm-helper")

# Greeters, cron and user managers are not here: they are no events.
USES = {
    b"sshd": _login("sshd", IRRELEVANT, b"sshd", b"sshd-session", b"sshd-auth"),
    b"dropbear": _login("dropbear", IRRELEVANT, b"dropbear"),
    b"login": _LOGIN,
    b"remote": _LOGIN,
    b"su": _SU,
    b"su-l": _SU,
    b"sudo": _SUDO,
    b"sudo-i": _SUDO,
    b"doas": _escalation("doas", b"doas"),
    b"polkit-1": _escalation("pkexec", b"pkexec", b"polkit-agent-helper-1"),
    b"gdm": _GDM,
    b"gdm-password": _GDM,
    b"gdm-autologin": _GDM,
    b"gdm-fingerprint": _GDM,
    b"gdm-smartcard": _GDM,
    b"lightdm": _LIGHTDM,
    b"lightdm-autologin": _LIGHTDM,
    b"sddm": _SDDM,
    b"sddm-autologin": _SDDM,
    b"xrdp-sesman": _login("xrdp", FAILURE, b"xrdp-sesman"),
}


def _failure(match: Match[bytes]) -> Finding:
    service, more, logname, tty, caller, where, user = match.groups()
    use = USES[service]
    if use.failure == IRRELEVANT:
        return NOTHING
    if use.failure == PAM_ESCALATION_FAILURE:
        who = name(caller) or name(logname) or name(user)
        return finding(use.failure, use.service, user=who, times=number(more) or 1)
    ip, host = address(where)
    account = "valid" if user else ""
    return finding(
        use.failure,
        use.service,
        method="pam",
        user=name(user),
        account=account,
        ip=ip,
        host=host,
        tty=terminal(tty),
        times=number(more) or 1,
    )


def _opened(match: Match[bytes]) -> Finding:
    service, user, by = match.groups()
    use = USES[service]
    who, target = name(user), ""
    if use.opened == PAM_ESCALATION:
        who, target = name(by), who
    said = use.opened, use.service, "", who, "", "", "", 0, 1, target, "", "", 0
    return quick(Finding, said)


def _closed(match: Match[bytes]) -> Finding:
    use = USES[match[1]]
    if use.closed == IRRELEVANT:
        return NOTHING
    said = use.closed, use.service, "", name(match[2]), "", "", "", 0, 1, "", "", "", 0
    return quick(Finding, said)


_BY_KIND = {
    b"auth": (
        # + pam_unix(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        # = gdm failure method=pam user=alice account=valid tty=tty1
        # + pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=
        # = login 'PAM failure' method=pam tty=tty1
        # + pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
        # = irrelevant
        # + pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        # = su 'PAM escalation failure' user=alice
        # + pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        # = sudo 'PAM escalation failure' user=alice
        # + pam_unix(lightdm:auth): 2 more authentication failures; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=bob
        # = lightdm failure method=pam user=bob account=valid tty=:0 times=2
        # + pam_unix(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=x pam_unix(su:auth): 2 more authentication failures; logname=bob uid=0 euid=0 tty=pts/9 ruser=bob rhost=192.0.2.9  user=y
        # = lightdm failure method=pam user='x pam_unix(su:auth): 2 more authentication failures; logname=bob uid=0 euid=0 tty=pts/9 ruser=bob rhost=192.0.2.9  user=y' account=valid
        # + pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser=alice rhost=192.0.2.7  user=bob
        # = xrdp failure method=pam user=bob account=valid ip=192.0.2.7 tty=xrdp-sesman
        # - pam_unix(gdm-password:auth): authentication failure
        # - pam_unix(gdm-password:auth): authentication failure; logname=a b uid=0 euid=0 tty=a ruser= rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a b ruser= rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser=a b rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser= rhost=a b
        # - pam_sss(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
        Pattern(
            rb"pam_unix\(([\w-]+):auth\): (?:(\d+) more )?authentication failures?;"
            rb" logname=(\S*) uid=\d* euid=\d* tty=(\S*) ruser=(\S*) rhost=(\S*)(?: +user=(.*))?",
            _failure,
        ),
        # + pam_unix(gdm-password:auth): check pass; user unknown
        # + pam_sss(gdm-password:auth): received for user alice: 7 (Authentication failure)
        # + pam_unix(sudo:auth): auth could not identify password for [alice]
        # = irrelevant
        # - pam_unix(gdm-password:auth)
        # - unix(gdm-password:auth): check pass; user unknown
        Pattern(rb"pam_\w+\([\w-]+:auth\): .*", irrelevant),
    ),
    b"session": (
        # + pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
        # = sshd session-opened user=alice
        # + pam_unix(login:session): session opened for user alice by LOGIN(uid=0)
        # = login session-opened user=alice
        # + pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        # = su 'PAM escalation' user=alice target=root
        # + pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        # = sudo 'PAM escalation' target=root
        # + pam_unix(gdm-autologin:session): session opened for user (uid=0) by (uid=0)
        # = gdm session-opened
        # - pam_unix(sshd:session): session opened for user alice
        # - pam_unix(sshd:session): session opened for user alice(uid=x) by (uid=0)
        # - pam_unix(sshd:session): session opened for user alice(uid=0) by (uid=x)
        # - pam_systemd(sshd:session): session opened for user alice by (uid=0)
        Pattern(
            rb"pam_unix\(([\w-]+):session\): session opened for user ([^( ]*)(?:\(uid=\d+\))?"
            rb" by ([^( ]*)(?:\(uid=\d+\))?",
            _opened,
        ),
        # + pam_unix(sshd:session): session closed for user alice
        # = sshd session-closed user=alice
        # + pam_unix(sudo:session): session closed for user root
        # = irrelevant
        # - pam_unix(sshd:session): session closed
        Pattern(rb"pam_unix\(([\w-]+):session\): session closed for user (.*)", _closed),
        # + pam_systemd(sshd:session): Failed to release session: Access denied
        # = irrelevant
        # - pam_systemd(sshd:session)
        # - systemd(sshd:session): Failed to release session: Access denied
        Pattern(rb"pam_\w+\([\w-]+:session\): .*", irrelevant),
    ),
}


def _plain_session(service: bytes, use: Use) -> Finder:
    """Return what finds the most frequent messages of a service, as the patterns do."""
    start = b"pam_unix(%s:session): session " % service

    def find(message: bytes) -> Finding | None:
        if not message.startswith(start):
            return None
        words = message[len(start) :].split(b" ")
        if words[1:3] != [b"for", b"user"]:
            return None
        if words[0] == b"closed" and len(words) == 4:
            if use.closed == IRRELEVANT:
                return NOTHING
            said = use.closed, use.service, "", name(words[3]), "", "", "", 0, 1, "", "", "", 0
            return quick(Finding, said)
        if words[0] != b"opened" or len(words) != 6 or words[4] != b"by":
            return None
        user, by = _plain_name(words[3]), _plain_name(words[5])
        if user is None or by is None:
            return None
        who, target = (by, user) if use.opened == PAM_ESCALATION else (user, "")
        return quick(
            Finding, (use.opened, use.service, "", who, "", "", "", 0, 1, target, "", "", 0)
        )

    return find


def _plain_name(text: bytes) -> str | None:
    """Return the name in ``NAME(uid=N)`` or ``NAME``, None for anything else."""
    user, bracket, uid = text.partition(b"(uid=")
    if b"(" in user or (bracket and not (uid[:-1].isdigit() and uid[-1:] == b")")):
        return None
    return name(user)


def pam_forms(program: bytes) -> Forms:
    """Return the finders of what PAM says in the name of ``program``.

    Of sshd's attempts sshd speaks itself.
    """
    table: Forms = {}
    for service, use in USES.items():
        if program not in use.programs:
            continue
        for kind, patterns in _BY_KIND.items():
            finders: tuple[Finder, ...] = tuple(pattern.find for pattern in patterns)
            if kind == b"session":
                finders = (_plain_session(service, use), *finders)
            elif use.failure == IRRELEVANT:
                finders = (irrelevant,)
            table[b"pam_unix(%s:%s):" % (service, kind)] = finders
    return table
