"""sudo (lib/eventlog/eventlog.c): ``alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id``.

sudo-rs writes the same, with two blanks where there is no terminal, and no refusals. Directory,
variables and command are the user's text; a line that is long goes on in others. With
log_format=json the same is an object behind ``@cee:``. Names of a domain may have blanks.
"""

from __future__ import annotations

from binascii import crc32

from textfile_users.auth.patterns import (
    CONTINUED,
    LEFT,
    PART,
    REFUSED_PART,
    UNCLEAR,
    Pattern,
    forms,
    irrelevant,
    name,
    terminal,
)
from textfile_users.auth.sudo_json import REASONS, REFUSALS, find_json
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, Finding, finding
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
    line, end = match[0].lstrip(b" "), b""
    if event == ESCALATION and _may_end(line):
        line, end = _without_end(line)
    if end:
        event, kind = LEFT, end.decode("ascii")
    aim = target, terminal(tty[4:]), kind, 0 if reason else crc32(line)
    return quick(Finding, (event, "sudo", "", name(user), "", "", "", 0, 1, *aim))


def _may_end(line: bytes) -> bool:
    """Return whether a line may be one that tells of a command's end."""
    return b"EXIT=" in line or b"SIGNAL=" in line


def _without_end(line: bytes) -> tuple[bytes, bytes]:
    """Return a line without what tells how a command ended, and that, b"" where none does."""
    import re

    match = re.search(rb" ; (?:SIGNAL=[A-Z0-9+-]{1,16}(?: ; EXIT=\d{1,3})?|EXIT=\d{1,3})\Z", line)
    return (line[: match.start()], match[0]) if match else (line, b"")


def _not_allowed(match: Match[bytes]) -> Finding:
    """Return the refusal whose reason names what the user chose."""
    target, kind = _targets(match[2])
    event = ESCALATION_FAILURE if target or kind else REFUSED_PART
    return finding(event, "sudo", user=name(match[1]), target=target, kind=kind)


def _more(match: Match[bytes]) -> Finding:
    target, kind = _targets(match[2])
    tty = LEFT if _may_end(match[2]) and _without_end(b" " + match[2])[1] else ""
    return finding(CONTINUED, "sudo", user=name(match[1]), target=target, kind=kind, tty=tty)


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
    line = message.lstrip(b" ")
    fields = line.split(b" ; ", 3)
    if len(fields) != 4:
        return None
    who, directory, target, command = fields
    user, _, tty = who.partition(b" : TTY=")
    keys = directory[:4], target[:5], command[:8]
    if keys != (b"PWD=", b"USER=", b"COMMAND=") or b";" in directory:
        return None
    words = [user, b":", b"TTY=" + tty]
    if who.split() != words or not tty or len(target) == 5 or len(target.split()) != 1:
        return None
    if b"=" in command[8:] and (b"USER=" in command or _may_end(command)):
        return None
    aim = name(target[5:]), terminal(tty), "", crc32(line)
    return quick(Finding, (ESCALATION, "sudo", "", name(user), "", "", "", 0, 1, *aim))


_WHOLE = (ESCALATION, ESCALATION_FAILURE)
_PARTS = (PART, REFUSED_PART)
# One of these stands behind HOST= and TTY=.
_BEFORE_COMMAND = (b"CHROOT=", b"PWD=", b"CWD=", b"RUNCWD=", b"USER=", b"GROUP=", b"COMMAND=")
# Who calls sudo: nothing in it may be taken for what is behind it.
_WHO = rb" *([^\s:;=](?:[^:;=]*[^\s:;=])?) : "
_GOES_ON = b" [...]"  # the end of a line that sudo-rs goes on with in another

FORMS = forms(
    (b"", _plain_success),
    (b"", find_json),
    # + alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # +  alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
    # + alice : TTY=pts/0 ; PWD=/ ; COMMAND=x ; USER=root ; COMMAND=y
    # + alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=x ; USER=root ; COMMAND=y
    # = sudo escalation user=alice target=root tty=pts/0
    # + EXAMPLE\alice smith : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
    # = sudo escalation user='EXAMPLE\alice smith' target=root tty=pts/0
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
    # The end of a command (log_exit_status), or a command of that text.
    # + alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=0
    # = sudo left user=alice target=root tty=pts/0 kind=' ; EXIT=0'
    # + alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; SIGNAL=KILL ; EXIT=137
    # = sudo left user=alice target=root kind=' ; SIGNAL=KILL ; EXIT=137'
    # + alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=1 ; SIGNAL=TERM
    # = sudo left user=alice target=root kind=' ; SIGNAL=TERM'
    # + alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=x
    # + alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id ; EXIT=0 y
    # = sudo escalation user=alice target=root
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
    # - alice : x : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice ; bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - alice TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (
        b"",
        Pattern(_WHO + rb" ?()((?:HOST|TTY|CHROOT|(?:RUN)?[CP]WD|USER|GROUP)=.*)", _line),
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
    # + bob : setid command rejected in intercept mode ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : your account has expired ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : no askpass program specified, try setting SUDO_ASKPASS ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : approval failed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : 3 incorrect password attempts ; HOST=vm ; TTY=pts/0 ; CHROOT=/srv ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : authentication failure ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : account validation failure, is your account locked? ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Account or password is expired, reset your password and try again ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Account expired or PAM config lacks an "account" section for sudo, contact your system administrator ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Password expired, contact your system administrator ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sudoers specifies that root is not allowed to sudo ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Password expired ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : Account expired ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : no askpass program specified ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : a terminal is required ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : a terminal is required; either ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
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
    # - bob :  incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : Password , contact your system administrator ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : no askpass program x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : a terminal is x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : a terminal is required; x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # - bob : user not allowed to change directory to /x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (
        b"",
        Pattern(_WHO + rb"(" + REASONS + rb")(?: ;(?: (.*))?)?", _line),
    ),
    # + bob : user not allowed to change directory to /x ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : user not allowed to change root directory to /x;y ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you are not allowed to set the following environment variables: A;B ; PWD=/ ; USER=root ; ENV=A=1 ; COMMAND=/bin/id
    # + bob : sorry, you are not allowed set a command timeout ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : you are not permitted to use the -D option with /bin/id ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : PAM account management error: Permission denied ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : PAM authentication error: Permission denied ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : sorry, you are not permitted to use the -C option ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : only root can use "-C 3" ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # + bob : unable to change expired password: x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob target=root
    # + bob : unknown user: mallory ; TTY=pts/0 ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # + bob : unknown user mallory ; TTY=pts/0 ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # + bob : invalid shell for user mallory: /bin/x ; TTY=pts/0 ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob target=mallory
    # + bob : unknown user: x ; USER=root ; COMMAND=y ; TTY=pts/0 ; PWD=/ ; USER=x ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob kind=unclear
    # + bob : unknown uid: 4242 ; TTY=pts/0 ; PWD=/ ; COMMAND=/bin/id
    # = sudo 'part of a refused escalation' user=bob
    # + bob : user not allowed to change directory to /x ; USER=root ; TTY=pts/0 ; PWD=/ ; USER=alice ; COMMAND=/bin/id
    # = sudo escalation-failure user=bob kind=unclear
    # + bob : user not allowed to change directory to /x/and/so/on
    # = sudo 'part of a refused escalation' user=bob
    # + bob : PAM authentication error
    # + bob : unknown group: x
    # = sudo 'part of a refused escalation' user=bob
    # - bob : PAM authentication : x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : PAM  error: x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : invalid  for user mallory: x ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # - bob :  shell for user mallory: x ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # - bob : invalid shell  user mallory: x ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # - bob : invalid shell for  mallory: x ; PWD=/ ; USER=mallory ; COMMAND=/bin/id
    # - bob :  root can use x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : only  can use x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : only root  use x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : only root can  x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob :  to change expired password ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : unable  change expired password ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : unable to  expired password ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : unable to change  password ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : unable to change expired x ; PWD=/ ; USER=root ; COMMAND=/bin/id
    # - bob : user not allowed
    # - bob : bob : user not allowed to change directory to /x
    # - bob : command not allowed ; PWD=/ ; USER=root ; COMMAND=/bin/id
    (b"", Pattern(_WHO + rb"(?:" + REFUSALS + rb")(.*)", _not_allowed)),
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
    # - alice ; bob : (command continued) xxx
    (b"", Pattern(_WHO + rb"\(command continued\) (.*)", _more)),
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
    # + alice : unable to get login class for user alice ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : /etc/sudoers:9:20: unknown defaults entry "x" ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : /etc/sudoers:9:20 timestampowner: unknown user x ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : timestamp owner (x): No such user ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : time stamp too far in the future: Nov 30 10:00:00 ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : ignoring time stamp from the future ; TTY=pts/0 ; PWD=/ ; USER=root ;
    # + alice : a remote host may only be specified when listing privileges. ; TTY=pts/0
    # + alice : pam_open_session : Permission denied ; TTY=pts/0
    # + unable to resolve host x: Name or service not known
    # sudo-rs (src/system/timestamp.rs, src/sudoers/mod.rs)
    # + Session records file for user 'alice' is invalid, resetting
    # + Found incomplete record in session records file for alice, clearing rest of the file
    # + Could not use session information: x
    # + warning: non-unix group x was ignored
    # = irrelevant
    # - alice : TTY=pts/0
    # - alice : x : problem with defaults entries
    # - alice : unable to
    # - alice : problem with
    # - Session
    # - warning:
    (
        b"",
        Pattern(
            _WHO
            + rb"(?:problem with defaults entries|unable to |timestamp owner |time ?stamp too far"
            rb"|ignoring |error |a remote host may only|invalid time offset|pam_open_session|/\S+:\d+:\d+"
            rb"|unknown login class|Replaying sudo session).+"
            rb"|unable to .*|(?:Session records file|Found (?:incomplete|invalid) record|Could not (?:use|"
            rb"update|get) |Unexpected error while reading|warning: )\S* ?.*",
            irrelevant,
        ),
    ),
)
