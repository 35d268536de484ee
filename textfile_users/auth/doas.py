"""doas of OpenBSD (usr.bin/doas/doas.c) and its ports: OpenDoas, slicer69's."""

from __future__ import annotations

from textfile_users.auth.patterns import UNCLEAR, Pattern, forms, name
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _success(match: Match[bytes]) -> Finding:
    import re

    targets = set(re.findall(rb" as (\S+) from (?=/|\(failed\)$)", match[0]))
    old = re.match(rb" ran command as ([^\s:]+): ", match[0][match.end(1) :])
    if old:  # or a command called `as`
        targets.add(old[1])
    if len(targets) > 1:
        return finding(ESCALATION, "doas", user=name(match[1]), kind=UNCLEAR)
    return finding(ESCALATION, "doas", user=name(match[1]), target=name(targets.pop()))


def _old(match: Match[bytes]) -> Finding:
    return finding(ESCALATION, "doas", user=name(match[1]), target=name(match[2]))


def _failure(match: Match[bytes]) -> Finding:
    return finding(ESCALATION_FAILURE, "doas", user=name(match[1]))


# A name of a domain may have blanks.
_NAME = rb"([^\s:\\]+\\+[^\s:\\]+(?: [^\s:\\]+){1,3}|[^\s:]+)"

FORMS = forms(
    # The command is the user's text, the directory behind `from` too.
    # + alice ran command /bin/ls as root from /home/alice
    # + alice ran command /bin/echo as bob from x as root from /home/alice
    # + alice ran command /bin/ls as root from /tmp/x from /y
    # + alice ran command /bin/ls as root from /tmp/x as root from /y
    # + alice ran command as x as root from /y
    # The directory has been removed.
    # + alice ran command /bin/ls as root from (failed)
    # = doas escalation user=alice target=root
    # + alice ran command as root: /bin/ls as bob from /x
    # + alice ran command /bin/ls as bob from /x as root from (failed)
    # + alice ran command x ran command y as bob from / as root from /tmp
    # + alice ran command /bin/ls as bob from /tmp/x as root from /y
    # = doas escalation user=alice kind=unclear
    # - alice ran command /bin/ls
    # - alice ran command /bin/ls as root and more from /home/alice
    # - alice bob ran command /bin/ls as root from /home/alice
    # - alice ran command /bin/ls as root from home
    # - alice ran command /bin/ls as root from (failed) and more
    # - alice ran command /bin/ls as  from /home/alice
    (b"", Pattern(_NAME + rb" ran command .* as \S+ from (?:/.*|\(failed\))", _success)),
    # OpenBSD 5.8 and 5.9, and ports of them
    # + alice ran command as root: /bin/ls
    # + alice ran command as root: /bin/echo ran command as bob: x
    # = doas escalation user=alice target=root
    # + EXAMPLE\alice smith ran command as root: /bin/ls
    # = doas escalation user='EXAMPLE\alice smith' target=root
    # - alice ran command as root
    # - alice bob ran command as root: /bin/ls
    # - EXAMPLE x\alice smith ran command as root: /bin/ls
    # - \alice smith ran command as root: /bin/ls
    # - EXAMPLE\alice: smith ran command as root: /bin/ls
    # - EXAMPLE\ smith ran command as root: /bin/ls
    # - EXAMPLE\alice smith: ran command as root: /bin/ls
    # - EXAMPLE\alice  ran command as root: /bin/ls
    # - EXAMPLE\alice smith smith smith smith smith smith smith smith smith smith smith smith smith ran command as root: /bin/ls
    # - alice ran command as : /bin/ls
    (b"", Pattern(_NAME + rb" ran command as ([^\s:]+): .+", _old)),
    # + command not permitted for alice: /bin/sh
    # + failed command for alice: /bin/echo ran command x as root from /
    # + failed auth for alice
    # + tty required for alice
    # = doas escalation-failure user=alice
    # - failed auth
    # - failed auth for
    # - failed auth for alice and more
    # - command not permitted for : /bin/sh
    (
        b"command failed tty",
        Pattern(
            rb"(?:command not permitted|failed (?:command|auth)|tty required) for "
            + _NAME
            + rb"(?:: .*)?",
            _failure,
        ),
    ),
)
