"""login of util-linux (login-utils/login.c) and of shadow (src/login.c), and agetty."""

from __future__ import annotations

from textfile_users.auth.finding import (
    FAILURE,
    SUCCESS,
    Finding,
    Pattern,
    address,
    finding,
    forms,
    irrelevant,
    name,
    terminal,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def _success(match: Match[bytes]) -> Finding:
    said = match.groupdict()
    ip, host = address(said["host"])
    user = name(said["user"]) or "root"
    where = {"ip": ip, "host": host, "tty": terminal(said["tty"])}
    return finding(SUCCESS, "login", method="password", user=user, account="valid", **where)


def _failure(match: Match[bytes]) -> Finding:
    said = match.groupdict()
    ip, host = address(said["host"])
    user = name(said["user"])
    account = "invalid" if user == "UNKNOWN" or b"not known" in said["why"] else "valid"
    where = {"ip": ip, "host": host, "tty": terminal(said["tty"])}
    return finding(FAILURE, "login", method="password", user=user, account=account, **where)


FORMS = forms(
    # + LOGIN ON tty1 BY alice
    # = login success method=password user=alice account=valid tty=tty1
    # + LOGIN ON pts/3 BY alice FROM 192.0.2.7
    # = login success method=password user=alice account=valid ip=192.0.2.7 tty=pts/3
    # - LOGIN ON tty1
    # - LOGIN ON tty1 pts/1 BY alice
    (
        b"LOGIN",
        Pattern(rb"LOGIN ON (?P<tty>\S+) BY (?P<user>.*?)(?: FROM (?P<host>\S+))?", _success),
    ),
    # + ROOT LOGIN ON tty1
    # + ROOT LOGIN  on '/dev/tty1'
    # = login success method=password user=root account=valid tty=tty1
    # + ROOT LOGIN ON pts/3 FROM host.example
    # + ROOT LOGIN  on '/dev/pts/3' from 'host.example'
    # = login success method=password user=root account=valid host=host.example tty=pts/3
    # - ROOT LOGIN
    # - ROOT LOGIN ON tty1 FROM host.example bob
    (
        b"ROOT",
        Pattern(
            rb"ROOT LOGIN (?:ON| on) '?(?P<tty>[^\s']+)'?(?P<user>)"
            rb"(?: (?:FROM|from) '?(?P<host>[^\s']+)'?)?",
            _success,
        ),
    ),
    # util-linux
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
    # - FAILED LOGIN 1 FROM tty1
    (
        b"FAILED",
        Pattern(
            rb"FAILED LOGIN (?:SESSION|\d+) FROM (?:(?P<tty>tty\S*|pts/\d+|console|hvc\d+)"
            rb"|(?P<host>\S+)) FOR (?P<user>.*), (?P<why>[^,]*)",
            _failure,
        ),
    ),
    # shadow
    # + FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
    # = login failure method=password user=alice account=valid tty=tty1
    # + FAILED LOGIN (2) on '/dev/pts/3' from '192.0.2.7' FOR 'UNKNOWN', User not known to the underlying authentication module
    # = login failure method=password user=UNKNOWN account=invalid ip=192.0.2.7 tty=pts/3
    # + FAILED LOGIN (1) on '/dev/tty1' FOR '', not known', Authentication failure
    # = login failure method=password user="', not known" account=valid tty=tty1
    # + FAILED LOGIN (1) on '/dev/tty1' FOR '', Authentication failure
    # = login failure method=password account=valid tty=tty1
    # + FAILED LOGIN (1) on '/dev/pts/3' from '192.0.2.7' FOR 'x) on '/dev/tty9' FOR 'y', Authentication failure
    # = login failure method=password user="x) on '/dev/tty9' FOR 'y" account=valid ip=192.0.2.7 tty=pts/3
    # - FAILED LOGIN (1) on '/dev/tty1'
    (
        b"FAILED",
        Pattern(
            rb"FAILED LOGIN \(\d+\) +on '(?P<tty>[^']*)'(?: from '(?P<host>[^']*)')?"
            rb" FOR '(?P<user>.*)', (?P<why>[^,]*)",
            _failure,
        ),
    ),
    # The refusals that they sum up have had lines of their own.
    # + PAM 4 more authentication failures; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=  user=root
    # + PAM 1 more authentication failure; logname= uid=0 euid=0 tty=/dev/tty1 ruser= rhost=
    # + PAM service(login) ignoring max retries; 5 > 3
    # + PAM service(remote) ignoring max retries; 5 > 3
    # = irrelevant
    # - PAM x more authentication failures; logname=
    # - PAM  more authentication failures; logname=
    # - PAM 4 more authentication failures, logname=
    # - PAM 4 more authentication failures;
    # - PAM service(login) ignoring max retries;
    # - PAM service(x) ignoring max retries; 5 > 3
    # - PAM unable to dlopen(pam_x.so): /lib/security/pam_x.so: cannot open shared object file
    (
        b"PAM",
        Pattern(
            rb"PAM (?:\d+ more authentication failures?;"
            rb"|service\((?:login|remote)\) ignoring max retries;).+",
            irrelevant,
        ),
    ),
    # + TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR 'alice'
    # + DIALUP AT ttyS0 BY alice
    # + tty1: input overrun
    # + timed out after 60 seconds
    # + exceeded failure limit for 'alice' on '/dev/tty1'
    # + FATAL: can't reopen tty: No such file or directory
    # = irrelevant
    # - BAD NEWS
    # - TOO MANY
    # - TOO MANY LOGIN
    # - DIALUP
    # - timed
    # - tty: input overrun
    (
        b"TOO DIALUP timed exceeded FATAL: tty1: tty2:",
        Pattern(
            rb"(?:TOO MANY LOGIN TRIES|DIALUP AT|timed out|exceeded |FATAL: |tty\d+: ).*",
            irrelevant,
        ),
    ),
)
