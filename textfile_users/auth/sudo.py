"""sudo (plugins/sudoers/logging.c): ``alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id``.

sudo-rs writes the same, with two blanks where there is no terminal, and no refusals. Directory,
variables and command are the user's text; a line that is long goes on in others.
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    CONTINUED,
    ESCALATION,
    ESCALATION_FAILURE,
    PART,
    REFUSED_PART,
    UNCLEAR,
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


def _line(match: Match[bytes]) -> Finding | None:
    """Return what a line's fields say, of which a further line may hold some or all."""
    user, reason, text = match.groups()
    fields = text.split(b" ; ") if text else []
    if fields and fields[0].startswith(b"HOST="):
        del fields[0]
    tty = fields.pop(0).rstrip(b" ;") if fields and fields[0].startswith(b"TTY=") else b""
    if b" " in tty or (fields and not fields[0].startswith(_BEFORE_COMMAND)):
        return None
    target, kind = _targets(text or b"")
    is_whole = (target or kind) and any(field.startswith(b"COMMAND=") for field in fields)
    event = (_WHOLE if is_whole else _PARTS)[bool(reason)]
    said = event, "sudo", "", name(user), "", "", "", 0, 1, target, terminal(tty[4:]), kind, 0
    return quick(Finding, said)


def _not_allowed(match: Match[bytes]) -> Finding:
    """Return the refusal whose reason names what the user chose."""
    target, kind = _targets(match[2])
    event = ESCALATION_FAILURE if target or kind else REFUSED_PART
    return finding(event, "sudo", user=name(match[1]), target=target, kind=kind)


def _more(match: Match[bytes]) -> Finding:
    target, kind = _targets(match[2])
    return finding(CONTINUED, "sudo", user=name(match[1]), target=target, kind=kind)


def _targets(text: bytes) -> tuple[str, str]:
    """Return the one that fields of ``text`` name as a target, or UNCLEAR for several.

    The user's directory, command and variables may hold such fields too.
    """
    text = text[: -len(_GOES_ON)] if text.endswith(_GOES_ON) else text
    fields = text.strip(b" ;").split(b" ; ")
    found = {field[5:] for field in fields if field.startswith(b"USER=") and len(field) > 5}
    return ("", UNCLEAR) if len(found) > 1 else (name(b"".join(found)), "")


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
    if b"USER=" in command:
        return None
    said = (
        ESCALATION, "sudo", "", name(user), "", "", "", 0, 1, name(target[5:]), terminal(tty[4:]), "", 0
    )  # fmt: skip
    return quick(Finding, said)


_WHOLE = (ESCALATION, ESCALATION_FAILURE)
_PARTS = (PART, REFUSED_PART)
# One of these stands behind HOST= and TTY=.
_BEFORE_COMMAND = (b"CHROOT=", b"PWD=", b"CWD=", b"USER=")
_GOES_ON = b" [...]"  # the end of a line that sudo-rs goes on with in another

FORMS = forms(
    (b"", _plain_success),
    # + alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # +  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # + alice : TTY=pts/0 ; PWD=/ ; COMMAND=x ; USER=root ; COMMAND=y
    # + alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=x ; USER=root ; COMMAND=y
    # = sudo escalation user=alice target=root tty=pts/0
    # + alice : TTY=unknown ; PWD=/a ; b ; USER=root ; GROUP=adm ; TSID=00000A ; COMMAND=list
    # + alice : HOST=vm ; CHROOT=/ ; PWD=/tmp ; USER=root ; GROUP=adm ; ENV=A=1 ; COMMAND=/usr/bin/id
    # + alice : USER=root ; COMMAND=/usr/bin/id
    # + alice :  PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # + alice :  CWD=/home/alice ; USER=root ; COMMAND=/usr/bin/echo x [...]
    # = sudo escalation user=alice target=root
    # The directory may be `/a ; USER=bob ; COMMAND=/bin/x`, or the command `/bin/x ; USER=root ...`.
    # + alice : CHROOT=/a;b ; c ; PWD=/a ; USER=bob ; COMMAND=/bin/x ; USER=root ; COMMAND=y
    # + alice : PWD=/home/alice ; USER=bob ; COMMAND=/bin/echo 3 incorrect password attempts ; USER=root ; COMMAND=x
    # = sudo escalation user=alice kind=unclear
    # + alice : HOST=vm ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x ; TTY=pts/9 ; PWD=/ ; USER=bob ; COMMAND=y
    # = sudo escalation user=alice kind=unclear tty=pts/0
    # The line goes on in another.
    # + alice : TTY=pts/0 ; PWD=/home/alice/and/so/on
    # + alice : TTY=pts/0 ; PWD=/home/alice ; COMMAND=/usr/bin/id
    # + alice : TTY=pts/0 ;
    # + alice : TTY=pts/0
    # + alice : HOST=vm ; TTY=pts/0 ;
    # = sudo 'part of an escalation' user=alice tty=pts/0
    # + alice : PWD=/home/alice/and/so/on
    # + alice :  PWD=/home/alice/and/so/on [...]
    # = sudo 'part of an escalation' user=alice
    # + alice : PWD=/ ; USER=root [...]
    # + alice : PWD=/ ; USER=root ;
    # = sudo 'part of an escalation' user=alice target=root
    # - alice :   PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # - alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice : XWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice : USERS : x
    # - alice bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (
        b"",
        Pattern(rb" *(\S+) :  ?()((?:HOST|TTY|CHROOT|[CP]WD|USER)=.*)", _line),
    ),
    # + alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation-failure user=alice target=root tty=pts/0
    # + bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
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
    # + bob : sudoers specifies that root is not allowed to sudo ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob target=root tty=pts/0
    # + bob : command not allowed ; PWD=/ ; USER=alice ; COMMAND=/bin/sh -c x : TTY=pts/9 ; PWD=/
    # + bob : user NOT in sudoers ; PWD=/ ; USER=alice ; COMMAND=/bin/x : user NOT in sudoers ; PWD=/
    # = sudo escalation-failure user=bob target=alice
    # + bob : user NOT in sudoers ; PWD=/x ; USER=alice ; COMMAND=/bin/x ; USER=root ; COMMAND=y
    # = sudo escalation-failure user=bob kind=unclear
    # + bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/bob/and/so/on
    # + bob : user NOT in sudoers ; TTY=pts/0 ;
    # = sudo 'part of a refused escalation' user=bob tty=pts/0
    # + bob : 3 incorrect password attempts ;
    # + bob : 3 incorrect password attempts
    # = sudo 'part of a refused escalation' user=bob
    # - alice : PWD=/home/alice ; USER=bob ; COMMAND=/bin/echo 3 incorrect password attempts ; USER=root ; COMMAND=x
    # - bob : 3 incorrect password attempts; ; PWD=/ ; USER=root ; COMMAND=x
    # - bob : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # - bob : user not allowed to change directory to /x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (
        b"",
        Pattern(
            rb" *(\S+) : (\d+ incorrect password attempts?|user NOT in sudoers"
            rb"|user NOT authorized on host|command not allowed|a password is required"
            rb"|authentication failure|account validation failure, is your account locked\?"
            rb"|Account (?:or password is )?expired[^;]*|Password expired[^;]*"
            rb"|no tty(?: present and no askpass program specified)?"
            rb"|a terminal is required[^;]*; either[^;]*|sorry, you must have a tty to run sudo"
            rb"|sudoers specifies that root is not allowed to sudo)(?: ;(?: (.*))?)?",
            _line,
        ),
    ),
    # + bob : user not allowed to change directory to /x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : user not allowed to change root directory to /x;y ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you are not allowed to set the following environment variables: A;B ; PWD=/ ; USER=root ; ENV=A=1 ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob target=root
    # + bob : user not allowed to change directory to /x ; USER=root ; TTY=pts/0 ; PWD=/ ; USER=alice ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob kind=unclear
    # + bob : user not allowed to change directory to /x/and/so/on
    # = sudo 'part of a refused escalation' user=bob
    # - bob : user not allowed
    # - bob bob : user not allowed to change directory to /x
    # - bob : command not allowed ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (b"", Pattern(rb" *(\S+) : (?:user|sorry, you are) not allowed (.*)", _not_allowed)),
    # + alice : (command continued) 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; COMMAND=x
    # + alice : (command continued) xxx
    # = sudo continued user=alice
    # + alice : (command continued) xxx ; USER=root ; COMMAND=x
    # + alice : (command continued) USER=root ; COMMAND=x
    # + alice : (command continued) ; USER=root ; COMMAND=x ; USER=root
    # + alice : (command continued) xxx ; USER=root ;
    # = sudo continued user=alice target=root
    # + alice : (command continued) xxx ; USER=root ; COMMAND=x ; USER=bob
    # = sudo continued user=alice kind=unclear
    # - alice : (command
    # - alice bob : (command continued) xxx
    (b"", Pattern(rb" *(\S+) : \(command continued\) (.*)", _more)),
    # How sudo-rs goes on.
    # + [...] alice : TTY=pts/0 ; PWD=/ ; COMMAND=/usr/bin/id
    # + [...] xxx
    # = sudo continued
    # + [...] : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # + [...] USER=root [...]
    # = sudo continued target=root
    # - [...]
    (b"[...]", Pattern(rb"\[\.\.\.\] ()(.*)", _more)),
    # + alice : problem with defaults entries ; TTY=pts/0 ; PWD=/ ;
    # + alice : unable to resolve host x
    # + alice : unable to send audit message
    # + alice : unable to stat /etc/sudoers
    # + alice : unable to open /run/sudo/ts/alice: Permission denied
    # + alice : /etc/sudoers:9:20: unknown defaults entry "x" ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + unable to resolve host x: Name or service not known
    # = irrelevant
    # - alice : TTY=pts/0
    # - alice bob : problem with defaults entries
    # - alice : unable to
    # - alice : problem with
    (
        b"",
        Pattern(
            rb" *\S+ : (?:problem with defaults entries"
            rb"|unable to (?:resolve|send|stat|open)|/\S+:\d+:\d+: ).*|unable to .*",
            irrelevant,
        ),
    ),
)
