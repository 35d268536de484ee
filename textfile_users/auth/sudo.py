"""sudo (plugins/sudoers/logging.c): ``alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id``.

sudo-rs writes the same, with two blanks where there is no terminal, and no refusals.
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
    terminal,
)
from textfile_users.record import quick

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
    rb"(?:HOST=\S+ ; )?(?:TTY=(\S+) ; )?(?:CHROOT=" + _DIRECTORY + rb")?"
    rb"(?:[CP]WD=" + _DIRECTORY + rb")?USER=(\S+) ; (?:GROUP=\S+ ; )?(?:TSID=\S+ ; )?"
    rb"(?:ENV=.* ; )?COMMAND=.*"
)

FORMS = forms(
    # How sudo-rs goes on with a long command; what follows is the user's text.
    # + [...] alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # + [...] : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # + [...] xxx
    # = irrelevant
    # - [...]
    (b"[...]", Pattern(rb"\[\.\.\.\] .*", irrelevant)),
    (b"", _plain_success),
    # + alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # +  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation user=alice target=root tty=pts/0
    # + alice : PWD=/home/alice ; USER=bob ; COMMAND=/bin/echo 3 incorrect password attempts ; USER=root ; COMMAND=x
    # = sudo escalation user=alice target=bob
    # + alice : TTY=unknown ; PWD=/a ; b ; USER=root ; GROUP=adm ; TSID=00000A ; COMMAND=list
    # + alice : HOST=vm ; CHROOT=/ ; PWD=/tmp ; USER=root ; GROUP=adm ; ENV=A=1 ; COMMAND=/usr/bin/id
    # + alice : CHROOT=/a;b ; c ; PWD=/a;b ; USER=root ; COMMAND=/bin/x ; USER=bob ; COMMAND=y
    # = sudo escalation user=alice target=root
    # + alice :  PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # + alice :  PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/echo x [...]
    # = sudo escalation user=alice target=root
    # - alice :   PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # - alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice : TTY=pts/0 ; PWD=/home/alice ; COMMAND=/usr/bin/id ; USER=root
    # - alice : TTY=pts/0 ; PWD=/ ; COMMAND=x ; USER=root ; COMMAND=y
    # - alice : TTY=pts/0 ; CHROOT=/ ; COMMAND=x ; USER=root ; COMMAND=y
    # + alice : HOST=vm ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x ; TTY=pts/9 ; PWD=/ ; USER=bob ; COMMAND=y
    # = sudo escalation user=alice target=root tty=pts/0
    # - alice : TTY=pts/0 ; XWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice : TTY=pts/0 ; PWD=/ ; USER=root ; GROUP=adm x ; COMMAND=/bin/id
    # - alice : TTY=pts/0 ; PWD=/ ; USER=root ; /bin/id
    (b"", Pattern(rb" *(\S+) :  ?" + _FIELDS, _success)),
    # + alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation-failure user=alice target=root tty=pts/0
    # + bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation-failure user=bob target=root tty=pts/0
    # + bob : command not allowed ; PWD=/ ; USER=alice ; COMMAND=/bin/sh -c x : TTY=pts/9 ; USER=root ; COMMAND=y
    # = sudo escalation-failure user=bob target=alice
    # + bob : a password is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=list
    # + bob : no tty ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : no tty present and no askpass program specified ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you must have a tty to run sudo ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : user NOT authorized on host ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; GROUP=adm ; TSID=01 ; ENV=A=1 ; COMMAND=/bin/id
    # + bob : authentication failure ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : account validation failure, is your account locked? ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Account or password is expired, reset your password and try again ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Account expired or PAM config lacks an "account" section for sudo, contact your system administrator ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Password expired, contact your system administrator ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : user not allowed to change directory to /x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you are not allowed to set the following environment variables: A ; TTY=pts/0 ; PWD=/ ; USER=root ; ENV=A=1 ; COMMAND=/bin/id
    # + bob : sudoers specifies that root is not allowed to sudo ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob target=root tty=pts/0
    # + bob : user not allowed to change root directory to /x;y ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you are not allowed to set the following environment variables: A;B ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob
    # + bob : user NOT in sudoers ; PWD=/ ; USER=alice ; COMMAND=/bin/x : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=y
    # = sudo escalation-failure user=bob target=alice
    # - alice : PWD=/home/alice ; USER=bob ; COMMAND=/bin/echo 3 incorrect password attempts ; USER=root ; COMMAND=x
    # - bob : 3 incorrect password attempts; ; PWD=/ ; USER=root ; COMMAND=x
    # - bob : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # - bob : 3 incorrect password attempts
    (
        b"",
        Pattern(
            rb" *(\S+) : (?:(?:\d+ incorrect password attempts?|user NOT in sudoers"
            rb"|user NOT authorized on host|command not allowed|a password is required"
            rb"|authentication failure|account validation failure, is your account locked\?"
            rb"|Account (?:or password is )?expired[^;]*|Password expired[^;]*"
            rb"|no tty(?: present and no askpass program specified)?"
            rb"|a terminal is required[^;]*; either[^;]*|sorry, you must have a tty to run sudo"
            rb"|(?:user|sorry, you are) not allowed [^;]*"
            rb"|sudoers specifies that root is not allowed to sudo) ; "
            + _FIELDS
            + rb"|(?:user|sorry, you are) not allowed .*)",
            _failure,
        ),
    ),
    # + alice : (command continued) 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=x
    # + alice : problem with defaults entries ; TTY=pts/0 ; PWD=/ ;
    # + alice : unable to resolve host x
    # + alice : unable to send audit message
    # + alice : unable to stat /etc/sudoers
    # + alice : unable to open /run/sudo/ts/alice: Permission denied
    # + alice : /etc/sudoers:9:20: unknown defaults entry "x" ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + unable to resolve host x: Name or service not known
    # = irrelevant
    # - alice : TTY=pts/0
    # - alice : unable to
    # - alice : (command
    # - alice : problem with
    (
        b"",
        Pattern(
            rb" *\S+ : (?:\(command continued\)|problem with defaults entries"
            rb"|unable to (?:resolve|send|stat|open)|/\S+:\d+:\d+: ).*|unable to .*",
            irrelevant,
        ),
    ),
)
