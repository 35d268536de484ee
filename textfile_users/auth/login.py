"""login of util-linux (login-utils/login.c), shadow (src/login.c), busybox, toybox and the BSDs, agetty.

A name that is typed may be any text; the terminal and the host, behind it, hold no quotes or blanks.
"""

from __future__ import annotations

from textfile_users.auth.patterns import (
    LAST,
    NUMBERED,
    Pattern,
    address,
    forms,
    irrelevant,
    name,
    number,
    terminal,
)
from textfile_users.auth_event import FAILURE, SUCCESS, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _where(said: dict[str, bytes | None]) -> dict[str, str]:
    where = said.get("host")
    ip, host = address(None if where in _NOWHERE else where)
    return {"ip": ip, "host": host, "tty": terminal(said.get("tty"))}


def _success(match: Match[bytes]) -> Finding:
    said = match.groupdict()
    user = name(said["user"]) or "root"
    who = {"user": user, "account": "valid"}
    return finding(SUCCESS, "login", method="password", **who, **_where(said))


def _failure(match: Match[bytes]) -> Finding:
    said = match.groupdict()
    if said.get("refused"):
        said["user"] = said["refused"]
    if said.get("device"):
        said["tty"], said["host"] = said["device"], said["peer"]
    user, account = name(said["user"]), "valid"
    if user in _UNKNOWN or b"not known" in (said.get("why") or b""):
        account = "invalid"
    who = {"user": "" if user in _UNKNOWN else user, "account": account}
    times = number(said.get("times")) or 1
    return finding(FAILURE, "login", method="password", times=times, **who, **_where(said))


def _numbered(match: Match[bytes]) -> Finding:
    return _failure(match)._replace(event=NUMBERED, target=str(number(match["number"])))


def _last(match: Match[bytes]) -> Finding:
    return _numbered(match)._replace(kind=LAST)


def _roots(match: Match[bytes]) -> Finding:
    who = {"user": "root", "account": "valid"}
    return finding(FAILURE, "login", method="password", **who, **_where(match.groupdict()))


# What stands for a name that the host does not know, and for no host.
_UNKNOWN = ("UNKNOWN", "(unknown)", "(null)")
_NOWHERE = (b"(null)", b"<unknown>")
# ` on 'tty1' from 'host'`, once `` on `tty1' from `host' ``, once with two blanks before it.
_ON = rb" {1,2}on ['`](?P<tty>[^']*)'(?: from ['`](?P<host>[^']*)')?"

FORMS = forms(
    # + LOGIN ON tty1 BY alice
    # = login success method=password user=alice account=valid tty=tty1
    # + LOGIN ON pts/3 BY alice FROM 192.0.2.7
    # = login success method=password user=alice account=valid ip=192.0.2.7 tty=pts/3
    # - LOGIN ON tty1
    # - LOGIN ON tty1 pts/1 BY alice
    # No name is not root's.
    # - LOGIN ON pts/3 BY  FROM 192.0.2.7
    # - LOGIN ON  BY alice
    (
        b"LOGIN",
        Pattern(rb"LOGIN ON (?P<tty>\S+) BY (?P<user>[^ ].*?)(?: FROM (?P<host>\S+))?", _success),
    ),
    # + ROOT LOGIN ON tty1
    # + ROOT LOGIN (root) ON tty1
    # + ROOT LOGIN  on '/dev/tty1'
    # + ROOT LOGIN on `tty1'
    # = login success method=password user=root account=valid tty=tty1
    # + ROOT LOGIN ON pts/3 FROM host.example
    # + ROOT LOGIN (toor) ON pts/3 FROM host.example
    # + ROOT LOGIN  on '/dev/pts/3' from 'host.example'
    # + ROOT LOGIN  on `pts/3' from `host.example'
    # = login success method=password user=root account=valid host=host.example tty=pts/3
    # - ROOT LOGIN
    # - ROOT LOGIN ON tty1 FROM host.example bob
    # - ROOT LOGIN (root bob) ON tty1
    # - ROOT LOGIN () ON tty1
    # - ROOT LOGIN  on ''
    # - ROOT LOGIN  on '/dev/pts/3' from ''
    (
        b"ROOT",
        Pattern(
            rb"ROOT LOGIN (?:\(\S+\) )?(?:ON| ?on) ['`]?(?P<tty>[^\s']+)'?(?P<user>)"
            rb"(?: (?:FROM|from) ['`]?(?P<host>[^\s']+)'?)?",
            _success,
        ),
    ),
    # busybox, which tells of root alone
    # + root login on 'ttyS0'
    # + root login  on `ttyS0'
    # = login success method=password user=root account=valid tty=ttyS0
    # + root login on 'pts/0' from '192.0.2.7'
    # = login success method=password user=root account=valid ip=192.0.2.7 tty=pts/0
    # + root login on 'UNKNOWN'
    # = login success method=password user=root account=valid
    # - root login
    # - root login on 'ttyS0' and more
    # - root login on 'pts/0' from '192.0.2.7' from '192.0.2.9'
    # - root login   on 'ttyS0'
    # - root login on ttyS0'
    # - root login on 'pts/0' from 192.0.2.7'
    (b"root", Pattern(rb"root login(?P<user>)" + _ON, _success)),
    # shadow
    # + 'alice' logged in on 'tty1'
    # + 'alice' logged in  on 'tty1'
    # + `alice' logged in on `tty1'
    # = login success method=password user=alice account=valid tty=tty1
    # + 'alice' logged in on 'pts/0' from '192.0.2.7'
    # = login success method=password user=alice account=valid ip=192.0.2.7 tty=pts/0
    # + 'x' logged in on 'pts/1' from '192.0.2.9' logged in  on 'pts/0' from '192.0.2.7'
    # = login success method=password user="x' logged in on 'pts/1' from '192.0.2.9" account=valid ip=192.0.2.7 tty=pts/0
    # - 'alice' logged in
    # - '' logged in on 'tty1'
    # - alice logged in on 'tty1'
    # - 'alice' logged in on 'tty1' and more
    # - alice' logged in on 'tty1'
    (b"", Pattern(rb"['`](?P<user>.+)' logged in" + _ON, _success)),
    # toybox (toys/other/login.c)
    # + alice logged in on /dev/pts/0
    # = login success method=password user=alice account=valid tty=pts/0
    # + alice logged in on /dev/pts/0 from 192.0.2.7
    # = login success method=password user=alice account=valid ip=192.0.2.7 tty=pts/0
    # - alice logged in on pts/0
    # - alice bob logged in on /dev/pts/0
    # - alice logged in on /dev/pts/0 from
    # - alice logged in on /dev/
    # - alice logged in on /dev/pts/0 from 192.0.2.7 x
    (
        b"",
        Pattern(
            rb"(?P<user>[^\s'`]\S*) logged in on (?P<tty>/dev/\S+)(?: from (?P<host>\S+)| {0,2})",
            _success,
        ),
    ),
    # FreeBSD and NetBSD (usr.bin/login/login.c); of root ROOT LOGIN has told
    # + login on ttyv0 as alice
    # = login success method=password user=alice account=valid tty=ttyv0
    # - login on ttyv0 as root
    # - login on ttyv0 as
    # - login on ttyv0 as alice bob
    # - login on ttyv0 x as alice
    # - login on  as alice
    (
        b"login",
        Pattern(rb"login on (?P<tty>\S+) as (?!root$)(?P<user>\S+)(?P<host>)", _success),
    ),
    # The same without a name stands before it. So did login of util-linux up to 2.20 without PAM.
    # + LOGIN FAILURE ON tty1, alice
    # + 1 LOGIN FAILURE ON tty1, alice
    # = login failure method=password user=alice account=valid tty=tty1
    # + 3 LOGIN FAILURES FROM 192.0.2.7, x FROM 192.0.2.9, root
    # = login failure method=password user='x FROM 192.0.2.9, root' account=valid ip=192.0.2.7 times=3
    # - LOGIN FAILURE ON tty1
    # - 3 LOGIN FAILURES BY alice, bob
    # - 1 x LOGIN FAILURE ON tty1, alice
    # - LOGIN FAILURE ON tty1 x, alice
    # - LOGIN FAILURE ON , alice
    # - 3 LOGIN FAILURES FROM , x FROM 192.0.2.9, root
    (
        b"",
        Pattern(
            rb"(?:(?P<times>\d+) )?LOGIN FAILURES? (?:ON (?P<tty>[^\s,]+)|FROM (?P<host>[^\s,]+))"
            rb", (?P<user>.*)",
            _failure,
        ),
    ),
    # busybox, shadow without PAM, toybox
    # + invalid password for 'alice' on 'tty1'
    # + invalid password for 'alice'  on 'tty1'
    # + invalid password for `alice' on `tty1'
    # + invalid password for 'alice' on /dev/tty1
    # = login failure method=password user=alice account=valid tty=tty1
    # + invalid password for 'UNKNOWN' on 'pts/0' from '192.0.2.7'
    # = login failure method=password account=invalid ip=192.0.2.7 tty=pts/0
    # + invalid password for 'x' on 'pts/9' from '192.0.2.9' on 'pts/0' from '192.0.2.7'
    # = login failure method=password user="x' on 'pts/9' from '192.0.2.9" account=valid ip=192.0.2.7 tty=pts/0
    # + invalid password for 'x' on 'pts/9' from '192.0.2.9' on 'tty1'
    # = login failure method=password user="x' on 'pts/9' from '192.0.2.9" account=valid tty=tty1
    # + invalid password for 'alice' on /dev/pts/0 from 192.0.2.7
    # = login failure method=password user=alice account=valid ip=192.0.2.7 tty=pts/0
    # + invalid login time for 'alice' on 'tty2'
    # + LOGIN 'alice' REFUSED  on 'tty2'
    # = login failure method=password user=alice account=valid tty=tty2
    # + invalid password for '' on 'tty1'
    # = login failure method=password account=valid tty=tty1
    # - invalid password for 'alice'
    # - invalid password for alice on 'tty1'
    # - invalid password for 'alice' on 'tty1' and more
    # - LOGIN 'alice' REFUSED
    # - invalid password for alice' on 'tty1'
    # - invalid password for 'alice' on /dev/
    # - invalid password for 'alice' on /dev/pts/0 from 192.0.2.7 x
    (
        b"invalid LOGIN",
        Pattern(
            rb"(?:invalid (?:password|login time) for ['`](?P<user>.*)'|LOGIN '(?P<refused>.*)' REFUSED)"
            rb"(?:" + _ON + rb"| on (?P<device>/dev/\S+)(?: from (?P<peer>\S+))? ?)",
            _failure,
        ),
    ),
    # The password was right, but root may not log in there.
    # + ILLEGAL ROOT LOGIN  on 'pts/0' from '192.0.2.7'
    # = login failure method=password user=root account=valid ip=192.0.2.7 tty=pts/0
    # - ILLEGAL ROOT LOGIN
    (b"ILLEGAL", Pattern(rb"ILLEGAL ROOT LOGIN" + _ON, _roots)),
    # util-linux; (null) is a host that login was not given
    # + FAILED LOGIN 1 FROM (null) FOR alice, Authentication failure
    # + FAILED LOGIN 1 FROM <unknown> FOR alice, Authentication failure
    # = login failure method=password user=alice account=valid
    # + FAILED LOGIN SESSION FROM tty1 FOR (unknown), Authentication failure
    # = login failure method=password account=invalid tty=tty1
    # + FAILED LOGIN 1 FROM tty1 FOR alice, Authentication failure
    # = login failure method=password user=alice account=valid tty=tty1
    # + FAILED LOGIN SESSION FROM 192.0.2.7 FOR x FROM 192.0.2.9 FOR root, User not known to the underlying authentication module
    # = login failure method=password user='x FROM 192.0.2.9 FOR root' account=invalid ip=192.0.2.7
    # + FAILED LOGIN 2 FROM tty FOR , Authentication failure
    # = login failure method=password account=valid tty=tty
    # + FAILED LOGIN 1 FROM pts/3 FOR x FOR y, z, Authentication failure
    # = login failure method=password user='x FOR y, z' account=valid tty=pts/3
    # + FAILED LOGIN 1 FROM console FOR alice, Authentication failure
    # = login failure method=password user=alice account=valid tty=console
    # + FAILED LOGIN 1 FROM hvc0 FOR x FOR y, Authentication failure
    # = login failure method=password user='x FOR y' account=valid tty=hvc0
    # + FAILED LOGIN 1 FROM tty1 FOR x FROM 192.0.2.9 FOR y, Authentication failure
    # = login failure method=password user='x FROM 192.0.2.9 FOR y' account=valid tty=tty1
    # What it writes of the last one instead, where PAM counts, too.
    # + TOO MANY LOGIN TRIES (4) FROM tty1 FOR alice, Have exhausted maximum number of retries for service
    # = login failure method=password user=alice account=valid tty=tty1
    # - FAILED LOGIN 1 FROM tty1
    # - TOO MANY LOGIN TRIES FROM tty1 FOR alice, Have exhausted maximum number of retries for service
    # - FAILED LOGIN  FROM (null) FOR alice, Authentication failure
    # - TOO MANY LOGIN TRIES (4 x) FROM tty1 FOR alice, Have exhausted maximum number of retries for service
    # - TOO MANY LOGIN TRIES () FROM tty1 FOR alice, Have exhausted maximum number of retries for service
    # - FAILED LOGIN 1 FROM  FOR alice, Authentication failure
    # - FAILED LOGIN 1 FROM (null) FOR alice, Authentication failure,
    (
        b"FAILED TOO",
        Pattern(
            rb"(?:FAILED LOGIN (?:SESSION|\d+)|TOO MANY LOGIN TRIES \(\d+\)) FROM (?:(?P<tty>tty\S*|pts/\d+|console|hvc\d+)"
            rb"|(?P<host>\S+)) FOR (?P<user>.*), (?P<why>[^,]*)",
            _failure,
        ),
    ),
    # shadow
    # + FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
    # + FAILED LOGIN (1) on `tty1' FOR `alice', Authentication failure
    # = login numbered method=password user=alice account=valid tty=tty1 target=1
    # + FAILED LOGIN (2) on '/dev/pts/3' from '192.0.2.7' FOR 'UNKNOWN', User not known to the underlying authentication module
    # = login numbered method=password account=invalid ip=192.0.2.7 tty=pts/3 target=2
    # + FAILED LOGIN (1) on '/dev/tty1' FOR '', not known', Authentication failure
    # = login numbered method=password user="', not known" account=valid tty=tty1 target=1
    # + FAILED LOGIN (1) on '/dev/tty1' FOR '', Authentication failure
    # = login numbered method=password account=valid tty=tty1 target=1
    # + FAILED LOGIN (1) on '/dev/pts/3' from '192.0.2.7' FOR 'x) on '/dev/tty9' FOR 'y', Authentication failure
    # = login numbered method=password user="x) on '/dev/tty9' FOR 'y" account=valid ip=192.0.2.7 tty=pts/3 target=1
    # - FAILED LOGIN (1) on '/dev/tty1'
    # - FAILED LOGIN (1) on '/dev/tty1' FOR 'alice'
    # - FAILED LOGIN () on '/dev/tty1' FOR 'alice', Authentication failure
    # - FAILED LOGIN (1) on '/dev/tty1' FOR alice', Authentication failure
    # - FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure,
    (
        b"FAILED",
        Pattern(
            rb"FAILED LOGIN \((?P<number>\d+)\)" + _ON + rb" FOR ['`](?P<user>.*)', (?P<why>[^,]*)",
            _numbered,
        ),
    ),
    # The last one, behind its own line or, where PAM counts, too, instead of it.
    # + TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR 'alice'
    # = login numbered method=password user=alice account=valid tty=tty1 target=3 kind=last
    # + TOO MANY LOGIN TRIES (3) on '/dev/pts/3' from '192.0.2.7' FOR 'UNKNOWN'
    # = login numbered method=password account=invalid ip=192.0.2.7 tty=pts/3 target=3 kind=last
    # + TOO MANY LOGIN TRIES (3) on '/dev/pts/3' FOR 'x', y'
    # = login numbered method=password user="x', y" account=valid tty=pts/3 target=3 kind=last
    # + TOO MANY LOGIN TRIES (3) on `tty1' FOR `'
    # = login numbered method=password account=valid tty=tty1 target=3 kind=last
    # - TOO MANY LOGIN TRIES (3) on '/dev/tty1'
    # - TOO MANY LOGIN TRIES (x) on '/dev/tty1' FOR 'alice'
    # - TOO MANY LOGIN TRIES () on '/dev/tty1' FOR 'alice'
    # - TOO MANY LOGIN TRIES (3 x) on '/dev/tty1' FOR 'alice'
    # - TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR xalice'
    # - TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR 'alice', Authentication failure
    (
        b"TOO",
        Pattern(
            rb"TOO MANY LOGIN TRIES \((?P<number>\d+)\)" + _ON + rb" FOR ['`](?P<user>.*)'",
            _last,
        ),
    ),
    # + DIALUP AT ttyS0 BY alice
    # + tty1: input overrun
    # + timed out after 60 seconds
    # + exceeded failure limit for 'alice' on '/dev/tty1'
    # + FATAL: can't reopen tty: No such file or directory
    # + REPEATED login failures on 'tty1' from '192.0.2.7'
    # + REPEATED LOGIN FAILURES ON tty1 FROM 192.0.2.7, alice
    # + cannot find user (alice)
    # + Couldn't initialize PAM: Critical error
    # + NULL user name in /etc/passwd
    # + login 'alice' re-enabled after temporary lockout (16 failures)
    # + TIOCSCTTY failed: Operation not permitted
    # + chown (/dev/tty1, 0, 5) failed: Read-only file system
    # + chmod (/dev/tty1, 600) failed: Read-only file system
    # + LOGIN FAILURE ON tty1
    # + 3 LOGIN FAILURES ON tty1
    # + 1 LOGIN FAILURE FROM 192.0.2.7
    # + login on ttyv0 as root
    # + no shadow password for 'alice' on 'tty1'
    # = irrelevant
    # - BAD NEWS
    # - timed
    # - tty: input overrun
    # - 3 LOGIN FAILURES ON tty1, alice
    # - login on ttyv0
    # - LOGIN FAILURES ON , tty1
    # - tty x1: input overrun
    # - 3 x LOGIN FAILURES ON tty1
    # - login on ttyv0 x as root
    # - login on  as root
    # - DIALUP ttyS0 BY alice
    # - timed after 60 seconds
    # - REPEATED login on 'tty1' from '192.0.2.7'
    # - REPEATED LOGIN ON tty1 FROM 192.0.2.7, alice
    # - cannot find (alice)
    # - Couldn't initialize : Critical error
    # - NULL user in /etc/passwd
    # - login alice' re-enabled after temporary lockout (16 failures)
    # - login 'alice re-enabled after temporary lockout (16 failures)
    # - login 'alice' after temporary lockout (16 failures)
    (
        b"",
        Pattern(
            rb"(?:DIALUP AT|timed out|exceeded |FATAL: |tty[A-Z]*\d+: "
            rb"|REPEATED login failures|REPEATED LOGIN FAILURES|no shadow password for |cannot find user"
            rb"|Couldn't initialize PAM|NULL user name|login '.*' re-enabled|TIOC|chown |chmod ).*"
            rb"|(?:\d+ )?LOGIN FAILURES? (?:ON|FROM) [^\s,]+|login on \S+ as root",
            irrelevant,
        ),
    ),
)
