# ruff: noqa: E501 - samples are whole lines
"""What the modules of a PAM stack come to together, and which programs PAM speaks for.

Cases are logs, a line as ``SECONDS PROGRAM[PID]: MESSAGE``, and their events in short, in the order
of their lines. In a line F, S and O stand for what a module says that refuses or accepts, and for a
session that opens: ``F(TTY,RHOST,USER)``, ``S(TTY,RHOST,USER)``, ``O(USER)``. ``~`` is a blank.
"""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_attempts import START, Case, brief, in_runs, log_of, seconds_of
from textfile_users.auth import verdicts
from textfile_users.auth.log_lines import parse_lines
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.pam_services import is_seat
from textfile_users.auth.patterns import PAM_FAILURE, PAM_REFUSED
from textfile_users.auth.programs import OTHER
from textfile_users.auth.reader import Reader
from textfile_users.auth.remembered import Remembered
from textfile_users.auth.run0 import MAX_HELD
from textfile_users.auth.stamps import Stamps
from textfile_users.auth_event import FAILURE, AuthEvent, finding
from textfile_users.cli import main
from textfile_users.events import read_log
from textfile_users.reading.localtime import utc_time

if TYPE_CHECKING:
    from pathlib import Path

_ITEMS = r"\(([^,)]*),([^,)]*),([^)]*)\)"
_FIELDS = r"logname= uid=0 euid=0 tty=\1 ruser= rhost=\2 user=\3"


def spelled(line: str) -> str:
    """Return a case's line with what F, S and O stand for."""
    line = re.sub(rf"\bF{_ITEMS}", f"authentication failure; {_FIELDS}", line)
    line = re.sub(rf"\bS{_ITEMS}", f"authentication success; {_FIELDS}", line)
    line = line.replace("~", " ")
    return re.sub(r"\bO\(([^)]*)\)", r"session opened for user \1(uid=1000) by (uid=0)", line)


def lines_of(case: Case) -> list[str]:
    return [spelled(line) for line in case.log()]


def read(lines: list[str]) -> list[str]:
    found = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    return [brief(event) for event in sorted(found, key=lambda event: int(str(event["line"])))]


SUDO = "logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost= user=alice"
SU = "logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost= user=bob"
MORE = "authentication failures; logname= uid=0 euid=0 tty=%s ruser= rhost=%s"
NOBODY = MORE.replace("failures", "failure")
HELPER = "logname= uid=1000 euid=0 tty= ruser=alice rhost=  user=bob"
POLKIT = "gain ONE-SHOT authorization for action org.freedesktop"
RUN0 = "systemd1.manage-units for system-bus-name::1.10 [run0 id] (owned by unix-user:alice)"

CASES = [
    Case(
        "unix refuses, sss accepts: as each right password of a domain's user",
        """
        0 gdm-password][100]: pam_unix(gdm-password:auth): F(/dev/tty1,,alice)
        0 gdm-password][100]: pam_sss(gdm-password:auth): S(/dev/tty1,,alice)
        1 gdm-password][100]: pam_unix(gdm-password:session): O(alice)
        """,
        "session-opened gdm alice",
    ),
    Case(
        "unix and sss refuse: one attempt",
        """
        0 gdm-password][100]: pam_unix(gdm-password:auth): F(/dev/tty1,,alice)
        2 gdm-password][100]: pam_sss(gdm-password:auth): F(/dev/tty1,,alice)
        2 gdm-password][100]: pam_sss(gdm-password:auth): received for user alice: 7 (Authentication failure)
        """,
        "failure gdm pam alice",
    ),
    Case(
        "krb5 stands before unix on Debian",
        """
        0 lightdm[100]: pam_krb5(lightdm:auth): authentication failure; logname=alice uid=0 euid=0 tty=:0 ruser= rhost=
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        """,
        "failure lightdm pam alice",
    ),
    Case(
        "a name unknown to unix, which does not tell it, and known to sss",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): check pass; user unknown
        0 lightdm[100]: pam_unix(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=
        0 lightdm[100]: pam_sss(lightdm:auth): S(:0,,EX\\alice)
        9 lightdm[101]: pam_unix(lightdm:auth): authentication failure; logname= uid=0 euid=0 tty=:0 ruser= rhost=
        9 lightdm[101]: pam_sss(lightdm:auth): F(:0,,EX\\bob)
        """,
        "failure lightdm pam EX\\bob",
    ),
    Case(
        "three wrong passwords and a right one in one process",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        1 lightdm[100]: pam_sss(lightdm:auth): F(:0,,alice)
        4 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        4 lightdm[100]: pam_sss(lightdm:auth): F(:0,,alice)
        7 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        7 lightdm[100]: pam_sss(lightdm:auth): F(:0,,alice)
        9 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        9 lightdm[100]: pam_sss(lightdm:auth): S(:0,,alice)
        9 lightdm[100]: pam_unix(lightdm:session): O(alice)
        """,
        """
        failure lightdm pam alice
        failure lightdm pam alice
        failure lightdm pam alice
        session-opened lightdm alice
        """,
    ),
    Case(
        "a module that accepts had refused before: that was another attempt",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        0 lightdm[100]: pam_sss(lightdm:auth): F(:0,,alice)
        3 lightdm[100]: pam_sss(lightdm:auth): S(:0,,alice)
        """,
        "failure lightdm pam alice",
    ),
    Case(
        "the same of a user of the host, whose right password PAM does not tell",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        4 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        8 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        12 lightdm[100]: pam_unix(lightdm:session): O(alice)
        """,
        """
        failure lightdm pam alice
        failure lightdm pam alice
        failure lightdm pam alice
        session-opened lightdm alice
        """,
    ),
    Case(
        "a module that says nothing accepts: the session tells",
        """
        0 sddm-helper[100]: pam_unix(sddm:auth): F(,,alice)
        1 sddm-helper[100]: pam_unix(sddm:session): O(alice)
        """,
        "session-opened sddm alice",
    ),
    Case(
        "an acceptance comes too late",
        """
        0 sddm-helper[100]: pam_unix(sddm:auth): F(,,alice)
        5 sddm-helper[101]: pam_unix(sddm:auth): F(,,bob)
        6 sddm-helper[100]: pam_sss(sddm:auth): S(,,alice)
        10 sddm-helper[101]: pam_sss(sddm:auth): S(,,bob)
        """,
        "failure sddm pam alice",
    ),
    Case(
        "another process's, another user's and another service's acceptance overrule nothing",
        """
        0 sddm-helper[100]: pam_unix(sddm:auth): F(,,alice)
        0 sddm-helper[101]: pam_sss(sddm:auth): S(,,alice)
        0 sddm-helper[100]: pam_sss(sddm:auth): S(,,bob)
        0 gdm-password][200]: pam_unix(gdm-password:auth): F(/dev/tty1,,carol)
        0 gdm-fingerprint][200]: pam_sss(gdm-fingerprint:auth): S(/dev/tty1,,carol)
        """,
        """
        failure sddm pam alice
        failure gdm pam carol
        """,
    ),
    Case(
        "without a pid the same second alone is one attempt",
        """
        0 cockpit-session: pam_unix(cockpit:auth): F(,::ffff:192.0.2.7,alice)
        0 cockpit-session: pam_sss(cockpit:auth): S(,::ffff:192.0.2.7,alice)
        9 cockpit-session: pam_unix(cockpit:auth): F(,::ffff:192.0.2.7,bob)
        10 cockpit-session: pam_sss(cockpit:auth): S(,::ffff:192.0.2.7,bob)
        """,
        "failure cockpit pam bob 192.0.2.7",
    ),
    Case(
        "refusals of other modules alone are failures",
        """
        0 gdm-password][100]: pam_winbind(gdm-password:auth): request wbcLogonUser failed: WBC_ERR_AUTH_ERROR, PAM error: PAM_AUTH_ERR (7), NTSTATUS: NT_STATUS_WRONG_PASSWORD, Error message was: Wrong
        0 gdm-password][100]: pam_winbind(gdm-password:auth): user 'alice' denied access (incorrect password or invalid membership)
        1 lightdm[101]: pam_krb5(lightdm:auth): authentication failure; logname=alice uid=0 euid=0 tty=:0 ruser= rhost=
        2 lightdm[200]: pam_ldap(lightdm:auth): Authentication failure; user=alice
        3 sddm-helper[300]: pam_systemd_home(sddm:auth): Failed to acquire home for user alice: wrong
        """,
        """
        failure gdm pam alice
        failure lightdm pam alice
        failure lightdm pam alice
        failure sddm pam alice
        """,
    ),
    Case(
        "winbind, krb5, homed and Red Hat's krb5 overrule unix",
        """
        0 gdm-password][100]: pam_unix(gdm-password:auth): F(/dev/tty1,,alice)
        0 gdm-password][100]: pam_winbind(gdm-password:auth): user 'alice' granted access
        1 lightdm[101]: pam_unix(lightdm:auth): F(:0,,bob)
        2 lightdm[101]: pam_krb5(lightdm:auth): user bob authenticated as bob@EXAMPLE.COM
        3 sddm-helper[200]: pam_unix(sddm:auth): F(,,carol)
        3 sddm-helper[200]: pam_systemd_home(sddm:auth): Home for user carol successfully acquired.
        4 login[300]: pam_unix(login:auth): F(tty1,,bob)
        4 login[300]: pam_krb5[300]: authentication succeeds for 'bob' (bob@EXAMPLE.COM)
        """,
        "",
    ),
    Case(
        "modules whose lines do not name the PAM service",
        """
        0 login[100]: pam_krb5[100]: authentication fails for 'bob' (bob@EXAMPLE.COM): Authentication failure (Password incorrect)
        1 login[101]: pam_ldap: error trying to bind as user "uid=carol,dc=example" (Invalid credentials)
        2 login(pam_google_authenticator)[200]: Invalid verification code for alice
        """,
        """
        failure login pam bob
        failure login pam carol
        failure login pam alice
        """,
    ),
    Case(
        "what locks an account, and what finds it locked, is of the refusal beside it",
        """
        0 gdm-password][100]: pam_unix(gdm-password:auth): F(/dev/tty1,,bob)
        0 gdm-password][100]: pam_faillock(gdm-password:auth): Consecutive login failures for user bob account temporarily locked
        9 login[200]: pam_tally2(login:auth): user bob (1001) tally 5, deny 4
        9 login[200]: pam_unix(login:auth): F(tty1,,bob)
        """,
        """
        failure gdm pam bob
        failure login pam bob
        """,
    ),
    Case(
        "an account that has expired or may not come in: one failure behind a right password",
        """
        0 lightdm[100]: pam_unix(lightdm:account): account bob has expired (account expired)
        9 gdm-password][200]: pam_sss(gdm-password:auth): S(/dev/tty1,,alice)
        9 gdm-password][200]: pam_sss(gdm-password:account): Access denied for user alice: 6 (Permission denied)
        20 cockpit-session[300]: pam_listfile(cockpit:account): Refused user root for service cockpit
        20 cockpit-session[300]: cockpit-session: user account access failed: 7 root: Authentication failure
        """,
        """
        failure lightdm pam bob
        failure gdm pam alice
        failure cockpit pam root
        """,
    ),
    Case(
        "who was kept out by an account typed again",
        """
        0 lightdm[100]: pam_sss(lightdm:account): Access denied for user alice: 6 (Permission denied)
        3 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)
        """,
        """
        failure lightdm pam alice
        failure lightdm pam alice
        """,
    ),
    Case(
        "sss does not know the host's own accounts, and an expired password is asked for anew",
        """
        0 lightdm[100]: pam_sss(lightdm:account): Access denied for user bob: 10 (User not known to the underlying authentication module)
        0 lightdm[100]: pam_unix(lightdm:account): expired password for user bob (password aged)
        0 lightdm[100]: pam_unix(lightdm:session): O(bob)
        """,
        "session-opened lightdm bob",
    ),
    Case(
        "sshd speaks itself, whatever modules say",
        """
        0 sshd-session[100]: pam_unix(sshd:auth): F(ssh,192.0.2.7,alice)
        0 sshd-session[100]: pam_sss(sshd:auth): F(ssh,192.0.2.7,alice)
        0 sshd-session[100]: pam_faillock(sshd:auth): Consecutive login failures for user alice account temporarily locked
        2 sshd-session[100]: Failed password for alice from 192.0.2.7 port 22 ssh2
        """,
        "failure password alice 192.0.2.7",
    ),
    Case(
        "rsyslog's repetition: the last of three is overruled",
        """
        0 lightdm[100]: message repeated 3 times: [ pam_unix(lightdm:auth): F(:0,,bob)]
        1 lightdm[100]: pam_sss(lightdm:auth): S(:0,,bob)
        """,
        "failure lightdm pam bob x2",
    ),
    Case(
        "PAM's sum of attempts that it did not write counts, but for login, which wrote them",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,bob)
        9 lightdm[100]: pam_unix(lightdm:auth): 2 more authentication failures; logname= uid=0 euid=0 tty=:0 ruser= rhost=  user=bob
        20 login[200]: pam_unix(login:auth): F(tty1,,bob)
        22 login[200]: FAILED LOGIN 1 FROM tty1 FOR bob, Authentication failure
        25 login[200]: pam_sss(login:auth): S(tty1,,bob)
        25 login[200]: LOGIN ON tty1 BY bob
        99 login[200]: pam_unix(login:auth): 1 more authentication failure; logname=LOGIN uid=0 euid=0 tty=tty1 ruser= rhost=  user=bob
        """,
        """
        failure lightdm pam bob
        failure lightdm pam bob x2
        failure login password bob
        success login password bob
        """,
    ),
    Case(
        "login lets in whom unix refused",
        """
        0 login[100]: pam_unix(login:auth): F(/dev/tty2,,bob)
        1 login[100]: LOGIN ON tty2 BY bob
        """,
        "success login password bob",
    ),
    # xrdp
    Case(
        "one process of xrdp's for all: no guess is lost for one right password",
        """
        0 xrdp-sesman[100]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,alice)
        2 xrdp-sesman[100]: [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
        3 xrdp-sesman[100]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,alice)
        5 xrdp-sesman[100]: [INFO ] AUTHFAIL: user=alice ip=::ffff:192.0.2.8 time=1796048834
        6 xrdp-sesman[100]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,alice)
        6 xrdp-sesman[100]: pam_sss(xrdp-sesman:auth): S(xrdp-sesman,,alice)
        6 xrdp-sesman[100]: [INFO ] Access permitted for user: alice
        7 xrdp-sesman[200]: pam_unix(xrdp-sesman:session): O(alice)
        """,
        """
        failure xrdp pam alice 192.0.2.7
        failure xrdp pam alice 192.0.2.8
        session-opened xrdp alice
        """,
    ),
    Case(
        "two users of that process",
        """
        0 xrdp-sesman[100]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,alice)
        0 xrdp-sesman[100]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,bob)
        0 xrdp-sesman[100]: [INFO ] Access permitted for user: bob
        1 xrdp-sesman[100]: [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
        """,
        "failure xrdp pam alice 192.0.2.7",
    ),
    Case(
        "its own line alone, late, of another process, and of a name that PAM does not tell",
        """
        0 xrdp-sesexec[100]: [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
        20 xrdp-sesexec[101]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,alice)
        27 xrdp-sesexec[101]: [INFO ] AUTHFAIL: user=alice ip=192.0.2.7 time=1796048834
        40 xrdp-sesexec[200]: pam_unix(xrdp-sesman:auth): F(xrdp-sesman,,bob)
        42 xrdp-sesman[300]: [INFO ] AUTHFAIL: user=bob ip=192.0.2.8 time=1796048834
        60 xrdp-sesexec[200]: pam_unix(xrdp-sesman:auth): authentication failure; logname= uid=0 euid=0 tty=xrdp-sesman ruser= rhost=
        62 xrdp-sesexec[200]: [INFO ] AUTHFAIL: user=mallory ip=192.0.2.9 time=1796048834
        """,
        """
        failure xrdp pam alice 192.0.2.7
        failure xrdp pam alice
        failure xrdp pam bob 192.0.2.8
        failure xrdp pam mallory 192.0.2.9
        """,
    ),
    # Escalations
    Case(
        "sudo of a domain's user: with and without a line of its own",
        f"""
        0 sudo[100]: pam_unix(sudo:auth): authentication failure; {SUDO}
        0 sudo[100]: pam_sss(sudo:auth): authentication success; {SUDO}
        0 sudo[100]:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        20 sudo[200]: pam_unix(sudo:auth): authentication failure; {SUDO}
        20 sudo[200]: pam_sss(sudo:auth): authentication success; {SUDO}
        20 sudo[200]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "su of a domain's user: winbind names whom it is to",
        f"""
        0 su[100]: pam_unix(su:auth): authentication failure; {SU}
        0 su[100]: pam_winbind(su:auth): user 'bob' granted access
        0 su[100]: pam_unix(su:session): session opened for user bob(uid=1001) by alice(uid=1000)
        """,
        "escalation su alice bob",
    ),
    Case(
        "su-rs has no line for a refusal: two modules' are one",
        f"""
        0 su-rs[100]: pam_unix(su:auth): authentication failure; {SU}
        1 su-rs[100]: pam_sss(su:auth): authentication failure; {SU}
        """,
        "escalation-failure su alice bob",
    ),
    Case(
        "sss alone refuses sudo, which sums it up",
        f"""
        0 sudo[100]: pam_sss(sudo:auth): authentication failure; {SUDO}
        9 sudo[100]: pam_sss(sudo:auth): authentication failure; {SUDO}
        11 sudo[100]:    alice : 2 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        "escalation-failure sudo alice root",
    ),
    Case(
        "run0: polkit's line and PAM's together, and either alone",
        f"""
        0 polkitd[100]: Operator of unix-process:155:30 successfully authenticated as unix-user:bob to {POLKIT}.{RUN0}
        1 (id)[200]: pam_unix(systemd-run0:session): session opened for user carol(uid=1002) by (uid=0)
        2 (sd-pam)[201]: pam_unix(systemd-run0:session): session closed for user carol
        20 (bash)[300]: pam_unix(systemd-run0:session): session opened for user root(uid=0) by (uid=0)
        40 polkitd[100]: Operator of unix-process:155:30 successfully authenticated as unix-user:bob to {POLKIT}.{RUN0}
        60 polkitd[100]: Operator of unix-process:155:30 FAILED to authenticate to {POLKIT}.{RUN0}
        """,
        """
        escalation run0 alice carol
        escalation run0 root
        escalation run0 alice
        escalation-failure run0 alice
        """,
    ),
    Case(
        "what polkit's helper refuses is of what polkit or pkexec tells then",
        f"""
        0 polkit-agent-helper-1[100]: pam_unix(polkit-1:auth): authentication failure; {HELPER}
        3 polkitd[200]: Operator of unix-session:2 FAILED to authenticate to {POLKIT}.{RUN0}
        20 polkit-agent-helper-1[101]: pam_unix(polkit-1:auth): authentication failure; {HELPER}
        23 pkexec[300]: alice: Error executing command as another user: Not authorized [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
        40 polkit-agent-helper-1[101]: pam_unix(polkit-1:auth): authentication failure; {HELPER}
        49 polkitd[200]: Operator of unix-session:2 successfully authenticated as unix-user:bob to {POLKIT}.login1.reboot for system-bus-name::1.1 [systemctl reboot] (owned by unix-user:alice)
        60 polkit-agent-helper-1[101]: pam_unix(polkit-1:auth): authentication failure; {HELPER}
        """,
        """
        escalation-failure run0 alice
        escalation-failure pkexec alice root
        escalation polkit alice
        escalation-failure polkit alice
        """,
    ),
    Case(
        "su tells itself whom a module refused that names no caller",
        """
        0 su[5]: pam_unix(su:account): account bob has expired (account expired)
        0 su[5]: FAILED SU (to bob) alice on pts/0
        20 su[6]: pam_sss(su:account): Access denied for user bob: 6 (Permission denied)
        20 su[6]: FAILED SU (to bob) alice on pts/0
        40 su[7]: pam_winbind(su:auth): user 'bob' denied access (incorrect password or invalid membership)
        42 su[7]: FAILED SU (to bob) alice on pts/0
        60 su[8]: pam_ldap(su:auth): Authentication failure; user=bob
        62 su[8]: FAILED SU (to bob) alice on pts/0
        80 su[9]: pam_krb5(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=alice rhost=
        82 su[9]: FAILED SU (to bob) alice on pts/0
        100 su[10]: pam_listfile(su:auth): Refused user bob for service su
        100 su[10]: FAILED SU (to bob) alice on pts/0
        120 su[11]: pam_access(su:account): access denied for user `bob' from `pts/0'
        120 su[11]: FAILED SU (to bob) alice on pts/0
        140 su: pam_winbind(su:auth): user 'bob' denied access (incorrect password or invalid membership)
        142 su: FAILED SU (to bob) alice on pts/0
        160 su: pam_unix(su:account): account bob has expired (account expired)
        160 su: FAILED SU (to bob) alice on pts/0
        """,
        "\n".join(9 * ["escalation-failure su alice bob"]),
    ),
    Case(
        "su lets in whom krb5 refused, and whom it refused without naming the caller",
        """
        0 su[5]: pam_krb5(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser=alice rhost=
        0 su[5]: (to bob) alice on pts/0
        0 su[5]: pam_unix(su:session): session opened for user bob(uid=1001) by alice(uid=1000)
        20 su[6]: pam_krb5(su:auth): authentication failure; logname=bob uid=1000 euid=0 tty=pts/0 ruser= rhost=
        20 su[6]: (to bob) alice on pts/0
        20 su[6]: pam_unix(su:session): session opened for user bob(uid=1001) by alice(uid=1000)
        """,
        """
        escalation su alice bob
        escalation su alice bob
        """,
    ),
    Case(
        "sudo asks for root's password: what names root is of the caller's line",
        """
        0 sudo[5]: pam_winbind(sudo:auth): user 'root' denied access (incorrect password or invalid membership)
        4 sudo[5]:    alice : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        30 sudo[6]: pam_winbind(sudo:auth): user 'root' denied access (incorrect password or invalid membership)
        50 sudo[6]:    alice : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=bob ; COMMAND=/usr/bin/id
        80 sudo: pam_winbind(sudo:auth): user 'root' denied access (incorrect password or invalid membership)
        84 sudo:    alice : 1 incorrect password attempt ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation-failure sudo alice root
        escalation-failure sudo alice bob
        escalation-failure sudo alice root
        """,
    ),
    Case(
        "another process's, a later and a far refusal that names no caller are others",
        """
        0 su[5]: pam_winbind(su:auth): user 'bob' denied access (incorrect password or invalid membership)
        2 su[6]: FAILED SU (to bob) alice on pts/0
        20 su: pam_winbind(su:auth): user 'bob' denied access (incorrect password or invalid membership)
        31 su: FAILED SU (to bob) alice on pts/0
        50 su[7]: FAILED SU (to bob) alice on pts/0
        51 su[8]: pam_winbind(su:auth): user 'bob' denied access (incorrect password or invalid membership)
        """,
        """
        escalation-failure su bob
        escalation-failure su alice bob
        escalation-failure su bob
        escalation-failure su alice bob
        escalation-failure su alice bob
        escalation-failure su bob
        """,
    ),
    Case(
        "pkexec tells itself whom a module refused that names no caller",
        """
        0 polkit-agent-helper-1[5]: pam_winbind(polkit-1:auth): user 'root' denied access (incorrect password or invalid membership)
        3 pkexec[6]: EXAMPLE\\al s: Error executing command as another user: Not authorized [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
        """,
        "escalation-failure pkexec EXAMPLE\\al s root",
    ),
    Case(
        "pam_unix ends in a blank where no user is named",
        f"""
        0 lightdm[1]: pam_unix(lightdm:auth): {NOBODY % (":0", "")}~
        10 lightdm[1]: pam_unix(lightdm:auth): 2 more {MORE % (":0", "")}~
        20 gdm-password][3]: pam_unix(gdm-password:auth): {NOBODY % ("/dev/tty1", "")}~
        30 sddm-helper[4]: pam_unix(sddm:auth): {NOBODY % ("", "")}~~~
        40 login[5]: pam_unix(login:auth): {NOBODY % ("pts/1", "192.0.2.7")}~
        50 cockpit-session[6]: pam_unix(cockpit:auth): {NOBODY % ("", "192.0.2.7")}~
        60 xrdp-sesman[7]: pam_unix(xrdp-sesman:auth): {NOBODY % ("xrdp-sesman", "")}~
        70 zdm[8]: pam_unix(zdm:auth): {NOBODY % ("tty7", "")}~
        80 gdm-novel][9]: pam_sss(gdm-novel:auth): {NOBODY % ("tty7", "")}~
        90 lightdm[10]: pam_unix(lightdm:session): session opened for user bob(uid=1001) by (uid=0)~
        """,
        """
        failure lightdm pam
        failure lightdm pam x2
        failure gdm pam
        failure sddm pam
        failure login pam 192.0.2.7
        failure cockpit pam 192.0.2.7
        failure xrdp pam
        failure other pam
        failure gdm pam
        session-opened lightdm bob
        """,
    ),
    Case(
        "names of a domain with blanks",
        """
        0 su[1]: pam_unix(su:session): session opened for user EXAMPLE\\al s(uid=1000) by EXAMPLE\\bob c(uid=0)
        20 pkexec[2]: EXAMPLE\\alice smith: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/] [COMMAND=/usr/bin/id]
        40 polkitd[3]: Operator of unix-session:2 successfully authenticated as unix-user:EXAMPLE\\bob c to gain ONE-SHOT authorization for action x for unix-process:1:2 [x] (owned by unix-user:EXAMPLE\\alice smith)
        60 su-rs[4]: pam_unix(su:auth): authentication failure; logname=EXAMPLE\\al s uid=1000 euid=0 tty=pts/0 ruser=EXAMPLE\\al s rhost=  user=root
        """,
        """
        escalation su EXAMPLE\\bob c EXAMPLE\\al s
        escalation pkexec EXAMPLE\\alice smith root
        escalation polkit EXAMPLE\\alice smith
        escalation-failure su EXAMPLE\\al s root
        """,
    ),
    # Programs
    Case(
        "display managers without a label of their own, and their greeters",
        """
        0 greetd[100]: pam_unix(greetd:auth): F(tty7,,alice)
        1 greetd[101]: pam_unix(greetd:session): O(alice)
        2 greetd[200]: pam_unix(greetd-greeter:session): O(greeter)
        3 greetd[300]: pam_unix(greetd:session): O(_greetd)
        4 ly[400]: pam_unix(ly:auth): F(tty2,,alice)
        5 lxdm-binary[500]: pam_unix(lxdm:auth): F(/dev/tty7,,alice)
        6 plasmalogin-helper[600]: pam_unix(plasmalogin:session): O(bob)
        7 plasmalogin-helper[700]: pam_unix(plasmalogin-greeter:session): O(plasmalogin)
        8 greetd[800]: pam_unix(cosmic-greeter:auth): F(tty1,,alice)
        9 gdm-launch-environment][900]: pam_unix(gdm-launch-environment:session): O(gdm)
        9 lightdm[910]: pam_unix(lightdm-greeter:session): O(lightdm)
        """,
        """
        failure other pam alice
        session-opened other alice
        failure other pam alice
        failure other pam alice
        session-opened other bob
        failure other pam alice
        """,
    ),
    Case(
        "a display manager that no table knows: where PAM names a seat",
        """
        0 zdm[100]: pam_unix(zdm:auth): F(/dev/tty3,,alice)
        10 zdm[101]: pam_unix(zdm:auth): F(:1,,alice)
        10 zdm[101]: pam_sss(zdm:auth): S(:1,,alice)
        20 zdm[200]: pam_unix(zdm:auth): F(pts/3,,alice)
        30 zdm[201]: pam_unix(zdm:auth): F(,192.0.2.7,alice)
        40 zdm: pam_sss(zdm:auth): F(:0.0,,bob)
        50 zdm[300]: pam_unix(zdm:auth): F(tty1,,carol)
        51 zdm[300]: pam_unix(zdm:session): O(carol)
        60 gdm-novel][400]: pam_unix(gdm-novel:auth): F(/dev/tty1,,carol)
        """,
        """
        failure other pam alice
        failure other pam bob
        failure gdm pam carol
        """,
    ),
    Case(
        "screen lockers, mail and files are no logins",
        """
        0 xscreensaver[100]: pam_unix(xscreensaver:auth): F(:0.0,,alice)
        0 kscreenlocker_greet[100]: pam_unix(kde:auth): F(:0,,alice)
        0 swaylock[100]: pam_unix(swaylock:auth): F(tty1,,alice)
        0 vlock[100]: pam_unix(vlock:auth): F(/dev/tty2,,alice)
        0 light-locker[100]: pam_unix(light-locker:auth): F(:0,,alice)
        0 cosmic-greeter[100]: pam_unix(cosmic-greeter:auth): F(tty1,,alice)
        0 auth[100]: pam_unix(dovecot:auth): F(tty1,192.0.2.7,alice)
        0 vsftpd[100]: pam_unix(vsftpd:auth): F(tty1,192.0.2.7,alice)
        0 smbd[100]: pam_unix(samba:auth): F(tty1,192.0.2.7,alice)
        0 saslauthd[100]: pam_unix(smtp:auth): F(tty1,,alice)
        """,
        "",
    ),
    Case(
        "a PAM service speaks for its own program alone",
        """
        0 x[100]: pam_unix(sshd:auth): F(tty1,192.0.2.7,alice)
        0 x[100]: pam_unix(sshd:session): O(alice)
        0 x[100]: pam_unix(login:auth): F(tty1,,alice)
        0 x[100]: pam_unix(sudo:auth): F(tty1,,alice)
        0 x[100]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1001)
        0 x[100]: pam_unix(gdm-password:auth): check pass
        0 x[100]: y pam_unix(systemd-run0:session): O(root)
        0 runuser[100]: pam_unix(runuser:session): O(alice)
        0 (systemd)[100]: pam_unix(systemd-user:session): O(alice)
        """,
        "",
    ),
    Case(
        "what a name holds is no line of another module",
        """
        0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,x pam_sss: authentication success; user=alice)
        9 xrdp-sesman[101]: [INFO ] AUTHFAIL: user=x ip=192.0.2.9 time=1 ip=192.0.2.7 time=2
        """,
        """
        failure lightdm pam x pam_sss: authentication success; user=alice
        failure xrdp pam x ip=192.0.2.9 time=1 192.0.2.7
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_what_a_stack_comes_to(case: Case) -> None:
    assert read(lines_of(case)) == case.expected()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_a_log_cut_anywhere_has_the_same_events(case: Case) -> None:
    """What is held is in the state; a scan may come at any instant."""
    lines = lines_of(case)
    expected = in_runs([(log_of(lines), 0.0)])
    assert sorted(what for _, what in expected) == sorted(case.expected())
    for cut in range(len(lines) + 1):
        now = float(START + (seconds_of(lines[cut - 1]) if cut else 0))
        assert in_runs([(log_of(lines[:cut]), now), (log_of(lines[cut:]), now)]) == expected


@settings(max_examples=60)
@given(st.lists(st.sampled_from(CASES), min_size=1, max_size=4), st.integers(0, 80))
def test_mingled_logs_cut_anywhere_have_the_same_events(cases: list[Case], cut: int) -> None:
    lines = []
    for number, case in enumerate(cases):
        for line in lines_of(case):
            lines.append(re.sub(r"\[(\d+)\]:", rf"[{number}\1]:", line, count=1))
    lines.sort(key=seconds_of)
    cut = min(cut, len(lines))
    now = float(START + (seconds_of(lines[cut - 1]) if cut else 0))
    runs = [(log_of(lines[:cut]), now), (log_of(lines[cut:]), now)]
    assert in_runs(runs) == in_runs([(log_of(lines), 0.0)])


def test_a_refusal_counts_five_seconds_later_without_another_line() -> None:
    pairing = Pairing()
    said = finding(PAM_REFUSED, "gdm", method="pam", user="alice", kind="unix:gdm-password")
    assert pairing.take(AuthEvent(START, 7, 1, said)) == []
    assert pairing.expire(START + verdicts.HELD_SECONDS) == []
    (event,) = pairing.expire(START + verdicts.HELD_SECONDS + 0.1)
    assert (event.time, event.line, event.said.event, event.said.kind) == (START, 1, FAILURE, "")
    assert pairing.finish() == []


def test_refusals_held_have_a_bound_and_none_is_lost() -> None:
    """In a file anybody may write that as many processes refuse at once."""
    pairing = Pairing()
    said = finding(PAM_REFUSED, "gdm", user="alice", kind="unix:gdm-password")
    count = 3 * verdicts.MAX_HELD
    found = [
        event for pid in range(count) for event in pairing.take(AuthEvent(START, pid, 0, said))
    ]
    assert len(pairing.held) <= 2 * verdicts.MAX_HELD
    assert len(found) + len(pairing.finish()) == count


def test_modules_of_an_attempt_have_a_bound() -> None:
    pairing = Pairing()
    for module in range(3 * verdicts.MAX_MODULES):
        said = finding(PAM_REFUSED, "gdm", user="alice", kind=f"x{module}:gdm-password")
        pairing.take(AuthEvent(START, 7, 0, said))
    assert len(pairing.held) <= verdicts.MAX_MODULES + 1  # and what has counted


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2 login[7]: FAILED LOGIN 1 FROM tty1 FOR alice, Authentication failure", "password"),
        ("2 login[7]: tty1: input overrun", "pam"),
    ],
)
def test_what_an_older_version_held_of_login_counts_once(line: str, expected: str) -> None:
    """It held PAM's refusal for login's own line as it does sshd's."""
    said = finding(PAM_FAILURE, "login", method="pam", user="alice")
    memory = Remembered(START, "", (AuthEvent(START, 7, 1, said),))
    pairing = Pairing([(("login", 7), memory)])
    reader = Reader(pairing, Stamps(START + 9.0, utc_time))
    events = [*reader.read_block(log_of([line])), *pairing.finish()]
    assert [(event.said.event, event.said.method) for event in events] == [(FAILURE, expected)]


def test_what_waits_of_run0_has_a_bound_and_none_is_lost() -> None:
    pairing = Pairing()
    said = finding("PAM escalation", "run0", target="root")
    count = 2 * MAX_HELD
    found = [
        event for pid in range(count) for event in pairing.take(AuthEvent(START, pid, 0, said))
    ]
    assert len(pairing.held) == MAX_HELD
    assert len(found) + len(pairing.finish()) == count


@pytest.mark.parametrize(
    ("tty", "expected"),
    [
        *((tty, True) for tty in (b"tty1", b"/dev/tty12", b":0", b":10", b":0.0")),
        *(
            (tty, False)
            for tty in (b"", b"tty", b"ttyS0", b"pts/0", b"ssh", b":", b":pts/0", b"x:0")
        ),
    ],
)
def test_seats(tty: bytes, expected: bool) -> None:
    assert is_seat(tty) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("zdm[12]: pam_unix(zdm:auth): x", [(OTHER, 12)]),
        ("zdm: pam_unix(zdm:auth): x", [(OTHER, 0)]),
        ("(id)[12]: pam_unix(systemd-run0:session): x", [(OTHER, 12)]),
        ("zdm[1x]: pam_unix(zdm:auth): x", [(OTHER, 0)]),
        ("gdm-password][12]: pam_unix(gdm-password:auth): x", [(b"gdm-password", 12)]),
        ("CRON[12]: pam_unix(cron:session): x", []),
        ("zdm[12]: x: pam_unix(zdm:auth): x", []),
        ("zdm[12]: something", []),
    ],
)
def test_lines_of_pam_are_read_of_any_program(line: str, expected: list[tuple[bytes, int]]) -> None:
    """Also where other lines of it came before, of which nothing is read."""
    data = log_of(["0 zdm[12]: begin", "0 CRON[1]: (root) CMD (x)", f"0 {line}"])
    assert [(program, pid) for _, _, _, program, pid, _ in parse_lines(data)] == expected


def test_events_of_a_file_come_in_the_order_of_its_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal of PAM's is certain later than what follows it."""
    path = tmp_path / "auth.log"
    lines = [
        spelled("0 lightdm[100]: pam_unix(lightdm:auth): F(:0,,alice)"),
        "1 sshd[200]: Failed password for root from 192.0.2.7 port 22 ssh2",
    ]
    path.write_bytes(log_of(lines))
    assert main(["events", str(path)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["line"], event["user"]) for event in found] == [(1, "alice"), (2, "root")]
