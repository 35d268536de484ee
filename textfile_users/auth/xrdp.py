"""xrdp's sesman 0.9, and sesexec, which 0.10 starts for each login (xrdp, sesman/).

What it writes to syslog begins with its level; in some releases with its own time, or with pid and
thread, as well, and with the place in the code where it is built with --enable-devel-logging. PAM's lines are the service xrdp-sesman's, and lack the address.
"""

from __future__ import annotations

from textfile_users.auth.patterns import PAM_ACCEPTED, Pattern, address, forms, irrelevant, name
from textfile_users.auth_event import FAILURE, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match

_LEVEL = (
    rb"(?:\[[\d:.T+-]{17,32}\] ?|\(\d+\)\(-?\d+\))?\[(?:CORE|ERROR|WARN|INFO|DEBUG|TRACE) ?\] ?"
    rb"(?:\[\w+\([\w.]+:\d+\)\] )?"
)


def _refused(match: Match[bytes]) -> Finding:
    user, where = match.groups()
    ip, host = address(where)
    if not ip:  # 0.9.0 to 0.9.9 have the port behind it
        ip, host = address(where.rpartition(b":")[0])
    host = "" if host == "unknown" else host
    who = name(user)
    account = "valid" if who else ""
    return finding(FAILURE, "xrdp", method="pam", user=who, account=account, ip=ip, host=host)


def _permitted(match: Match[bytes]) -> Finding:
    return finding(PAM_ACCEPTED, "xrdp", user=name(match[1]))


FORMS = forms(
    # + [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # + [INFO ] AUTHFAIL: user=alice ip=::ffff:192.0.2.7 time=1796048834
    # + [20261130-10:00:00] [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # + [2026-11-30T10:00:00.123+0100] [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # + [INFO ] AUTHFAIL: user=alice ip=::ffff:192.0.2.7:57222 - socket: 12 time=1796048834
    # + [INFO ] [login_user(sesexec.c:123)] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # = xrdp failure method=pam user=alice account=valid ip=192.0.2.7
    # + [INFO ] AUTHFAIL: user=alice ip=[2001:db8::7]:57222 time=1796048834
    # = xrdp failure method=pam user=alice account=valid ip=2001:db8::7
    # - [INFO ] [login_user(sesexec.c:x)] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [INFO ] [login user(sesexec.c:123)] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [INFO ] [login_user(sesexec c:123)] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # + [INFO ] AUTHFAIL: user=x ip=192.0.2.9 time=1 ip=192.0.2.7 time=1796048834
    # = xrdp failure method=pam user='x ip=192.0.2.9 time=1' account=valid ip=192.0.2.7
    # + [INFO ] AUTHFAIL: user= ip=unknown time=1796048834
    # = xrdp failure method=pam
    # - [INFO ] AUTHFAIL: user=alice ip=192.0.2.7
    # - [INFO ] x AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=x
    # - [x] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [20261130-10:00:00 x] [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [12345678] [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
    # - [INFO ] AUTHFAIL: user=alice ip=::ffff:192.0.2.7:57222 - socket: 12 x time=1796048834
    # - [INFO ] AUTHFAIL: user=alice ip=::ffff:192.0.2.7:57222 - socket:  time=1796048834
    # - [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=
    (
        b"",
        Pattern(
            _LEVEL + rb"AUTHFAIL: user=(.*) ip=(\S*)(?: - socket: \d+)? time=\d+",
            _refused,
        ),
    ),
    # Whom it lets in although a module of PAM's refused.
    # + [INFO ] Access permitted for user: bob
    # + [20261130-10:00:00] [INFO ] Access permitted for user: bob
    # = xrdp 'PAM acceptance' user=bob
    # - [INFO ] Access permitted for user bob
    # - [INFO ] x Access permitted for user: bob
    (b"", Pattern(_LEVEL + rb"Access permitted for user: (.+)", _permitted)),
    # All else tells of sockets, sessions and displays.
    # + [INFO ] Username or password error for user: alice
    # + [ERROR] pam_authenticate failed: Authentication failure
    # + [INFO ] ++ created session (access granted): username bob, ip 192.0.2.7:57222 - socket: 12
    # + [CORE ] starting xrdp-sesman with pid 31
    # + [20261130-10:00:00] [INFO ] Terminal Server Users group is disabled, allowing authentication
    # + (4)(-1225529536)[INFO ] something
    # + [WARN ] [session_start(session.c:123)] something
    # = irrelevant
    # - [INFO
    # - [x] something
    # - something
    # - (4 x)(-1225529536)[INFO ] something
    # - ()(-1225529536)[INFO ] something
    # - (4)(-)[INFO ] something
    (b"", Pattern(_LEVEL + rb".*", irrelevant)),
)
