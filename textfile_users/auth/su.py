"""su of util-linux (login-utils/su-common.c), shadow, busybox, toybox, coreutils and the BSDs.

The caller's name is one that the host knows; whom it asks for may be any text.
"""

from __future__ import annotations

from textfile_users.auth.patterns import AGAIN, Pattern, forms, irrelevant, name, terminal
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, Finding, finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _by_result(match: Match[bytes]) -> Finding:
    failed, target, user, tty = match.groups()
    event = ESCALATION_FAILURE if failed else ESCALATION
    aim = name(target), terminal(tty), "", 0
    return quick(Finding, (event, "su", "", name(user), "", "", "", 0, 1, *aim))


def _by_word(match: Match[bytes]) -> Finding:
    said = match.groupdict()
    event = ESCALATION_FAILURE if said["result"] in _REFUSED else ESCALATION
    who = {"user": name(said["user"]), "target": name(said["target"])}
    return finding(event, "su", tty=terminal(said.get("tty")), **who)


def _by_sign(match: Match[bytes]) -> Finding:
    """Return what a sign, a terminal and two names say; between these was a hyphen once."""
    sign, tty, names = match.groups()
    user, colon, target = names.partition(b":")
    if not colon:  # a name may have a hyphen, too
        user, _, target = names.partition(b"-") if names.count(b"-") == 1 else (b"", b"", b"")
    user, target = [b"" if one == b"???" else one for one in (user, target)]
    event = ESCALATION if sign == b"+" else ESCALATION_FAILURE
    who = {"user": name(user), "target": name(target), "tty": terminal(tty)}
    return finding(event, "su", kind=AGAIN, **who)


def _by_toybox(match: Match[bytes]) -> Finding:
    return finding(ESCALATION if match[1] else ESCALATION_FAILURE, "su")


_REFUSED = (b"FAILED", b"BAD SU ", b"failed")

FORMS = forms(
    # util-linux, and coreutils up to 8.17. Of a domain a caller's name may have blanks.
    # + (to root) alice on pts/0
    # = su escalation user=alice target=root tty=pts/0
    # + (to root) EXAMPLE\alice smith on pts/0
    # = su escalation user='EXAMPLE\alice smith' target=root tty=pts/0
    # + FAILED SU (to root) alice on pts/0
    # = su escalation-failure user=alice target=root tty=pts/0
    # + FAILED SU (to x) bob on pts/1) alice on none
    # = su escalation-failure user=alice target='x) bob on pts/1'
    # + FAILED SU (to ) alice on pts/0
    # = su escalation-failure user=alice tty=pts/0
    # - (to root) alice
    # - (to root)  on pts/0
    # - (to root) alice  on pts/0
    # - (to root) alice on
    # - FAILED SU (to root) alice on pts/0 and more
    # - (to root)  alice on pts/0
    # - FAILED SU (to x) bob on pts/1)  alice on none
    (
        b"(to FAILED",
        Pattern(rb"(FAILED SU )?\(to (.*)\) ([^\s)](?:[^)]*[^\s)])?) on (\S+)", _by_result),
    ),
    # shadow up to 4.13 (libmisc/sulog.c); the same follows as `+ pts/0 alice:root`
    # + Successful su for root by alice
    # = su escalation user=alice target=root
    # + Successful su for root by EXAMPLE\alice smith
    # = su escalation user='EXAMPLE\alice smith' target=root
    # + FAILED su for root by alice
    # = su escalation-failure user=alice target=root
    # + FAILED su for bob by root by alice
    # = su escalation-failure user=alice target='bob by root'
    # Who asks chooses the target's name, with a domain's in it, too.
    # + FAILED su for bob by EXAMPLE\root x by alice
    # = su escalation-failure user=alice target='bob by EXAMPLE\root x'
    # - Successful su for root
    # - Successful su for root by
    # - Successful su for root by alice bob
    # - Successful su for root by EXAMPLE x\alice smith
    # - Successful su for root by \alice smith
    # - Successful su for root by EXAMPLE\alice smit\h
    # - Successful su for root by EXAMPLE\alice smith\
    (
        b"Successful FAILED",
        Pattern(
            rb"(?P<result>Successful|FAILED) su for (?P<target>.*)"
            rb" by (?P<user>[^\s\\]+\\+[^\\]*[^\s\\]|\S+)",
            _by_word,
        ),
    ),
    # busybox (loginutils/su.c) and shadow (src/su.c)
    # + + pts/0 alice:root
    # + + /dev/pts/0 alice:root
    # + + pts/0 alice-root
    # = su escalation user=alice target=root tty=pts/0 kind=again
    # + + ??? www-data:x-y
    # + + ? www-data:x-y
    # + + none www-data:x-y
    # = su escalation user=www-data target=x-y kind=again
    # + - pts/0 alice:root
    # = su escalation-failure user=alice target=root tty=pts/0 kind=again
    # + - pts/0 alice:+ /dev/pts/1 bob:root
    # = su escalation-failure user=alice target='+ /dev/pts/1 bob:root' tty=pts/0 kind=again
    # + - pts/0 ???:root
    # + - pts/0 :root
    # = su escalation-failure target=root tty=pts/0 kind=again
    # + + pts/0 www-data-root
    # = su escalation tty=pts/0 kind=again
    # - + alice
    # - + pts/0 alice
    # - + pts/0 alice smith:root
    # - * pts/0 alice:root
    # - +  alice:root
    # - + pts/0  alice-root
    # - + pts/0 alice x-root
    # - + pts/0 alice-root x
    (
        b"+ -",
        Pattern(rb"([+-]) (\S+) ([^\s:]*:.*|[^\s:-][^\s:]*-[^\s:]*)", _by_sign),
    ),
    # FreeBSD, NetBSD, OpenBSD (usr.bin/su/su.c)
    # + BAD SU alice to root on /dev/pts/0
    # = su escalation-failure user=alice target=root tty=pts/0
    # + BAD SU alice to x to root on y on /dev/ttyp0
    # = su escalation-failure user=alice target='x to root on y' tty=ttyp0
    # + BAD SU alice to root on pts/9
    # = su escalation-failure user=alice target='root on pts/9'
    # + BAD SU alice to root
    # = su escalation-failure user=alice target=root
    # - BAD SU alice
    # - BAD SU  to root on /dev/pts/0
    (
        b"BAD",
        Pattern(
            rb"(?P<result>BAD SU )(?P<user>\S+) to (?P<target>.+?)(?: on (?P<tty>/dev/\S+))?",
            _by_word,
        ),
    ),
    # Solaris (cmd/su/su.c)
    # + 'su root' succeeded for alice on /dev/pts/0
    # = su escalation user=alice target=root tty=pts/0
    # + 'su root' failed for alice on /dev/pts/0
    # = su escalation-failure user=alice target=root tty=pts/0
    # + 'su x' succeeded for bob on /dev/pts/1' failed for alice on ???
    # = su escalation-failure user=alice target="x' succeeded for bob on /dev/pts/1"
    # - 'su root' succeeded for alice
    # - 'su root' succeeded for alice on /dev/pts/0 and more
    # - 'su root' succeeded for alice x on /dev/pts/0
    # - 'su root' succeeded for  on /dev/pts/0
    (
        b"'su",
        Pattern(
            rb"'su (?P<target>.*)' (?P<result>succeeded|failed) for (?P<user>\S+) on (?P<tty>\S+)",
            _by_word,
        ),
    ),
    # toybox (toys/lsb/su.c) first names two users, of which the first is who su runs as.
    # + run /bin/sh
    # = su escalation
    # + No.
    # = su escalation-failure
    # - run
    # - run sh
    # - No. and more
    # - run /bin/sh x
    # - run /
    (b"run No.", Pattern(rb"(run /\S+)|No\.", _by_toybox)),
    # + pam_authenticate: Authentication failure
    # + No passwd entry for user 'x'
    # + Authentication failed for root
    # + DENIED su from 'alice' to 'root' (/etc/suauth)
    # + SU by alice to restricted account root
    # + Will not execute /bin/sh
    # + NO password asked from 'alice' to 'root' (/etc/suauth)
    # + su from 'alice' to 'root' (/etc/suauth)
    # + Cannot execute /bin/sh
    # + Change user from 'alice' to 'root'
    # + There is no UID 0 user
    # + su session not logged in utmp
    # + cannot find user alice after update of expired password
    # + root->alice
    # = irrelevant
    # - No passwd
    # - Authentication
    # - root-> alice
    # - root x->alice
    # - ->alice
    # - root->
    # - There is no UID 0 x
    (
        b"",
        Pattern(
            rb"(?:pam_authenticate: |No passwd entry for user |Authentication failed for "
            rb"|DENIED su from |NO password asked |su from |SU by |Will not execute |Cannot "
            rb"|Change user from |There is no UID 0 user|su session not logged |cannot find user ).*"
            rb"|[^\s>]+->\S+",
            irrelevant,
        ),
    ),
    # + alice to root on /dev/pts/0
    # = su escalation user=alice target=root tty=pts/0
    # - alice to root
    # - alice to root on pts/0
    # - alice bob to root on /dev/pts/0
    # - alice to root root on /dev/pts/0
    # - alice to  on /dev/pts/0
    # - alice to root on /dev/pts/0 x
    # - alice to root on /dev/
    (
        b"",
        Pattern(rb"(?P<result>)(?P<user>\S+) to (?P<target>\S+) on (?P<tty>/dev/\S+)", _by_word),
    ),
)
