# ruff: noqa: E501 - samples are whole lines
"""sshd's attempts that are held open, and the ends of connections, in every release's words."""

from __future__ import annotations

import io

import pytest

from tests.test_attempts import START, Case, log_of, read
from textfile_users.auth.message import find
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.reader import Reader
from textfile_users.auth.stamps import Stamps
from textfile_users.events import read_log
from textfile_users.reading.addresses import parse_ip
from textfile_users.reading.localtime import utc_time

CASES = [
    Case(
        "a user of a refused group who gives up: one probe of that user",
        """
        0 sshd[1]: User alice from 192.0.2.7 not allowed because a group is listed in DenyGroups
        1 sshd[1]: Connection closed by invalid user alice 192.0.2.7 port 5 [preauth]
        """,
        """
        probe closed alice 192.0.2.7
        """,
    ),
    Case(
        "a locked account, whose line has no address: the end has it",
        """
        0 sshd[1]: User alice not allowed because account is locked
        1 sshd[1]: Connection closed by invalid user alice 192.0.2.7 port 5 [preauth]
        """,
        """
        probe closed alice 192.0.2.7
        """,
    ),
    Case(
        "a locked account, and no more of that process",
        """
        0 sshd[1]: User alice not allowed because account is locked
        """,
        """
        probe other alice
        """,
    ),
    Case(
        "a locked account: a refused key has the address",
        """
        0 sshd[1]: User alice not allowed because account is locked
        0 sshd[1]: Failed publickey for invalid user alice from 192.0.2.7 port 5 ssh2: RSA SHA256:abc
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "a locked account: at LogLevel VERBOSE the first line has the address",
        """
        0 sshd[1]: Connection from 192.0.2.7 port 5 on 198.51.100.1 port 22 rdomain ""
        0 sshd[1]: User alice not allowed because account is locked
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "/etc/nologin refuses behind a login, in another process: no probe",
        """
        0 sshd[1]: Accepted password for alice from 192.0.2.7 port 5 ssh2
        0 sshd[2]: User alice not allowed because /etc/nologin exists
        """,
        """
        success password alice 192.0.2.7
        """,
    ),
    Case(
        "not allowed by the client's name: the end has the address",
        """
        0 sshd[1]: User bob from host.example not allowed because not listed in AllowUsers
        1 sshd[1]: Connection reset by invalid user bob 192.0.2.7 port 5 [preauth]
        """,
        """
        probe reset bob 192.0.2.7
        """,
    ),
    Case(
        "root refused, and no more of that process",
        """
        0 sshd[1]: ROOT LOGIN REFUSED FROM 192.0.2.7 port 5
        """,
        """
        probe other root 192.0.2.7
        """,
    ),
    Case(
        "root refused, with the failure that it is",
        """
        0 sshd[1]: ROOT LOGIN REFUSED FROM 192.0.2.7 port 5 [preauth]
        0 sshd[1]: Failed password for root from 192.0.2.7 port 5 ssh2
        """,
        """
        failure password root 192.0.2.7
        """,
    ),
    Case(
        "keys, too many of them, and the end: one probe",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:a
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: ED25519 SHA256:b
        0 sshd[1]: error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 5 ssh2 [preauth]
        0 sshd[1]: Disconnecting authenticating user alice 192.0.2.7 port 5: Too many authentication failures [preauth]
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "OpenSSH 5: too many keys, without [preauth] and address",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2
        0 sshd[1]: Disconnecting: Too many authentication failures for alice
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "OpenSSH 6: too many keys alone",
        """
        0 sshd[1]: Disconnecting: Too many authentication failures for alice [preauth]
        """,
        """
        probe other alice
        """,
    ),
    Case(
        "OpenSSH 6.7: too many, with a name that looks like the peer's place",
        """
        0 sshd[1]: Disconnecting: Too many authentication failures for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 5 ssh2 [preauth]
        """,
        """
        probe other x from 192.0.2.9 port 1 ssh2 192.0.2.7
        """,
    ),
    Case(
        "OpenSSH 6.6: a name that looks like 6.7's line; the first line has the address",
        """
        0 sshd[1]: Invalid user root from 192.0.2.9 port 1 ssh2 from 192.0.2.7
        0 sshd[1]: Disconnecting: Too many authentication failures for root from 192.0.2.9 port 1 ssh2 [preauth]
        """,
        """
        probe other root from 192.0.2.9 port 1 ssh2 192.0.2.7
        """,
    ),
    Case(
        "a refused key decides after ten minutes, though its pid comes again",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:a
        700 sshd[1]: Accepted password for bob from 192.0.2.8 port 6 ssh2
        """,
        """
        probe other alice 192.0.2.7
        success password bob 192.0.2.8
        """,
    ),
    Case(
        "a certificate's text imitates a success",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:a ID Accepted password for root from 192.0.2.9 port 1 ssh2 (serial 0) CA RSA SHA256:b
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "a name and a certificate's text that look like places: the first line has the address",
        """
        0 sshd[1]: Invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 5
        0 sshd[1]: Failed publickey for invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 5 ssh2: RSA-CERT SHA256:a ID z from 192.0.2.66 port 1 ssh2: q (serial 0) CA RSA SHA256:b
        """,
        """
        probe other x from 192.0.2.9 port 1 ssh2: y 192.0.2.7
        """,
    ),
    Case(
        "PAM's account part refuses who has shown a key: a failure",
        """
        0 sshd[1]: fatal: Access denied for user alice by PAM account configuration [preauth]
        """,
        """
        failure pam alice
        """,
    ),
    Case(
        "or a password, of which sshd says Failed",
        """
        0 sshd[1]: Failed password for alice from 192.0.2.7 port 5 ssh2
        0 sshd[1]: fatal: Access denied for user alice by PAM account configuration [preauth]
        """,
        """
        failure password alice 192.0.2.7
        """,
    ),
    Case(
        "a key of which sshd says so at LogLevel VERBOSE: the failure has its address, and no probe follows",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: ED25519 SHA256:a
        0 sshd[1]: fatal: Access denied for user alice by PAM account configuration [preauth]
        0 sshd[1]: Connection closed by authenticating user alice 192.0.2.7 port 5 [preauth]
        """,
        """
        failure pam alice 192.0.2.7
        """,
    ),
    Case(
        "or a dialogue, of which PAM's error is there",
        """
        0 sshd[1]: error: PAM: User account has expired for alice from 192.0.2.7
        0 sshd[1]: fatal: Access denied for user alice by PAM account configuration [preauth]
        """,
        """
        failure pam alice 192.0.2.7
        """,
    ),
    Case(
        "two wrong passwords and the right one of an expired account",
        """
        0 sshd[1]: Failed password for alice from 192.0.2.7 port 5 ssh2
        4 sshd[1]: Failed password for alice from 192.0.2.7 port 5 ssh2
        9 sshd[1]: Failed password for alice from 192.0.2.7 port 5 ssh2
        9 sshd[1]: fatal: Access denied for user alice by PAM account configuration [preauth]
        """,
        """
        failure password alice 192.0.2.7
        failure password alice 192.0.2.7
        failure password alice 192.0.2.7
        """,
    ),
    Case(
        "PAM has many words for a refusal, and macOS tells which address was asked",
        """
        0 sshd[1]: error: PAM: Authentication service cannot retrieve authentication info for alice from 192.0.2.7
        1 sshd[2]: error: PAM: permission denied for illegal user bob from 192.0.2.7 via 198.51.100.1
        2 sshd[3]: error: PAM: Authentication token is no longer valid; new one required for carol from host.example
        """,
        """
        failure pam alice 192.0.2.7
        failure pam bob 192.0.2.7
        failure pam carol host.example
        """,
    ),
    Case(
        "protocol 1 tells the client's own name behind, hostbased too: the address is before it",
        """
        0 sshd[1]: Failed password for alice from 192.0.2.7 port 20000 ssh1: ruser XXXX
        1 sshd[2]: Failed hostbased for alice from 192.0.2.7 port 22 ssh2: RSA 8c:e3, client user "a from 192.0.2.9 port 1 ssh2", client host "b"
        """,
        """
        failure password alice 192.0.2.7
        failure hostbased alice 192.0.2.7
        """,
    ),
    Case(
        "OpenSSH 5: the end of an attempt without [preauth]",
        """
        0 sshd[1]: Invalid user admin from 192.0.2.7
        1 sshd[1]: Received disconnect from 192.0.2.7: 11: Bye Bye
        """,
        """
        probe closed admin 192.0.2.7
        """,
    ),
    Case(
        "OpenSSH 5: the end of a session looks the same, and is nothing",
        """
        0 sshd[1]: Accepted password for alice from 192.0.2.7 port 5 ssh2
        1 sshd[3]: Received disconnect from 192.0.2.7: 11: disconnected by user
        1 sshd[4]: Connection closed by 192.0.2.7
        """,
        """
        success password alice 192.0.2.7
        """,
    ),
    Case(
        "a login's client is gone, whatever it said; another behind the same NAT is a probe",
        """
        0 sshd[1]: Accepted password for alice from 192.0.2.7 port 5 ssh2
        1 sshd[3]: Received disconnect from 192.0.2.7 port 5:11: x [preauth]
        1 sshd[4]: Connection reset by 192.0.2.7 port 5
        2 sshd[5]: Connection closed by 192.0.2.7 port 6 [preauth]
        """,
        """
        success password alice 192.0.2.7
        probe closed 192.0.2.7
        """,
    ),
    Case(
        "the login's port, used again later, is a probe",
        """
        0 sshd[1]: Accepted password for alice from 192.0.2.7 port 5 ssh2
        9 sshd[1]: pam_unix(sshd:session): session closed for user alice
        10 sshd[9]: Connection closed by 192.0.2.7 port 5
        60 sshd[8]: Connection closed by 192.0.2.7 port 5 [preauth]
        """,
        """
        success password alice 192.0.2.7
        session-closed alice
        probe closed 192.0.2.7
        """,
    ),
    Case(
        "a login's client is known by its address however that is written",
        """
        0 sshd[1]: Accepted password for alice from fe80::1%eth0 port 5 ssh2
        1 sshd[4]: Connection closed by fe80::1%eth0 port 5
        2 sshd[6]: Accepted password for alice from ::ffff:192.0.2.7 port 7 ssh2
        3 sshd[7]: Connection closed by 192.0.2.7 port 7
        """,
        """
        success password alice fe80::1
        success password alice 192.0.2.7
        """,
    ),
    Case(
        "a zone is no part of an address",
        """
        0 sshd[1]: Failed password for root from fe80::1%br-lan.1 port 5 ssh2
        1 sshd[2]: Failed password for root from fe80::1%veth1@if2 port 5 ssh2
        2 sshd[3]: Failed password for root from fe80::1%2 port 5 ssh2
        3 sshd[4]: Failed password for root from FE80:0:0:0:0:0:0:1%eth0 port 5 ssh2
        4 sshd[5]: Failed password for root from fe80::1%a/b port 5 ssh2
        5 sshd[6]: drop connection #0 from [fe80::1%wg_0]:38926 on [fe80::2%wg_0]:22 penalty: failed authentication
        """,
        """
        failure password root fe80::1
        failure password root fe80::1
        failure password root fe80::1
        failure password root fe80::1
        failure password root fe80::1%a/b
        probe penalty fe80::1
        """,
    ),
    Case(
        "a pid's next connection is another one, though the pid has decided before",
        """
        0 sshd[1]: Connection from 192.0.2.7 port 5 on 198.51.100.1 port 22 rdomain ""
        0 sshd[1]: Failed password for root from 192.0.2.7 port 5 ssh2
        0 sshd[1]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]
        60 sshd[1]: Connection from 192.0.2.8 port 6 on 198.51.100.1 port 22 rdomain ""
        60 sshd[1]: Connection closed by authenticating user root 192.0.2.8 port 6 [preauth]
        """,
        """
        failure password root 192.0.2.7
        probe closed root 192.0.2.8
        """,
    ),
    Case(
        "the listener's timeouts of OpenSSH 10.0, of which one says how far it was",
        """
        0 sshd-session[2]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:a
        120 sshd[9]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 2
        130 sshd[9]: Timeout before authentication for connection from 192.0.2.8 to 198.51.100.1, pid = 3 (early)
        """,
        """
        probe timeout alice 192.0.2.7
        probe timeout 192.0.2.8
        """,
    ),
    Case(
        "the listener tells of processes that crashed before anybody had logged in",
        """
        0 sshd[9]: error: session process 77 for connection from 192.0.2.7 to 198.51.100.1 killed by signal 11
        1 sshd[9]: Session process 78 unpriv child crash for connection from 192.0.2.7 to 198.51.100.1 (early)
        """,
        """
        probe other 192.0.2.7
        probe other 192.0.2.7
        """,
    ),
    Case(
        "a fatal error of the monitor ends an attempt that is open",
        """
        0 sshd[1]: Invalid user x from 192.0.2.7 port 5
        1 sshd[1]: fatal: monitor_read: unpermitted request 104
        """,
        """
        probe other x 192.0.2.7
        """,
    ),
    Case(
        "a connection that timed out, before and behind a login",
        """
        0 sshd[1]: fatal: Connection from authenticating user root 192.0.2.7 port 5 timed out [preauth]
        1 sshd[2]: Connection from user alice 192.0.2.7 port 6 timed out
        """,
        """
        probe timeout root 192.0.2.7
        """,
    ),
    Case(
        "a scanner known by its version, and the end that follows",
        """
        0 sshd[1]: scanned from 192.0.2.7 port 5 with SSH-1.0-SSH_Version_Mapper.  Don't panic.
        0 sshd[1]: Connection closed by 192.0.2.7 port 5
        """,
        """
        probe other 192.0.2.7
        """,
    ),
    Case(
        "RefuseConnection of OpenSSH 10",
        """
        0 sshd-session[1]: Invalid user x from 192.0.2.7 port 5
        0 sshd-session[1]: administratively prohibited connection for invalid user x from 192.0.2.7 port 5
        """,
        """
        probe other x 192.0.2.7
        """,
    ),
    Case(
        "refused by tcp_wrappers",
        """
        0 sshd[1]: refused connect from host.example (192.0.2.7)
        1 sshd[2]: refused connect from 192.0.2.8
        """,
        """
        probe other 192.0.2.7
        probe other 192.0.2.8
        """,
    ),
    Case(
        "clients that say why they go",
        """
        0 sshd[1]: error: Received disconnect from 192.0.2.7: 3: com.jcraft.jsch.JSchException: Auth fail [preauth]
        1 sshd[2]: Received disconnect from 192.0.2.7 port 5:3: java: Auth fail [preauth]
        """,
        """
        probe closed 192.0.2.7
        probe closed 192.0.2.7
        """,
    ),
    Case(
        "the first of two factors, then nothing",
        """
        0 sshd[1]: Partial publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:abc
        0 sshd[1]: Postponed keyboard-interactive for alice from 192.0.2.7 port 5 ssh2 [preauth]
        9 sshd[1]: Connection closed by authenticating user alice 192.0.2.7 port 5 [preauth]
        """,
        """
        probe closed alice 192.0.2.7
        """,
    ),
    Case(
        "refused keys that rsyslog sums up are one attempt",
        """
        0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:abc
        1 sshd[1]: message repeated 3 times: [ Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:abc]
        """,
        """
        probe other alice 192.0.2.7
        """,
    ),
    Case(
        "an expired account, with the failure that it is",
        """
        0 sshd[1]: Account alice has expired
        1 sshd[1]: Failed password for invalid user alice from 192.0.2.7 port 5 ssh2
        """,
        """
        failure password alice 192.0.2.7
        """,
    ),
    Case(
        "a line cut short is no fault of the program",
        """
        0 sshd[1]: Received disconnect from 192.0.2.7 [preauth]
        1 sshd[2]: Failed password for root from 192.0.2.7 port 5 ssh2
        """,
        """
        failure password root 192.0.2.7
        """,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_what_lines_mean_together(case: Case) -> None:
    assert read(case.log()) == case.expected()


@pytest.mark.parametrize(
    ("seconds", "failures"),
    [(9, ["password"]), (10, ["password", "pam"])],
)
def test_an_account_refused_long_after_a_password_is_another_failure(
    seconds: int, failures: list[str]
) -> None:
    lines = [
        "0 sshd[1]: Failed password for alice from 192.0.2.7 port 5 ssh2",
        f"{seconds} sshd[1]: fatal: Access denied for user alice by PAM account configuration",
    ]
    found = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert [event["method"] for event in found] == failures


def test_a_probe_has_the_port_that_another_line_of_its_address_tells() -> None:
    """By which the end of a login's client is known."""
    lines = [
        "0 sshd-session[2]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:a",
        "120 sshd[9]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 2",
    ]
    (event,) = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert (event["user"], event["account"], event["port"]) == ("alice", "valid", 5)


OPEN = [
    "User root from 192.0.2.7 not allowed because not listed in AllowUsers",
    "User root from 192.0.2.7 port 5 not allowed because none of user's groups are listed in AllowGroups",
    "ROOT LOGIN REFUSED FROM 192.0.2.7",
    "ROOT LOGIN REFUSED FROM 192.0.2.7 port 5 [preauth]",
    "Failed publickey for root from 192.0.2.7 port 5 ssh2: ED25519 SHA256:abc",
    "Failed publickey for invalid user root from 192.0.2.7 port 5 ssh2",
    "Failed rsa for root from 192.0.2.7 port 5 ssh1",
    "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 5 ssh2 [preauth]",
    "maximum authentication attempts exceeded for invalid user root from 192.0.2.7 port 5 ssh2",
    "Disconnecting: Too many authentication failures for root from 192.0.2.7 port 5 ssh2 [preauth]",
    "Invalid user root from 192.0.2.7",
    "Illegal user root from 192.0.2.7",
]
PROBE = "probe other root 192.0.2.7"
FAILURE = "failure password root 192.0.2.7"
SUCCESS = "success password root 192.0.2.7"
FAILED = "1 sshd[1]: Failed password for root from 192.0.2.7 port 5 ssh2"
ACCEPTED = "1 sshd[1]: Accepted password for root from 192.0.2.7 port 5 ssh2"
CLOSED = "1 sshd[1]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]"


@pytest.mark.parametrize(
    ("before", "behind", "events"),
    [
        ([], [], [PROBE]),
        ([], [CLOSED], ["probe closed root 192.0.2.7"]),
        ([], [FAILED], [FAILURE]),
        ([], [ACCEPTED], [SUCCESS]),
        ([FAILED], [], [FAILURE]),
        ([FAILED], [CLOSED], [FAILURE]),
        ([ACCEPTED], [], [SUCCESS]),
        ([], ["700 sshd[2]: Failed password for root from 192.0.2.7 port 6 ssh2"], [PROBE, FAILURE]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line", OPEN)
def test_what_begins_an_attempt_is_one_probe_unless_a_line_of_its_pid_decides(
    line: str, before: list[str], behind: list[str], events: list[str]
) -> None:
    for times in (1, 3):
        assert read([*before, *[f"1 sshd[1]: {line}"] * times, *behind]) == events


def test_an_attempt_that_is_open_is_kept_for_the_next_run() -> None:
    line = "0 sshd[1]: Failed publickey for alice from 192.0.2.7 port 5 ssh2: RSA SHA256:a"
    first = Pairing()
    assert list(Reader(first, Stamps(START, utc_time)).read_block(log_of([line]))) == []
    second = Pairing(first.attempts.items())
    ((probe),) = second.expire(START + 600.0)
    assert (probe.said.event, probe.said.user, probe.said.port) == ("probe", "alice", 5)


# Of Linux-PAM 1.7.0's pam_strerror.c, and of OpenPAM's as FreeBSD and macOS log it.
TEXTS = """
Critical error - immediate abort
Failed to load module
Symbol not found
Error in service module
System error
Memory buffer error
Permission denied
Authentication failure
Insufficient credentials to access authentication data
Authentication service cannot retrieve authentication info
User not known to the underlying authentication module
Have exhausted maximum number of retries for service
Authentication token is no longer valid; new one required
User account has expired
Cannot make/remove an entry for the specified session
Authentication service cannot retrieve user credentials
User credentials expired
Failure setting user credentials
Conversation error
Authentication token manipulation error
Authentication information cannot be recovered
Authentication token lock busy
Authentication token aging disabled
Failed preliminary check by password service
The return value should be ignored by PAM dispatch
Module is unknown
Authentication token expired
Conversation is waiting for event
Application needs to call libpam again
Unknown PAM error
authentication error
permission denied
unknown user
user account has expired
maximum number of tries exceeded
new authentication token required
"""


@pytest.mark.parametrize("text", TEXTS.strip().splitlines())
@pytest.mark.parametrize(
    ("who", "user", "account"),
    [
        ("alice", "alice", "valid"),
        ("illegal user x for y from 192.0.2.9", "x for y from 192.0.2.9", "invalid"),
        ("invalid user ", "", "invalid"),
    ],
)
@pytest.mark.parametrize("end", ["", " via 198.51.100.1", " [preauth]"])
def test_each_text_of_pam_is_a_refusal(
    text: str, who: str, user: str, account: str, end: str
) -> None:
    said = find(b"sshd", f"error: PAM: {text} for {who} from 192.0.2.7{end}".encode())
    assert (said.event, said.user, said.account) == ("PAM failure", user, account)
    assert said.ip == "192.0.2.7"


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%2", "fe80::1"),
        ("fe80::1%br-lan.1", "fe80::1"),
        ("fe80::1%wg_0", "fe80::1"),
        ("fe80::1%veth1@if2", "fe80::1"),
        ("FE80:0::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7%eth0", "192.0.2.7"),
        ("fe80::1%" + "a" * 15, "fe80::1"),
        ("fe80::1%" + "a" * 16, ""),
        ("fe80::1%", ""),
        ("fe80::1%a%b", ""),
        ("fe80::1%a b", ""),
        ("fe80::1%a/b", ""),
        ("fe80::1%é", ""),
        ("fe80::g%eth0", ""),
        ("%eth0", ""),
        ("192.0.2.7%eth0", ""),
    ],
)
def test_a_zone_is_left_out_of_an_address(text: str, ip: str) -> None:
    assert parse_ip(text) == ip


# Names as sshd writes them, by vis(3), and what they were.
NAMES = {
    rb"EXAMPLE\\bob": "EXAMPLE\\bob",  # a domain's user: the backslash is doubled
    rb"EXAMPLE\\alice smith": "EXAMPLE\\alice smith",
    rb"jos\303\251": "jos\xe9",  # bytes beyond ASCII are octal
    rb"x\\303": "x\\303",  # a doubled backslash before what looks octal
    rb"x\9": "x\\9",  # as no sshd writes it
    rb"\377": "\\xff",  # not UTF-8
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
@pytest.mark.parametrize(
    "message",
    [
        b"Accepted password for %s from 192.0.2.7 port 5 ssh2",
        b"Failed password for %s from 192.0.2.7 port 5 ssh2",
        b"Invalid user %s from 192.0.2.7 port 5",
        b"error: PAM: Authentication failure for %s from 192.0.2.7",
        b"Connection closed by authenticating user %s 192.0.2.7 port 5 [preauth]",
        b"fatal: Access denied for user %s by PAM account configuration [preauth]",
    ],
)
def test_names_are_those_that_sshd_got(name: bytes, expected: str, message: bytes) -> None:
    assert find(b"sshd", message % name).user == expected


def test_the_method_of_bsd_is_keyboard_interactive() -> None:
    message = b"Accepted keyboard-interactive/bsdauth for alice from 192.0.2.7 port 5 ssh2"
    assert find(b"sshd", message).method == "keyboard-interactive"
