"""sudo (plugins/sudoers/logging.c): ``alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id``.

What stands before ``COMMAND=`` decides; all behind it is the user's text.
"""

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
    quick,
    terminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _success(match: Match[bytes]) -> Finding:
    user, tty, target = match.groups()
    said = ESCALATION, "sudo", "", name(user), "", "", "", 0, 1, name(target), terminal(tty), "", 0
    return quick(Finding, said)


def _failure(match: Match[bytes]) -> Finding:
    user, tty, target = match.groups()
    return finding(
        ESCALATION_FAILURE, "sudo", user=name(user), target=name(target), tty=terminal(tty)
    )


def _plain_success(message: bytes) -> Finding | None:
    """Return what the most frequent message says, as the pattern would, at a third of its cost."""
    user, _, rest = message.lstrip(b" ").partition(b" : ")
    fields = rest.split(b" ; ", 3)
    if len(fields) != 4 or user.split() != [user]:
        return None
    tty, directory, target, command = fields
    if not (
        tty.startswith(b"TTY=")
        and directory.startswith(b"PWD=")
        and target.startswith(b"USER=")
        and command.startswith(b"COMMAND=")
    ):
        return None
    if len(tty) == 4 or len(target) == 5 or len((tty + target).split()) != 1 or b";" in directory:
        return None
    said = (
        ESCALATION, "sudo", "", name(user), "", "", "", 0, 1, name(target[5:]), terminal(tty[4:]), "", 0
    )  # fmt: skip
    return quick(Finding, said)


# Fields behind the reason; a directory may hold semicolons, but no COMMAND= behind one.
_DIRECTORY = rb"[^;]*(?:;(?! COMMAND=)[^;]*)*? ; "
_FIELDS = (
    rb"(?:HOST=\S+ ; )?(?:TTY=(\S+) ; )?(?:[CP]WD=" + _DIRECTORY + rb")?"
    rb"(?:CHROOT=" + _DIRECTORY + rb")?USER=(\S+) ; (?:GROUP=\S+ ; )?(?:TSID=\S+ ; )?"
    rb"(?:ENV=.* ; )?COMMAND=.*"
)

FORMS = forms(
    (b"", _plain_success),
    # + alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation user=alice target=root tty=pts/0
    # +  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation user=alice target=root tty=pts/0
    # + alice : PWD=/home/alice ; USER=bob ; COMMAND=/bin/echo 3 incorrect password attempts ; USER=root ; COMMAND=x
    # = sudo escalation user=alice target=bob
    # + alice : TTY=unknown ; PWD=/a ; b ; USER=root ; GROUP=adm ; TSID=00000A ; COMMAND=list
    # = sudo escalation user=alice target=root
    # - alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice : TTY=pts/0 ; PWD=/home/alice ; COMMAND=/usr/bin/id ; USER=root
    (b"", Pattern(rb" *(\S+) : " + _FIELDS, _success)),
    # + alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation-failure user=alice target=root tty=pts/0
    # + bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation-failure user=bob target=root tty=pts/0
    # + bob : command not allowed ; PWD=/ ; USER=alice ; COMMAND=/bin/sh -c x : TTY=pts/9 ; USER=root ; COMMAND=y
    # = sudo escalation-failure user=bob target=alice
    # + bob : a password is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=list
    # = sudo escalation-failure user=bob target=root tty=pts/0
    # - bob : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # - bob : 3 incorrect password attempts
    (
        b"",
        Pattern(
            rb" *(\S+) : (?:\d+ incorrect password attempts?|user NOT in sudoers"
            rb"|user NOT authorized on host|command not allowed|a password is required"
            rb"|authentication failed|account validation failure, is your account locked\?"
            rb"|Account expired[^;]*|Password expired[^;]*|no tty present and no askpass program"
            rb" specified|sorry, you must have a tty to run sudo|account is locked"
            rb"|unable to validate[^;]*|a terminal is required[^;]*)"
            rb" ; " + _FIELDS,
            _failure,
        ),
    ),
    # + alice : (command continued) 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=x
    # = irrelevant
    # + alice : problem with defaults entries ; TTY=pts/0 ; PWD=/ ;
    # = irrelevant
    # + unable to resolve host x: Name or service not known
    # = irrelevant
    # - alice : TTY=pts/0
    (
        b"",
        Pattern(
            rb" *\S+ : (?:\(command continued\)|problem with defaults entries"
            rb"|unable to (?:resolve|send|stat|open)).*|unable to .*",
            irrelevant,
        ),
    ),
)
