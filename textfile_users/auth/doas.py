"""doas of OpenBSD and its ports, doas(1)."""

from __future__ import annotations

from textfile_users.auth.finding import (
    ESCALATION,
    ESCALATION_FAILURE,
    UNCLEAR,
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
    import re

    targets = set(re.findall(rb" as (\S+) from (?=/|\(failed\)$)", match[0]))
    if len(targets) > 1:
        return finding(ESCALATION, "doas", user=name(match[1]), kind=UNCLEAR)
    return finding(ESCALATION, "doas", user=name(match[1]), target=name(targets.pop()))


def _failure(match: Match[bytes]) -> Finding:
    return finding(ESCALATION_FAILURE, "doas", user=name(match[1]))


FORMS = forms(
    # The command is the user's text, the directory behind `from` too.
    # + alice ran command /bin/ls as root from /home/alice
    # + alice ran command /bin/echo as bob from x as root from /home/alice
    # + alice ran command /bin/ls as root from /tmp/x from /y
    # + alice ran command /bin/ls as root from /tmp/x as root from /y
    # The directory has been removed.
    # + alice ran command /bin/ls as root from (failed)
    # = doas escalation user=alice target=root
    # + alice ran command /bin/ls as bob from /x as root from (failed)
    # + alice ran command x ran command y as bob from / as root from /tmp
    # + alice ran command /bin/ls as bob from /tmp/x as root from /y
    # = doas escalation user=alice kind=unclear
    # - alice ran command /bin/ls
    # - alice ran command /bin/ls as root and more from /home/alice
    # - alice bob ran command /bin/ls as root from /home/alice
    # - alice ran command /bin/ls as root from home
    # - alice ran command /bin/ls as root from (failed) and more
    (b"", Pattern(rb"(\S+) ran command .* as \S+ from (?:/.*|\(failed\))", _success)),
    # + command not permitted for alice: /bin/sh
    # + failed command for alice: /bin/echo ran command x as root from /
    # + failed auth for alice
    # = doas escalation-failure user=alice
    # - failed auth
    # - failed auth for
    # - failed auth for alice and more
    (
        b"command failed",
        Pattern(
            rb"(?:command not permitted|failed (?:command|auth)) for ([^\s:]+)(?:: .*)?", _failure
        ),
    ),
)
