"""PAM's lines, which many programs write: ``pam_unix(SERVICE:auth): ...`` (Linux-PAM).

A PAM service speaks only for the programs that use it. Where a program has lines of its own,
PAM's decide nothing, or only if those are missing. What one module refuses another may accept:
verdicts.py puts together what they say of an attempt. Modules other than pam_unix, and programs
that are not known, are in pam_modules.py.
"""

from __future__ import annotations

from textfile_users.auth.pam_findings import refusal, told, who_asks
from textfile_users.auth.pam_services import (
    DISPLAY_MANAGERS,
    GREETERS,
    USES,
    Use,
    use_for,
)
from textfile_users.auth.patterns import (
    PAM_ESCALATION,
    Pattern,
    irrelevant,
    name,
    number,
)
from textfile_users.auth_event import (
    IRRELEVANT,
    NOTHING,
    Finding,
)
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

    from textfile_users.auth.patterns import Finder, Forms


MAX_KNOWN = 256  # messages of a service that are remembered
MAX_KNOWN_BYTES = 256


def _failure(match: Match[bytes]) -> Finding:
    service, more, logname, tty, caller, where, user = match.groups()
    where, user = told(caller, where, user)
    module = b"more" if more else b"unix"
    who = who_asks(service, caller, logname, user)
    return refusal(module, service, user, tty, who, where, number(more) or 1)


def _opened(match: Match[bytes]) -> Finding:
    service, user, by, old = match.groups()
    if old is not None:
        user, _, by = old.partition(b" by ")
        if b" by " in by:  # one of the names has it, too
            return NOTHING
    return _session(use_for(service), name(user), name(by))


def _session(use: Use, user: str, by: str) -> Finding:
    """Return what it means that a session of ``user`` opens."""
    who, target = user, ""
    if use.opened == PAM_ESCALATION:
        who, target = by, user
    elif use.service in DISPLAY_MANAGERS and user in GREETERS:
        return NOTHING
    said = use.opened, use.service, "", who, "", "", "", 0, 1, target, "", "", 0
    return quick(Finding, said)


def _closed(match: Match[bytes]) -> Finding:
    return _session_end(use_for(match[1]), name(match[2]))


def _session_end(use: Use, user: str) -> Finding:
    is_greeter = use.service in DISPLAY_MANAGERS and user in GREETERS
    if use.closed == IRRELEVANT or is_greeter:
        return NOTHING
    said = use.closed, use.service, "", user, "", "", "", 0, 1, "", "", "", 0
    return quick(Finding, said)


BY_KIND = {
    b"auth": (
        # + pam_unix(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        # = gdm 'PAM refusal' method=pam user=alice account=valid tty=tty1 kind=unix:gdm-password
        # + pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=
        # = login 'PAM refusal' method=pam tty=tty1 kind=unix:login
        # + pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
        # = irrelevant
        # + pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        # = su 'PAM escalation failure' user=alice target=root kind=unix:su
        # + pam_unix(su:auth): authentication failure; logname= uid=1000 euid=0 tty=pts/0 ruser= rhost=  user=root
        # = su 'PAM escalation failure' target=root kind=unix:su
        # + pam_unix(su-l:auth): 2 more authentication failures; logname= uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        # = su 'PAM escalation failure' user=alice target=root times=2 kind=more:su-l
        # + pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        # = sudo 'PAM escalation failure' user=alice kind=unix:sudo
        # + pam_unix(lightdm:auth): 2 more authentication failures; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=bob
        # = lightdm 'PAM refusal' method=pam user=bob account=valid tty=:0 times=2 kind=more:lightdm
        # + pam_unix(login:auth): 2 more authentication failures; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=bob
        # = irrelevant
        # + pam_unix(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=  user=x pam_unix(su:auth): 2 more authentication failures; logname=bob uid=0 euid=0 tty=pts/9 ruser=bob rhost=192.0.2.9  user=y
        # = lightdm 'PAM refusal' kind=unix:lightdm method=pam user='x pam_unix(su:auth): 2 more authentication failures; logname=bob uid=0 euid=0 tty=pts/9 ruser=bob rhost=192.0.2.9  user=y' account=valid
        # + pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser=alice rhost=192.0.2.7  user=bob
        # = xrdp 'PAM refusal' method=pam user=bob account=valid ip=192.0.2.7 tty=xrdp-sesman kind=unix:xrdp-sesman
        # + pam_unix(polkit-1:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=alice rhost=  user=bob
        # = polkit 'PAM escalation failure' user=alice kind=unix:polkit-1
        # + pam_unix(cockpit:auth): authentication failure; logname= uid=0 euid=0 tty= ruser= rhost=::ffff:192.0.2.7  user=alice
        # = cockpit 'PAM refusal' method=pam user=alice account=valid ip=192.0.2.7 kind=unix:cockpit
        # + pam_unix(newdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0.0 ruser= rhost=  user=alice
        # = other 'PAM refusal' method=pam user=alice account=valid tty=:0.0 kind=unix:newdm
        # + pam_unix(newdm:auth): authentication failure; logname= uid=0 euid=0 tty=pts/3 ruser= rhost=  user=alice
        # = irrelevant
        # - pam_unix(gdm-password:auth): authentication failure
        # + pam_unix(su:auth): authentication failure; logname=EXAMPLE\al s uid=70001 euid=0 tty=pts/0 ruser=EXAMPLE\alice smith rhost=  user=root
        # = su 'PAM escalation failure' user='EXAMPLE\alice smith' target=root kind=unix:su
        # + pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=pts/0 ruser=x rhost=192.0.2.9  user=y rhost=192.0.2.7  user=alice
        # = login 'PAM refusal' method=pam tty=pts/0 kind=unix:login
        # - pam_unix(gdm-password:auth): authentication failure; logname=a=b c uid=0 euid=0 tty=a ruser= rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a b ruser= rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser=a=b c rhost=
        # - pam_unix(gdm-password:auth): authentication failure; logname=x uid=0 euid=0 tty=a ruser= rhost=a b
        # - pam_sss(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost= user=alice
        # - pam_unix(:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        # - pam_unix(lightdm:auth):  more authentication failures; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=bob
        # - pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=pts/0 ruser=x rhost=192.0.2.9user=y rhost=192.0.2.7  user=alice
        Pattern(
            rb"pam_unix\(([\w-]+):auth\): (?:(\d+) more )?authentication failures?;"
            rb" logname=(\S*|[^=]*) uid=\d* euid=\d* tty=(\S*) ruser=(\S*|[^=]*) rhost=(\S*)"
            rb"(?: +user=(.*))?",
            _failure,
        ),
        # + pam_unix(gdm-password:auth): check pass; user unknown
        # + pam_sss(gdm-password:auth): received for user alice: 7 (Authentication failure)
        # + pam_unix(sudo:auth): auth could not identify password for [alice]
        # = irrelevant
        # - pam_unix(gdm-password:auth)
        # - unix(gdm-password:auth): check pass; user unknown
        # - pam_unix x(gdm-password:auth): check pass; user unknown
        # - pam_(gdm-password:auth): check pass; user unknown
        # - pam_unix(gdm-password x:auth): check pass; user unknown
        # - pam_unix(:auth): check pass; user unknown
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
        # + pam_unix(gdm-password:session): session opened for user EXAMPLE\alice smith(uid=70001) by (uid=0)
        # = gdm session-opened user='EXAMPLE\alice smith'
        # + pam_unix(lightdm:session): session opened for user lightdm(uid=112) by (uid=0)
        # = irrelevant
        # + pam_unix(newdm:session): session opened for user alice(uid=1000) by (uid=0)
        # = other 'PAM acceptance' user=alice
        # + pam_unix(systemd-run0:session): session opened for user alice(uid=1000) by (uid=0)
        # = run0 'PAM escalation' target=alice
        # + pam_unix(su:session): session opened for user EXAMPLE\al s(uid=1000) by EXAMPLE\bob c(uid=0)
        # + pam_unix(su:session): session opened for user EXAMPLE\al s by EXAMPLE\bob c(uid=0)
        # = su 'PAM escalation' user='EXAMPLE\bob c' target='EXAMPLE\al s'
        # + pam_unix(su:session): session opened for user a by b(uid=1000) by c(uid=0)
        # = su 'PAM escalation' user=c target='a by b'
        # + pam_unix(su:session): session opened for user a by b by c(uid=0)
        # = irrelevant
        # - pam_unix(su:session): session opened for user alice(uid=1000) by bob c
        # - pam_unix(su:session): session opened for user alice(uid=1000) by bob(uid=0) c(uid=0)
        # - pam_unix(sshd:session): session opened for user alice
        # - pam_unix(sshd:session): session opened for user alice(uid=x) by (uid=0)
        # - pam_unix(sshd:session): session opened for user alice(uid=0) by (uid=x)
        # - pam_systemd(sshd:session): session opened for user alice by (uid=0)
        # - pam_unix(sshd x:session): session opened for user alice(uid=1000) by (uid=0)
        # - pam_unix(:session): session opened for user alice(uid=1000) by (uid=0)
        # - pam_unix(sshd:session): session opened for user alice((uid=1000) by (uid=0)
        # - pam_unix(sshd:session): session opened for user alice(uid=) by (uid=0)
        # - pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=)
        Pattern(
            rb"pam_unix\(([\w-]+):session\): session opened for user"
            rb" (?:([^(]*)\(uid=\d+\) by ([^( ]*|[^(]*(?=\(uid=))|((?=[^(]* by )[^(]*))"
            rb"(?:\(uid=\d+\))?",
            _opened,
        ),
        # + pam_unix(sshd:session): session closed for user alice
        # = sshd session-closed user=alice
        # + pam_unix(sudo:session): session closed for user root
        # + pam_unix(greetd:session): session closed for user greeter
        # = irrelevant
        # - pam_unix(sshd:session): session closed
        # - pam_unix(sshd x:session): session closed for user alice
        # - pam_unix(:session): session closed for user alice
        Pattern(rb"pam_unix\(([\w-]+):session\): session closed for user (.*)", _closed),
        # + pam_systemd(sshd:session): Failed to release session: Access denied
        # = irrelevant
        # - pam_systemd(sshd:session)
        # - systemd(sshd:session): Failed to release session: Access denied
        # - pam_systemd x(sshd:session): Failed to release session: Access denied
        # - pam_(sshd:session): Failed to release session: Access denied
        # - pam_systemd(sshd x:session): Failed to release session: Access denied
        # - pam_systemd(:session): Failed to release session: Access denied
        Pattern(rb"pam_\w+\([\w-]+:session\): .*", irrelevant),
    ),
}


# libpam writes the sums at the end, when it is no module's any more: they tell no service.
_LIBPAM = (
    # + PAM service(sudo) ignoring max retries; 5 > 3
    # + PAM service(**unknown**) ignoring max retries; 4 > 3
    # = irrelevant
    # - PAM service(sudo) ignoring max retries; 5 > 3 times
    # - PAM service(sudo) ignoring max retries;
    # - PAM service(sudo) ignoring max retries; 5 > x
    # - PAM service(sudo) ignoring max retries; x > 3
    # - PAM service(sudo) ignoring max retries;  > 3
    # - PAM service(sudo) ignoring max retries; 5 >
    # - PAM service() ignoring max retries; 5 > 3
    # - PAM service(a b) ignoring max retries; 5 > 3
    Pattern(rb"PAM service\([\w*-]+\) ignoring max retries; \d+ > \d+", irrelevant),
)


def _sums(service: bytes) -> tuple[Finder, ...]:
    """Return what finds the sums of a program that uses ``service``."""
    start = b"pam_unix(%s:auth): " % service

    def find(message: bytes) -> Finding | None:
        is_sum = message[4:5].isdigit()
        return BY_KIND[b"auth"][0].find(start + message[4:].rstrip(b" ")) if is_sum else None

    return (find, *[pattern.find for pattern in _LIBPAM])


def _plain_session(service: bytes, use: Use) -> Finder:
    """Return what finds the most frequent messages of a service, as the patterns do."""
    start = b"pam_unix(%s:session): session " % service
    greeters = GREETERS if use.service in DISPLAY_MANAGERS else ()

    def find(message: bytes) -> Finding | None:
        if not message.startswith(start):
            return None
        words = message[len(start) :].split(b" ")
        if words[1:3] != [b"for", b"user"]:
            return None
        if words[0] == b"closed" and len(words) == 4:
            user = name(words[3])
            if use.closed == IRRELEVANT or (greeters and user in greeters):
                return NOTHING
            said = use.closed, use.service, "", user, "", "", "", 0, 1, "", "", "", 0
            return quick(Finding, said)
        if words[0] != b"opened" or len(words) != 6 or words[4] != b"by":
            return None
        opened, by = _plain_name(words[3]), _plain_name(words[5])
        if opened is None or by is None:
            return None
        if greeters and opened in greeters:
            return NOTHING
        who, target = (by, opened) if use.opened == PAM_ESCALATION else (opened, "")
        return quick(
            Finding, (use.opened, use.service, "", who, "", "", "", 0, 1, target, "", "", 0)
        )

    return find


def _plainly(find_new: Finder) -> Finder:
    """Return ``find_new`` with a memory: a user's sessions all begin and end with the same text."""
    known: dict[bytes, Finding | None] = {}

    def find(message: bytes) -> Finding | None:
        if message in known:
            return known[message]
        said = find_new(message)
        if len(message) < MAX_KNOWN_BYTES:
            if len(known) >= MAX_KNOWN:
                known.clear()
            known[message] = said
        return said

    return find


def _stripped(pattern: Pattern) -> Finder:
    """Return what finds a pattern in a message, whatever blanks end it.

    pam_unix ends in one where PAM knows no user (Linux-PAM 1.7.0, modules/pam_unix/support.c).
    """
    return lambda message: pattern.find(message.rstrip(b" "))


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
        table[b"PAM"] = _sums(service)
        for kind, patterns in BY_KIND.items():
            finders: tuple[Finder, ...] = tuple(_stripped(pattern) for pattern in patterns)
            if kind == b"session":
                finders = (_plainly(_plain_session(service, use)), *finders)
            elif use.failure == IRRELEVANT:
                finders = (irrelevant,)
            table[b"pam_unix(%s:%s):" % (service, kind)] = finders
    return table or {b"PAM": _sums(b"other")}
