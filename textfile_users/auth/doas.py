"""doas of OpenBSD and its ports, doas(1)."""

from __future__ import annotations

from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    Finding,
    Pattern,
    finding,
    forms,
    name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _success(match: Match[bytes]) -> Finding:
    return finding(ESCALATION, "doas", user=name(match[1]), target=name(match[2]))


def _failure(match: Match[bytes]) -> Finding:
    return finding(ESCALATION_FAILURE, "doas", user=name(match[1]))


FORMS = forms(
    # The command is the user's text, the directory behind `from` too.
    # + alice ran command /bin/ls as root from /home/alice
    # = doas escalation user=alice target=root
    # + alice ran command /bin/echo as bob from x as root from /home/alice
    # = doas escalation user=alice target=root
    # - alice ran command /bin/ls
    (b"", Pattern(rb"(\S+) ran command .* as (\S+) from /.*", _success)),
    # + command not permitted for alice: /bin/sh
    # = doas escalation-failure user=alice
    # + failed command for alice: /bin/echo ran command x as root from /
    # = doas escalation-failure user=alice
    # + failed auth for alice
    # = doas escalation-failure user=alice
    # - failed auth
    (
        b"command failed",
        Pattern(
            rb"(?:command not permitted|failed (?:command|auth)) for ([^\s:]+)(?:: .*)?", _failure
        ),
    ),
)
