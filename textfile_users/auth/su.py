"""su of util-linux (login-utils/su-common.c) and of shadow (src/su.c)."""

from __future__ import annotations

from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    Finding,
    Pattern,
    finding,
    forms,
    irrelevant,
    name,
    terminal,
)
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _by_result(match: Match[bytes]) -> Finding:
    failed, target, user, tty = match.groups()
    event = ESCALATION_FAILURE if failed else ESCALATION
    aim = name(target), terminal(tty), "", 0
    return quick(Finding, (event, "su", "", name(user), "", "", "", 0, 1, *aim))


def _by_shadow(match: Match[bytes]) -> Finding:
    failed, target, user = match.groups()
    event = ESCALATION_FAILURE if failed.startswith(b"F") else ESCALATION
    return finding(event, "su", user=name(user), target=name(target))


FORMS = forms(
    # The caller's name has no blank; what is behind `to` the caller chose.
    # + (to root) alice on pts/0
    # = su escalation user=alice target=root tty=pts/0
    # + FAILED SU (to root) alice on pts/0
    # = su escalation-failure user=alice target=root tty=pts/0
    # + FAILED SU (to x) bob on pts/1) alice on none
    # = su escalation-failure user=alice target='x) bob on pts/1'
    # + FAILED SU (to ) alice on pts/0
    # = su escalation-failure user=alice tty=pts/0
    # - (to root) alice
    # - (to root)  on pts/0
    # - (to root) alice bob on pts/0
    # - (to root) alice on
    # - FAILED SU (to root) alice on pts/0 and more
    (
        b"(to FAILED",
        Pattern(rb"(FAILED SU )?\(to (.*)\) (\S+) on (\S+)", _by_result),
    ),
    # shadow's, before the same as `+ pts/0 alice:root`
    # + Successful su for root by alice
    # = su escalation user=alice target=root
    # + FAILED su for root by alice
    # = su escalation-failure user=alice target=root
    # + FAILED su for bob by root by alice
    # = su escalation-failure user=alice target='bob by root'
    # - Successful su for root
    # - Successful su for root by
    # - Successful su for root by alice bob
    (
        b"Successful FAILED",
        Pattern(rb"(Successful|FAILED) su for (.*) by (\S+)", _by_shadow),
    ),
    # + + /dev/pts/0 alice:root
    # + - pts/0 alice:root
    # + pam_authenticate: Authentication failure
    # + No passwd entry for user 'x'
    # = irrelevant
    # - + alice
    # - No passwd
    (
        b"+ - pam_authenticate: No",
        Pattern(
            rb"[+-] \S+ \S+:.*|pam_authenticate: .*|No passwd entry for user .*",
            irrelevant,
        ),
    ),
)
