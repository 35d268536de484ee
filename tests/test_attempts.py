# ruff: noqa: E501 - samples are whole lines
"""Lines of auth logs that mean something only together: each attempt is one event.

Cases are logs, a line as ``SECONDS PROGRAM[PID]: MESSAGE``, and their events in short.
"""

from __future__ import annotations

import io
import time
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textfile_users.auth import attempts
from textfile_users.auth.attempts import FORGOTTEN_AT_ONCE, MAX_REMEMBERED
from textfile_users.auth.logs import AuthMemory
from textfile_users.auth.pairing import Pairing
from textfile_users.auth.patterns import PAM_FAILURE, WAITING
from textfile_users.auth.reader import Reader
from textfile_users.auth.remembered import MAX_WAITING
from textfile_users.auth.stamps import Stamps
from textfile_users.auth.sudo_targets import MAX_HELD
from textfile_users.auth_event import AuthEvent, Finding, finding
from textfile_users.counting import Counts
from textfile_users.events import as_dict, read_log
from textfile_users.memory import Durable
from textfile_users.reading.localtime import utc_time
from textfile_users.state_files import format_durable, parse_durable

START = 1_765_000_000


def whole(line: str) -> bytes:
    """Return a case's line as it is in a log."""
    seconds, _, rest = line.partition(" ")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + int(seconds)))
    return f"{stamp}.000000+00:00 host {rest}\n".encode()


def log_of(lines: list[str]) -> bytes:
    return b"".join(map(whole, lines))


def brief(event: dict[str, object]) -> str:
    """Return an event in short: what it is, of what kind, who, from where, how often."""
    words = [event["event"], event["program"]] if event["program"] != "sshd" else [event["event"]]
    words += [event.get("method") or event.get("kind"), event.get("user"), event.get("target")]
    words += [event.get("ip") or event.get("host")]
    if event.get("count", 1) != 1:
        words.append(f"x{event['count']}")
    return " ".join(str(word) for word in words if word)


def read(lines: list[str]) -> list[str]:
    """Return the events of a log, as `events` finds them."""
    file = io.BytesIO(log_of(lines))
    return [brief(event) for event in read_log(file, False, START + 86_400.0)]


LONG = "d" * 900


class Case(NamedTuple):
    why: str
    lines: str
    events: str

    def log(self) -> list[str]:
        return [line.strip() for line in self.lines.strip().splitlines()]

    def expected(self) -> list[str]:
        return [line.strip() for line in self.events.strip().splitlines() if line.strip()]


CASES = [
    Case(
        "a wrong password",
        "0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2",
        "failure password root 192.0.2.7",
    ),
    Case(
        "OpenSSH 6: a wrong password and PAM's line",
        """
        0 sshd[100]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
        2 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        2 sshd[100]: Connection closed by 192.0.2.7 [preauth]
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "OpenSSH 9: the five lines of one attempt",
        """
        0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926
        0 sshd[100]: pam_unix(sshd:auth): check pass; user unknown
        0 sshd[100]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7
        2 sshd[100]: Failed password for invalid user admin from 192.0.2.7 port 38926 ssh2
        3 sshd[100]: Connection closed by invalid user admin 192.0.2.7 port 38926 [preauth]
        """,
        "failure password admin 192.0.2.7",
    ),
    Case(
        "OpenSSH 10: the same from sshd-session, and sshd-auth's own words",
        """
        0 sshd-session[100]: Invalid user admin from 2001:db8::7 port 38926
        0 sshd-session[100]: pam_unix(sshd:auth): check pass; user unknown
        2 sshd-session[100]: Failed password for invalid user admin from 2001:db8::7 port 38926 ssh2
        3 sshd-auth[100]: Connection closed by invalid user admin 2001:db8::7 port 38926 [preauth]
        """,
        "failure password admin 2001:db8::7",
    ),
    Case(
        "OpenSSH 6: input_userauth_request names the user again",
        """
        0 sshd[100]: Invalid user admin from 192.0.2.7
        0 sshd[100]: input_userauth_request: invalid user admin [preauth]
        2 sshd[100]: Failed password for invalid user admin from 192.0.2.7 port 38926 ssh2
        2 sshd[100]: Received disconnect from 192.0.2.7: 11: Bye Bye [preauth]
        """,
        "failure password admin 192.0.2.7",
    ),
    Case(
        "three wrong passwords in one connection, and PAM's sum of them",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        4 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        8 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        8 sshd[100]: Connection closed by authenticating user root 192.0.2.7 port 38926 [preauth]
        8 sshd[100]: PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
        """,
        """
        failure password root 192.0.2.7
        failure password root 192.0.2.7
        failure password root 192.0.2.7
        """,
    ),
    Case(
        "rsyslog's repetition",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        5 sshd[100]: message repeated 2 times: [ Failed password for root from 192.0.2.7 port 38926 ssh2]
        """,
        """
        failure password root 192.0.2.7
        failure password root 192.0.2.7 x2
        """,
    ),
    Case(
        "BSD's repetition is of the line before",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        5 last message repeated 2 times
        """,
        """
        failure password root 192.0.2.7
        failure password root 192.0.2.7 x2
        """,
    ),
    Case(
        "BSD's repetition of another program's line is nothing",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        5 kernel: something
        6 last message repeated 2 times
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "a repetition of what counts nothing is nothing",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        1 sshd[100]: Failed none for root from 192.0.2.7 port 38926 ssh2
        6 last message repeated 2 times
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "keyboard-interactive: PAM's error and Failed are one",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        0 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        "failure keyboard-interactive alice 192.0.2.7",
    ),
    Case(
        "and in the other order",
        """
        0 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        "failure keyboard-interactive alice 192.0.2.7",
    ),
    Case(
        "PAM's error alone is a failure, and no probe follows",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        "failure pam alice 192.0.2.7",
    ),
    # UseDNS yes: PAM's errors name the client, all other lines of sshd have its address.
    Case(
        "with names: each refusal of a connection has the address of its end",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        4 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        9 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        """,
    ),
    Case(
        "with names: the one that Failed says again is not counted twice",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        4 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        8 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        8 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        9 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        failure keyboard-interactive alice 192.0.2.7
        """,
    ),
    Case(
        "with names: refused behind a password that was refused, it is decided at the end",
        """
        0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        20 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        21 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        failure password alice 192.0.2.7
        failure pam alice 192.0.2.7
        """,
    ),
    Case(
        "with names: the third answer is right",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        4 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        8 sshd[100]: Accepted keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        success keyboard-interactive alice 192.0.2.7
        """,
    ),
    Case(
        "with names: at LogLevel VERBOSE the first line has the address",
        """
        0 sshd[100]: Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22 rdomain ""
        1 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        """,
        "failure pam alice 192.0.2.7",
    ),
    Case(
        "with names: so has the line of an unknown user",
        """
        0 sshd[100]: Invalid user x from 192.0.2.7 port 38926
        1 sshd[100]: error: PAM: Authentication failure for illegal user x from client.example.org
        """,
        "failure pam x 192.0.2.7",
    ),
    Case(
        "with names: the listener tells of a child's connection",
        """
        0 sshd-session[100]: error: PAM: Authentication failure for alice from client.example.org
        120 sshd[7]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 100
        """,
        "failure pam alice 192.0.2.7",
    ),
    Case(
        "with names: no other line of that pid has the address",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        1 sshd[101]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        probe closed alice 192.0.2.7
        failure pam alice client.example.org
        """,
    ),
    Case(
        "with names: a log without pids joins no lines",
        """
        0 sshd: error: PAM: Authentication failure for alice from client.example.org
        1 sshd: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        probe closed alice 192.0.2.7
        failure pam alice client.example.org
        """,
    ),
    Case(
        "with names: a pid's next connection has another address",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org
        60 sshd[100]: Connection from 192.0.2.8 port 38927 on 198.51.100.1 port 22 rdomain ""
        61 sshd[100]: Connection closed by authenticating user bob 192.0.2.8 port 38927 [preauth]
        """,
        """
        failure pam alice client.example.org
        probe closed bob 192.0.2.8
        """,
    ),
    Case(
        "with names: a name of digits is a name, and a user's name has no address",
        """
        0 sshd[100]: Invalid user x from 192.0.2.9 port 1 from 192.0.2.7 port 38926
        1 sshd[100]: error: PAM: Authentication failure for illegal user x from 192.0.2.9 port 1 from 192.0.2.9.evil.example
        2 sshd[100]: Failed password for invalid user x from 192.0.2.9 port 1 from 192.0.2.7 port 38926 ssh2
        """,
        """
        failure password x from 192.0.2.9 port 1 192.0.2.7
        """,
    ),
    Case(
        "at LogLevel VERBOSE a connection that is given up is a probe",
        """
        0 sshd[100]: Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22 rdomain ""
        1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        "probe closed alice 192.0.2.7",
    ),
    Case(
        "at LogLevel VERBOSE a connection of which nothing more is said is nothing",
        """0 sshd[100]: Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22 rdomain ""
        """,
        "",
    ),
    Case(
        "PAM's error alone, and nothing ever follows",
        "0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7",
        "failure pam alice 192.0.2.7",
    ),
    Case(
        "only from half of MaxAuthTries on sshd says Failed for a user that is there",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        4 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        8 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        8 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        9 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        failure keyboard-interactive alice 192.0.2.7
        """,
    ),
    Case(
        "rsyslog's repetition of PAM's error: Failed says the last of three again",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        8 sshd[100]: message repeated 2 times: [ error: PAM: Authentication failure for alice from 192.0.2.7]
        8 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        failure keyboard-interactive alice 192.0.2.7
        """,
    ),
    Case(
        "a dialogue's refusal is PAM's, though a slow host says it seconds later",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        3 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        """,
        "failure keyboard-interactive alice 192.0.2.7",
    ),
    Case(
        "what PAM says ten seconds later is another refusal",
        """
        0 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        10 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        """,
        """
        failure keyboard-interactive alice 192.0.2.7
        failure pam alice 192.0.2.7
        """,
    ),
    Case(
        "PAM's errors, then a success",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        4 sshd[100]: Accepted keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        """,
        """
        failure pam alice 192.0.2.7
        success keyboard-interactive alice 192.0.2.7
        """,
    ),
    Case(
        "a client asks thrice interactively, then for passwords: Failed password is another attempt",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        4 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        8 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        14 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        18 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        """,
        """
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        failure pam alice 192.0.2.7
        failure password alice 192.0.2.7
        failure password alice 192.0.2.7
        """,
    ),
    Case(
        "but said in one breath with PAM's error it is the same one",
        """
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        """,
        "failure password alice 192.0.2.7",
    ),
    Case(
        "an unknown user interactively: four lines, one attempt",
        """
        0 sshd[100]: Invalid user oracle from 192.0.2.7 port 38926
        2 sshd[100]: error: PAM: User not known to the underlying authentication module for illegal user oracle from 192.0.2.7
        2 sshd[100]: Failed keyboard-interactive/pam for invalid user oracle from 192.0.2.7 port 38926 ssh2
        3 sshd[100]: Connection closed by invalid user oracle 192.0.2.7 port 38926 [preauth]
        """,
        "failure keyboard-interactive oracle 192.0.2.7",
    ),
    Case(
        "a user not on the list is refused like any",
        """
        0 sshd[100]: User root from 192.0.2.7 not allowed because not listed in AllowUsers
        2 sshd[100]: Failed password for invalid user root from 192.0.2.7 port 38926 ssh2
        2 sshd[100]: Connection closed by invalid user root 192.0.2.7 port 38926 [preauth]
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "Invalid user whose connection ends is a probe",
        """
        0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926
        1 sshd[100]: Connection closed by invalid user admin 192.0.2.7 port 38926 [preauth]
        """,
        "probe closed admin 192.0.2.7",
    ),
    Case(
        "Invalid user alone is one when the input ends",
        "0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926",
        "probe other admin 192.0.2.7",
    ),
    Case(
        "or after ten minutes: before what came later",
        """
        0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926
        601 sshd[200]: Failed password for root from 192.0.2.8 port 38926 ssh2
        """,
        """
        probe other admin 192.0.2.7
        failure password root 192.0.2.8
        """,
    ),
    Case(
        "Invalid user and an end that has no address: it is known",
        """
        0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926
        1 sshd[100]: fatal: something went wrong [preauth]
        """,
        "probe other admin 192.0.2.7",
    ),
    Case(
        "a key and the question for methods refused: the end decides",
        """
        0 sshd[100]: Failed none for alice from 192.0.2.7 port 38926 ssh2
        0 sshd[100]: Failed publickey for alice from 192.0.2.7 port 38926 ssh2: RSA SHA256:abc
        1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]
        """,
        "probe closed alice 192.0.2.7",
    ),
    Case(
        "keys tried before the right one are no failures",
        """
        0 sshd[100]: Failed publickey for alice from 192.0.2.7 port 38926 ssh2: RSA SHA256:abc
        0 sshd[100]: Accepted publickey for alice from 192.0.2.7 port 38926 ssh2: ED25519 SHA256:def
        """,
        "success publickey alice 192.0.2.7",
    ),
    Case(
        "a password mistyped once",
        """
        0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        5 sshd[100]: Accepted password for alice from 192.0.2.7 port 38926 ssh2
        9 sshd[101]: Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
        9 sshd[101]: Disconnected from user alice 192.0.2.7 port 38926
        """,
        """
        failure password alice 192.0.2.7
        success password alice 192.0.2.7
        """,
    ),
    Case(
        "too many keys",
        """
        0 sshd[100]: error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 38926 ssh2 [preauth]
        0 sshd[100]: Disconnecting authenticating user alice 192.0.2.7 port 38926: Too many authentication failures [preauth]
        """,
        "probe other alice 192.0.2.7",
    ),
    Case(
        "too many passwords",
        """
        0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2
        1 sshd[100]: error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 38926 ssh2 [preauth]
        1 sshd[100]: Disconnecting authenticating user alice 192.0.2.7 port 38926: Too many authentication failures [preauth]
        1 sshd[100]: PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=alice
        1 sshd[100]: PAM service(sshd) ignoring max retries; 6 > 3
        """,
        "failure password alice 192.0.2.7",
    ),
    Case(
        "too many of OpenSSH 6, which names nobody at the end",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        1 sshd[100]: Disconnecting: Too many authentication failures for root [preauth]
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "a scan: the line with the address follows",
        """
        0 sshd[100]: error: kex_exchange_identification: Connection closed by remote host
        0 sshd[100]: Connection closed by 192.0.2.7 port 38926
        """,
        "probe closed 192.0.2.7",
    ),
    Case(
        "the first line tells how it ended",
        """
        0 sshd[100]: error: kex_exchange_identification: client sent invalid protocol identifier "GET / HTTP/1.1"
        0 sshd[100]: error: send_error: write: Connection reset by peer
        0 sshd[100]: banner exchange: Connection from 192.0.2.7 port 38926: invalid format
        """,
        "probe protocol 192.0.2.7",
    ),
    Case(
        "though the line with the address says otherwise",
        """
        0 sshd[100]: error: kex_exchange_identification: banner line contains invalid characters
        0 sshd[100]: Connection reset by 192.0.2.7 port 38926
        """,
        "probe protocol 192.0.2.7",
    ),
    Case(
        "or no line has the address",
        """
        0 sshd[100]: Protocol major versions differ: 2 vs. 1
        0 sshd[100]: fatal: Write failed: Broken pipe [preauth]
        """,
        "probe protocol",
    ),
    Case(
        "a reset before the banner",
        """
        0 sshd[100]: error: kex_exchange_identification: read: Connection reset by peer
        0 sshd[100]: Connection reset by 192.0.2.7 port 38926
        """,
        "probe reset 192.0.2.7",
    ),
    Case(
        "a scan whose address never comes",
        "0 sshd[100]: error: kex_exchange_identification: Connection closed by remote host",
        "probe closed",
    ),
    Case(
        "OpenSSH 7: a scan in one line",
        "0 sshd[100]: Did not receive identification string from 192.0.2.7 port 38926",
        "probe closed 192.0.2.7",
    ),
    Case(
        "OpenSSH 6: another protocol",
        "0 sshd[100]: Bad protocol version identification 'GET / HTTP/1.0' from 192.0.2.7",
        "probe protocol 192.0.2.7",
    ),
    Case(
        "no method in common",
        """
        0 sshd[100]: Unable to negotiate with 192.0.2.7 port 38926: no matching key exchange method found. Their offer: x [preauth]
        """,
        "probe protocol 192.0.2.7",
    ),
    Case(
        "OpenSSH 6 says that in the next line too",
        """
        0 sshd[100]: fatal: Unable to negotiate with 192.0.2.7: no matching cipher found. Their offer: x [preauth]
        0 sshd[100]: Connection closed by 192.0.2.7 [preauth]
        """,
        "probe protocol 192.0.2.7",
    ),
    Case(
        "two lines for one goodbye",
        """
        0 sshd[100]: Received disconnect from 192.0.2.7 port 38926:11: Bye Bye [preauth]
        0 sshd[100]: Disconnected from authenticating user root 192.0.2.7 port 38926 [preauth]
        """,
        "probe closed 192.0.2.7",
    ),
    Case(
        "two lines for one goodbye behind a failure",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        0 sshd[100]: Received disconnect from 192.0.2.7 port 38926:11: Bye Bye [preauth]
        0 sshd[100]: Disconnected from authenticating user root 192.0.2.7 port 38926 [preauth]
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "another word behind the goodbye",
        """
        0 sshd[100]: Connection closed by authenticating user root 192.0.2.7 port 38926 [preauth]
        0 sshd[100]: fatal: something went wrong [preauth]
        """,
        "probe closed root 192.0.2.7",
    ),
    Case(
        "or behind a refusal that PAM repeats",
        """
        0 sshd[100]: Failed keyboard-interactive/pam for alice from 192.0.2.7 port 38926 ssh2
        0 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7
        1 sshd[100]: fatal: something went wrong [preauth]
        """,
        "failure keyboard-interactive alice 192.0.2.7",
    ),
    Case(
        "or behind a success",
        """
        0 sshd[100]: Accepted password for alice from 192.0.2.7 port 38926 ssh2
        1 sshd[100]: fatal: something went wrong [preauth]
        """,
        "success password alice 192.0.2.7",
    ),
    Case(
        "a timeout, as up to OpenSSH 9.7",
        "0 sshd[100]: fatal: Timeout before authentication for 192.0.2.7 port 38926",
        "probe timeout 192.0.2.7",
    ),
    Case(
        "a timeout that the listener tells of a child that failed",
        """
        0 sshd-session[200]: Failed password for root from 192.0.2.7 port 38926 ssh2
        120 sshd[100]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 200
        """,
        "failure password root 192.0.2.7",
    ),
    Case(
        "a timeout that the listener tells of a child that said nothing",
        """
        120 sshd[100]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 200
        """,
        "probe timeout 192.0.2.7",
    ),
    Case(
        "a timeout that the listener tells of a child with an invalid user",
        """
        0 sshd-session[200]: Invalid user admin from 192.0.2.7 port 38926
        120 sshd[100]: Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 200
        """,
        "probe timeout admin 192.0.2.7",
    ),
    Case(
        "each connection that the listener drops is one, though its pid is the same",
        """
        0 sshd[100]: drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 penalty: failed authentication
        1 sshd[100]: drop connection #0 from [192.0.2.7]:38927 on [198.51.100.1]:22 penalty: failed authentication
        2 sshd[100]: drop connection #10 from [192.0.2.8]:38926 on [198.51.100.1]:22 past MaxStartups
        """,
        """
        probe penalty 192.0.2.7
        probe penalty 192.0.2.7
        probe other 192.0.2.8
        """,
    ),
    Case(
        "a pid that comes again after ten minutes is another connection",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        600 sshd[200]: Accepted password for alice from 192.0.2.9 port 38926 ssh2
        600 sshd[100]: Connection closed by authenticating user root 192.0.2.8 port 38926 [preauth]
        """,
        """
        failure password root 192.0.2.7
        success password alice 192.0.2.9
        probe closed root 192.0.2.8
        """,
    ),
    Case(
        "though another line came a moment before the ten minutes were over",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        599 sshd[200]: Accepted password for alice from 192.0.2.9 port 38926 ssh2
        600 sshd[100]: Invalid user admin from 192.0.2.8 port 38926
        600 sshd[100]: Connection closed by invalid user admin 192.0.2.8 port 38926 [preauth]
        """,
        """
        failure password root 192.0.2.7
        success password alice 192.0.2.9
        probe closed admin 192.0.2.8
        """,
    ),
    Case(
        "connections whose lines mingle",
        """
        0 sshd[100]: Invalid user a from 192.0.2.7 port 1
        0 sshd[200]: Invalid user b from 192.0.2.8 port 2
        1 sshd[200]: Failed password for invalid user b from 192.0.2.8 port 2 ssh2
        1 sshd[100]: Connection closed by invalid user a 192.0.2.7 port 1 [preauth]
        2 sshd[200]: Connection closed by invalid user b 192.0.2.8 port 2 [preauth]
        """,
        """
        failure password b 192.0.2.8
        probe closed a 192.0.2.7
        """,
    ),
    Case(
        "and where the log has no pids",
        """
        0 sshd: Invalid user a from 192.0.2.7 port 1
        0 sshd: Invalid user b from 192.0.2.8 port 2
        1 sshd: Connection closed by invalid user a 192.0.2.7 port 1 [preauth]
        1 sshd: Connection closed by invalid user b 192.0.2.8 port 2 [preauth]
        """,
        """
        probe closed a 192.0.2.7
        probe closed b 192.0.2.8
        """,
    ),
    Case(
        "ten minutes end for all whose time it is, and for no others",
        """
        0 sshd[100]: Invalid user a from 192.0.2.7 port 1
        1 sshd[200]: Invalid user b from 192.0.2.8 port 2
        300 sshd[300]: Invalid user c from 192.0.2.9 port 3
        700 sshd[101]: Failed password for root from 192.0.2.7 port 38926 ssh2
        701 sshd[300]: Connection closed by invalid user c 192.0.2.9 port 3 [preauth]
        """,
        """
        probe other a 192.0.2.7
        probe other b 192.0.2.8
        failure password root 192.0.2.7
        probe closed c 192.0.2.9
        """,
    ),
    Case(
        "a pid that comes again, behind one that a clock set back keeps waiting",
        """
        300 sshd[200]: Invalid user b from 192.0.2.8 port 2
        0 sshd[100]: Failed password for root from 192.0.2.7 port 1 ssh2
        700 sshd[100]: Invalid user a from 192.0.2.9 port 3
        700 sshd[100]: Connection closed by invalid user a 192.0.2.9 port 3 [preauth]
        """,
        """
        failure password root 192.0.2.7
        probe closed a 192.0.2.9
        probe other b 192.0.2.8
        """,
    ),
    Case(
        "what it had left undecided before, with a clock set back, is an event",
        """
        300 sshd[200]: Invalid user b from 192.0.2.8 port 2
        0 sshd[100]: Invalid user a from 192.0.2.7 port 1
        700 sshd[100]: Invalid user c from 192.0.2.9 port 3
        """,
        """
        probe other a 192.0.2.7
        probe other b 192.0.2.8
        probe other c 192.0.2.9
        """,
    ),
    Case(
        "a clock set back holds nothing up for ever",
        """
        90000 sshd[100]: Invalid user a from 192.0.2.7 port 1
        0 sshd[200]: Invalid user b from 192.0.2.8 port 2
        700 sshd[300]: Failed password for root from 192.0.2.9 port 2 ssh2
        """,
        """
        probe other a 192.0.2.7
        probe other b 192.0.2.8
        failure password root 192.0.2.9
        """,
    ),
    Case(
        "a session's lines",
        """
        0 sshd[100]: Accepted publickey for alice from 192.0.2.7 port 1 ssh2: ED25519 SHA256:abc
        0 sshd[100]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
        9 sshd[100]: pam_unix(sshd:session): session closed for user alice
        """,
        """
        success publickey alice 192.0.2.7
        session-opened alice
        session-closed alice
        """,
    ),
    # sudo and su
    Case(
        "sudo's own line and PAM's, without a pid",
        """
        0 sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        1 sudo: pam_unix(sudo:session): session closed for user root
        """,
        "escalation sudo alice root",
    ),
    Case(
        "sudo-rs without a terminal, and a command that it splits",
        """
        0 sudo-rs[385]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        0 sudo-rs[385]: alice :  PWD=/ ; USER=root ; COMMAND=/usr/bin/echo x [...]
        0 sudo-rs[385]: [...] : TTY=pts/0 ; PWD=/ ; USER=bob ; COMMAND=/bin/id
        1 sudo-rs[385]: pam_unix(sudo:session): session closed for user root
        """,
        "escalation sudo alice root",
    ),
    Case(
        "sudo-rs on a terminal, the second password is right",
        """
        0 sudo-rs[385]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty= ruser=alice rhost=  user=alice
        7 sudo-rs[385]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        7 sudo-rs[385]: alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/true
        8 sudo-rs[385]: pam_unix(sudo:session): session closed for user root
        """,
        """
        escalation-failure sudo alice
        escalation sudo alice root
        """,
    ),
    Case(
        "three wrong passwords and a right one, of sudo or sudo-rs: three refusals",
        """
        0 sudo[5]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        4 sudo[5]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        8 sudo[5]: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        11 sudo[5]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        11 sudo[5]: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation-failure sudo alice
        escalation-failure sudo alice
        escalation-failure sudo alice
        escalation sudo alice root
        """,
    ),
    Case(
        "guesses on many terminals do not vanish with one command, where the log tells no process",
        """
        0 sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1001 euid=0 tty=/dev/pts/1 ruser=bob rhost=  user=bob
        20 sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1001 euid=0 tty=/dev/pts/2 ruser=bob rhost=  user=bob
        40 sudo: pam_unix(sudo:auth): authentication failure; logname=bob uid=1001 euid=0 tty=/dev/pts/3 ruser=bob rhost=  user=bob
        60 sudo: bob : TTY=pts/30 ; PWD=/ ; USER=root ; COMMAND=/bin/ls
        """,
        """
        escalation-failure sudo bob
        escalation-failure sudo bob
        escalation-failure sudo bob
        escalation sudo bob root
        """,
    ),
    # A directory and a command are the user's text.
    Case(
        "a directory that names another target: PAM's line of the process decides",
        """
        0 sudo[100]: alice : PWD=/tmp/m/x ; USER=root ; COMMAND=/bin/sh ; USER=bob ; COMMAND=/usr/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1000)
        """,
        "escalation sudo alice bob",
    ),
    Case(
        "a directory that hides root",
        """
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/tmp/x ; USER=bob ; COMMAND=/bin/true ; USER=root ; COMMAND=/bin/sh
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        "escalation sudo alice root",
    ),
    Case(
        "a directory that lacks what comes before",
        """
        0 sudo[100]: alice : PWD=/x ; COMMAND=/bin/sh ; USER=root ; COMMAND=/bin/sh ; USER=bob ; COMMAND=/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1000)
        """,
        "escalation sudo alice bob",
    ),
    Case(
        "a root directory that names another target",
        """
        0 sudo[100]: alice : CHROOT=/x ; PWD=/ ; USER=root ; COMMAND=/bin/sh ; PWD=/ ; USER=bob ; COMMAND=/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1000)
        """,
        "escalation sudo alice bob",
    ),
    Case(
        "a directory that names the target itself, and another's line of PAM between",
        """
        0 sudo[100]: alice : PWD=/x ; USER=root ; COMMAND=/bin/sh ; USER=root ; COMMAND=/bin/id
        0 sudo[101]: carol : PWD=/ ; USER=bob ; COMMAND=/bin/id
        0 sudo[101]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1002)
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        """,
        """
        escalation sudo carol bob
        escalation sudo alice root
        """,
    ),
    Case(
        "where no line of PAM's follows, nobody is named",
        """
        0 sudo[100]: alice : PWD=/x ; USER=root ; COMMAND=/bin/sh ; USER=bob ; COMMAND=/bin/id
        0 sudo[101]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1002)
        20 sudo[101]: carol : PWD=/ ; USER=root ; COMMAND=/bin/id
        """,
        """
        escalation sudo alice
        escalation sudo bob
        escalation sudo carol root
        """,
    ),
    Case(
        "a command that names another target, without pids",
        """
        0 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/echo x ; USER=bob ; COMMAND=/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        "escalation sudo alice root",
    ),
    Case(
        "sudo-rs, whose line stands behind PAM's",
        """
        0 sudo-rs[100]: pam_unix(sudo:session): session opened for user bob(uid=1001) by alice(uid=1000)
        0 sudo-rs[100]: alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=/bin/sh ; USER=bob ; COMMAND=/bin/id
        """,
        "escalation sudo alice bob",
    ),
    Case(
        "a refusal that names two targets names none",
        "0 sudo[100]: bob : command not allowed ; PWD=/x ; USER=alice ; COMMAND=/y ; USER=root ; COMMAND=/bin/id",
        "escalation-failure sudo bob",
    ),
    Case(
        "doas: a directory that names another target",
        """
        0 doas[100]: pam_unix(doas:session): session opened for user bob(uid=1001) by (uid=1000)
        0 doas[101]: alice ran command id as bob from /tmp/m/y as root from /z
        """,
        "escalation doas alice bob",
    ),
    Case(
        "doas: a directory that hides root",
        """
        0 doas[100]: pam_unix(doas:session): session opened for user root(uid=0) by (uid=1000)
        0 doas[101]: alice ran command id as root from /y as bob from /z
        """,
        "escalation doas alice root",
    ),
    Case(
        "doas without PAM",
        """
        0 doas[100]: alice ran command id as root from /y as bob from /z
        0 doas[101]: alice ran command id as root from /y
        """,
        """
        escalation doas alice
        escalation doas alice root
        """,
    ),
    Case(
        "PAM's line of another sudo, where none has a pid",
        """
        0 sudo: bob : TTY=pts/1 ; PWD=/ ; USER=carl ; COMMAND=/bin/id
        0 sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user carl(uid=3) by (uid=2)
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1)
        """,
        """
        escalation sudo bob carl
        escalation sudo alice root
        """,
    ),
    Case(
        "a line of PAM's that somebody wrote, where none has a pid",
        """
        0 sudo: pam_unix(sudo:session): session opened for user bob(uid=2) by (uid=0)
        0 sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1)
        """,
        """
        escalation sudo alice root
        escalation sudo bob
        """,
    ),
    Case(
        "doas: PAM's line of another user",
        """
        0 doas[100]: pam_unix(doas:session): session opened for user bob(uid=1001) by carl(uid=1002)
        1 doas[103]: alice ran command id as bob from /y as root from (failed)
        """,
        """
        escalation doas alice
        escalation doas carl bob
        """,
    ),
    Case(
        "doas: PAM's line of long ago",
        """
        0 doas[100]: pam_unix(doas:session): session opened for user bob(uid=1001) by (uid=1000)
        11 doas[101]: alice ran command id as bob from /y as root from /z
        """,
        """
        escalation doas bob
        escalation doas alice
        """,
    ),
    # A line that goes on in others.
    Case(
        "a long directory",
        f"""
        0 sudo[100]: alice : PWD=/{LONG}
        0 sudo[100]: alice : (command continued) {LONG} ; USER=root ; COMMAND=/usr/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        """,
        "escalation sudo alice root",
    ),
    Case(
        "a long directory on a terminal, with no line of PAM's",
        f"""
        0 sudo[100]: alice : TTY=pts/0 ;
        0 sudo[100]: alice : (command continued) PWD=/{LONG}
        0 sudo[100]: alice : (command continued) {LONG} ;
        0 sudo[100]: alice : (command continued) USER=root ; COMMAND=/usr/bin/id
        """,
        "escalation sudo alice root",
    ),
    Case(
        "a directory, cut where it looks whole",
        f"""
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=/bin/sh
        0 sudo[100]: alice : (command continued) {LONG}
        0 sudo[100]: alice : (command continued) {LONG} ; USER=bob ; COMMAND=/usr/bin/id
        0 sudo[100]: pam_unix(sudo:session): session opened for user bob(uid=1001) by (uid=1000)
        """,
        "escalation sudo alice bob",
    ),
    Case(
        "the same with no line of PAM's",
        f"""
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/x ; USER=root ; COMMAND=/bin/sh
        0 sudo[100]: alice : (command continued) {LONG} ; USER=bob ; COMMAND=/usr/bin/id
        """,
        "escalation sudo alice",
    ),
    Case(
        "a long command goes on with what looks like fields",
        f"""
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo {LONG}
        0 sudo[100]: alice : (command continued) ; USER=bob ; COMMAND=/bin/sh
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        """,
        "escalation sudo alice root",
    ),
    Case(
        "another process's, or another user's, continuation is none",
        """
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id
        0 sudo[101]: mallory : (command continued) ; USER=bob ; COMMAND=/bin/sh
        0 sudo[100]: mallory : (command continued) ; USER=bob ; COMMAND=/bin/sh
        """,
        "escalation sudo alice root",
    ),
    Case(
        "a refusal from a long directory",
        f"""
        0 sudo[100]: bob : user NOT in sudoers ; PWD=/{LONG}
        0 sudo[100]: bob : (command continued) {LONG} ; USER=root ; COMMAND=/usr/bin/id
        """,
        "escalation-failure sudo bob root",
    ),
    Case(
        "a refusal whose other lines are lost",
        f"0 sudo[100]: bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/{LONG}",
        "escalation-failure sudo bob",
    ),
    Case(
        "an escalation whose other lines are lost",
        f"""
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/{LONG}
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        """,
        "escalation sudo alice root",
    ),
    Case(
        "a long directory, as sudo-rs writes it",
        f"""
        0 sudo-rs[100]: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        0 sudo-rs[100]: alice : TTY=pts/0 ; PWD=/{LONG} [...]
        0 sudo-rs[100]: [...] {LONG} ; USER=root ; COMMAND=/usr/bin/id
        """,
        "escalation sudo alice root",
    ),
    Case(
        "one process escalates twice",
        """
        0 sudo[100]: alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        0 sudo[100]: alice : PWD=/ ; USER=bob ; COMMAND=/usr/bin/id
        """,
        """
        escalation sudo alice root
        escalation sudo alice bob
        """,
    ),
    Case(
        "sudo tells of a command's end (log_exit_status), an hour later and with a signal, too",
        """
        0 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        0 sudo: pam_unix(sudo:session): session closed for user root
        0 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id ; EXIT=0
        5 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash
        9 sudo: bob : PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        10 sudo: bob : PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id ; EXIT=1
        3605 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash ; SIGNAL=HUP ; EXIT=129
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        escalation sudo bob root
        """,
    ),
    Case(
        "a command that ends as the end of one does is one, and has an end",
        """
        0 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/echo ; EXIT=0
        2 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/echo ; EXIT=0 ; EXIT=0
        4 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/sh ; SIGNAL=KILL
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "a command that looks like the end of one before: PAM's session counts in its place",
        """
        0 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/sh x
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        20 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/sh x ; EXIT=0
        20 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "another user's end, and a second one, end nothing",
        """
        0 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/id
        2 sudo: mallory : PWD=/ ; USER=root ; COMMAND=/bin/id ; EXIT=0
        4 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/id ; EXIT=0
        6 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/id ; EXIT=0
        """,
        """
        escalation sudo alice root
        escalation sudo mallory root
        escalation sudo alice root
        """,
    ),
    Case(
        "the end of a command whose line goes on in another",
        f"""
        0 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/echo {LONG}
        0 sudo: alice : (command continued) x
        3 sudo: alice : PWD=/ ; USER=root ; COMMAND=/bin/echo {LONG}
        3 sudo: alice : (command continued) x ; EXIT=0
        9 sudo: bob : PWD=/ ; USER=root ; COMMAND=/bin/echo {LONG}
        9 sudo: bob : (command continued) ; EXIT=0
        """,
        """
        escalation sudo alice root
        escalation sudo bob root
        """,
    ),
    Case(
        "commands that a command runs (log_subcmds) are of its process",
        """
        0 sudo[100]: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        5 sudo[100]: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        6 sudo[101]: alice : TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        90 sudo[100]: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/ls
        91 sudo[100]: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash ; EXIT=0
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "the same where the log tells no process: PAM opens one session for them all",
        """
        0 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/bash
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        5 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        5 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/ls
        9 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        19 sudo: pam_unix(sudo:session): session closed for user root
        20 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        20 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        30 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=bob ; COMMAND=/usr/bin/id
        31 sudo: alice : TTY=pts/1 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        escalation sudo alice bob
        escalation sudo alice root
        """,
    ),
    Case(
        "without PAM's sessions (!pam_session) each line is an escalation, on a terminal too",
        """
        0 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/id
        5 sudo: alice : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/ls
        """,
        """
        escalation sudo alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "sudo's objects (log_format=json)",
        r"""
        0 sudo[100]: @cee:{"sudo":{"accept":{"uuid":"x","server_time":{"seconds":1},"submituser":"EXAMPLE\\alice smith","command":"/bin/bash","runuser":"root","ttyname":"/dev/pts/0","runargv":["bash",",\"submituser\":\"bob\""]}}}
        0 sudo[100]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        2 sudo[100]: @cee:{"sudo":{"accept":{"uuid":"y","submituser":"EXAMPLE\\alice smith","command":"/bin/id","runuser":"root","ttyname":"/dev/pts/0"}}}
        3 sudo[100]: @cee:{"sudo":{"exit":{"uuid":"x","exit_value":0}}}
        4 sudo[101]: @cee:{"sudo":{"reject":{"uuid":"z","reason":"3 incorrect password attempts","submituser":"bob","runuser":"root","command":"/bin/id"}}}
        5 sudo[102]: @cee:{"sudo":{"alert":{"reason":"problem with defaults entries","submituser":"bob","runuser":"root"}}}
        6 sudo[103]: @cee:{"sudo":{"alert":{"reason":"unknown user nosuch","submituser":"bob","runuser":"nosuch"}}}
        """,
        """
        escalation sudo EXAMPLE\\alice smith root
        escalation-failure sudo bob root
        escalation-failure sudo bob nosuch
        """,
    ),
    Case(
        "sudo-rs goes on with a command: what it holds says nothing, though no line of PAM's comes",
        """
        0 sudo: alice : TTY=/dev/pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/usr/bin/true xxxxxxxx [...]
        0 sudo: [...] : TTY=pts/9 ; PWD=/ ; USER=mallory ; COMMAND=/bin/sh
        1 sudo: [...] xxxxx ; EXIT=0
        """,
        "escalation sudo alice root",
    ),
    Case(
        "sudo-rs, three wrong passwords, and then a process whose password is right",
        """
        0 sudo-rs[385]: pam_unix(sudo:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=alice rhost=  user=alice
        20 sudo-rs[390]: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        20 sudo-rs[390]: alice :  PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation sudo alice root
        escalation-failure sudo alice
        """,
    ),
    Case(
        "the same where the log tells no process: sudo-rs says nothing else of who gave up",
        """
        0 sudo: pam_unix(sudo:auth): authentication failure; logname= uid=1000 euid=0 tty= ruser=alice rhost=  user=alice
        20 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
        20 sudo: alice : TTY=/dev/pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation-failure sudo alice
        escalation sudo alice root
        """,
    ),
    Case(
        "names and texts that imitate what stands around them",
        """
        0 dropbear[100]: Exit before auth from <192.0.2.7:1>: (user 'root', 3 fails): Incompatible remote version 'x', 9 fails): y'
        1 dropbear[101]: Exit before auth: Incompatible remote version 'SSH-1.5-Max auth tries reached - user 'root' from 203.0.113.9:22'
        2 dropbear[102]: [5] Nov 30 10:00:03 [6] Nov 30 10:00:03 Bad password attempt for 'root' from 203.0.113.9:1
        3 sudo[103]: mallory : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=@cee:{"sudo":{"accept":{"submituser":"alice"}}}
        4 sudo[104]: mallory : user NOT in sudoers ; PWD=/ ; USER=root ; COMMAND=/bin/x alice : TTY=pts/0 ; PWD=/ ; COMMAND=/bin/id
        5 login[105]: FAILED LOGIN (1) on '/dev/pts/0' from '192.0.2.7' FOR 'x' on 'tty1' from '203.0.113.9' FOR 'root', Authentication failure
        6 su[106]: BAD SU mallory to root on /dev/pts/9 on /dev/pts/0
        7 su[107]: - pts/0 mallory:x by alice
        """,
        """
        failure dropbear password root 192.0.2.7 x3
        probe dropbear protocol
        escalation-failure sudo mallory root
        escalation-failure sudo mallory root
        failure login password x' on 'tty1' from '203.0.113.9' FOR 'root 192.0.2.7
        escalation-failure su mallory root on /dev/pts/9
        escalation-failure su mallory x by alice
        """,
    ),
    Case(
        "busybox su has a line, and no PAM",
        """
        0 su: + /dev/pts/0 alice:root
        10 su: - pts/0 alice:root
        """,
        """
        escalation su alice root
        escalation-failure su alice root
        """,
    ),
    Case(
        "shadow's su says it in two forms, and PAM too",
        """
        0 su[100]: Successful su for root by alice
        0 su[100]: + /dev/pts/0 alice:root
        0 su[100]: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        9 su[101]: pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        11 su[101]: pam_authenticate: Authentication failure
        11 su[101]: FAILED su for root by alice
        11 su[101]: - /dev/pts/0 alice:root
        """,
        """
        escalation su alice root
        escalation-failure su alice root
        """,
    ),
    Case(
        "a hyphen between two names that have some: whose they are cannot be told",
        """
        0 su: + pts/0 alice-root
        1 su: + pts/0 www-data-root
        2 su: Successful su for root by www-data
        2 su: + pts/0 www-data-root
        """,
        """
        escalation su alice root
        escalation su
        escalation su www-data root
        """,
    ),
    Case(
        "two in a second are two, and another's of the same moment too",
        """
        0 su: + pts/0 alice:root
        0 su: + pts/0 alice:root
        1 su[100]: Successful su for root by alice
        1 su[101]: + pts/0 bob:root
        """,
        """
        escalation su alice root
        escalation su alice root
        escalation su alice root
        escalation su bob root
        """,
    ),
    Case(
        "busybox login with PAM knows no name, and is one failure",
        """
        0 login[100]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=pts/0 ruser= rhost=192.0.2.7  user=alice
        0 login[100]: pam_authenticate call failed: Authentication failure (7)
        3 login[100]: invalid password for 'UNKNOWN' on 'pts/0' from '192.0.2.7'
        """,
        "failure login password 192.0.2.7",
    ),
    Case(
        "shadow's login, its PAM's lines and its session",
        """
        0 login[100]: pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        3 login[100]: FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
        9 login[100]: pam_unix(login:session): session opened for user alice(uid=1000) by LOGIN(uid=0)
        9 login[100]: 'alice' logged in  on 'tty1'
        """,
        """
        failure login password alice
        session-opened login alice
        success login password alice
        """,
    ),
    Case(
        "su-rs, which has no line of its own",
        """
        0 su-rs[571]: pam_unix(su:session): session opened for user alice(uid=1000) by (uid=0)
        9 su-rs[571]: pam_unix(su:session): session closed for user alice
        """,
        "escalation su alice",
    ),
    Case(
        "su's own line behind PAM's",
        """
        0 su: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        0 su: (to root) alice on pts/0
        """,
        "escalation su alice root",
    ),
    Case(
        "two at once",
        """
        0 sudo:    alice : PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        0 sudo:      bob : PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1001)
        """,
        """
        escalation sudo alice root
        escalation sudo bob root
        """,
    ),
    Case(
        "PAM's lines alone: sudo was told not to log, and two escalate at once",
        """
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by bob(uid=1001)
        """,
        """
        escalation sudo alice root
        escalation sudo bob root
        """,
    ),
    Case(
        "PAM's line of somebody else's process stands between two lines of alice's",
        """
        0 su[100]: (to root) alice on pts/0
        0 su[200]: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1001)
        1 su[100]: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        20 sshd[300]: Accepted password for bob from 192.0.2.9 port 38926 ssh2
        """,
        """
        escalation su alice root
        escalation su bob root
        success password bob 192.0.2.9
        """,
    ),
    Case(
        "a line of PAM that stands for none of those that are there",
        """
        0 su[100]: (to root) alice on pts/0
        0 su[200]: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation su alice root
        escalation su alice root
        """,
    ),
    Case(
        "doas twice, PAM's line first each time, and once more of which its own line is not there",
        """
        0 doas[100]: pam_unix(doas:session): session opened for user root(uid=0) by alice(uid=1000)
        0 doas[101]: alice ran command id as root from /home/alice
        1 doas[110]: pam_unix(doas:session): session opened for user root(uid=0) by alice(uid=1000)
        1 doas[111]: alice ran command id as root from /home/alice
        2 doas[120]: pam_unix(doas:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation doas alice root
        escalation doas alice root
        escalation doas alice root
        """,
    ),
    Case(
        "refusals of two processes, of which one has its own line",
        """
        0 su[100]: pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        0 su[200]: pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/1 ruser=alice rhost=  user=root
        2 su[100]: FAILED SU (to root) alice on pts/0
        """,
        """
        escalation-failure su alice root
        escalation-failure su alice root
        """,
    ),
    Case(
        "PAM's line decides after ten seconds; what then follows is another escalation",
        """
        0 su: pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)
        9 sshd[200]: Accepted password for bob from 192.0.2.9 port 38926 ssh2
        10 su: (to root) alice on pts/0
        """,
        """
        success password bob 192.0.2.9
        escalation su alice root
        escalation su alice root
        """,
    ),
    Case(
        "a password mistyped once, then right long after: one of each",
        """
        0 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        50 sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        50 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation-failure sudo alice
        escalation sudo alice root
        """,
    ),
    Case(
        "three wrong passwords are one refusal",
        """
        0 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        9 sudo:    alice : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        "escalation-failure sudo alice root",
    ),
    Case(
        "su refused",
        """
        0 su: pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        2 su: FAILED SU (to root) alice on pts/0
        """,
        "escalation-failure su alice root",
    ),
    Case(
        "su refused, and only PAM says so here",
        """
        0 su[100]: pam_unix(su:auth): authentication failure; logname=alice uid=1000 euid=0 tty=pts/0 ruser=alice rhost=  user=root
        """,
        "escalation-failure su alice root",
    ),
    Case(
        "su and sudo at once, of which one has PAM's line alone",
        """
        0 su: (to root) alice on pts/0
        0 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by alice(uid=1000)
        """,
        """
        escalation su alice root
        escalation sudo alice root
        """,
    ),
    Case(
        "to another user",
        """
        0 su: (to root) alice on pts/0
        0 su: pam_unix(su:session): session opened for user bob(uid=1001) by alice(uid=1000)
        """,
        """
        escalation su alice root
        escalation su alice bob
        """,
    ),
    Case(
        "a refusal is not the end of another's waiting",
        """
        0 su: pam_unix(su:session): session opened for user root(uid=0) by bob(uid=1001)
        1 su: FAILED SU (to root) alice on pts/0
        """,
        """
        escalation-failure su alice root
        escalation su bob root
        """,
    ),
    Case(
        "another's refusal is not this one",
        """
        0 sudo: pam_unix(sudo:auth): authentication failure; logname=alice uid=1000 euid=0 tty=/dev/pts/0 ruser=alice rhost=  user=alice
        1 sudo:      bob : PWD=/ ; USER=root ; COMMAND=/usr/bin/id
        """,
        """
        escalation sudo bob root
        escalation-failure sudo alice
        """,
    ),
    Case(
        "a pid that comes again after more than ten minutes is another connection's",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2
        700 sshd[100]: Connection closed by authenticating user root 192.0.2.8 port 40000 [preauth]
        """,
        """
        failure password root 192.0.2.7
        probe closed root 192.0.2.8
        """,
    ),
    # A pid that is another process's
    Case(
        "a pid is given again right after a login: the new process's probe is one",
        """
        0 sshd[100]: Accepted password for alice from 192.0.2.7 port 1 ssh2
        0 sshd[100]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)
        1 sshd[100]: pam_unix(sshd:session): session closed for user alice
        2 sshd[100]: Connection closed by authenticating user root 192.0.2.9 port 2 [preauth]
        3 sshd[100]: Received disconnect from 192.0.2.9 port 2:11: Bye Bye [preauth]
        """,
        """
        success password alice 192.0.2.7
        session-opened alice
        session-closed alice
        probe closed root 192.0.2.9
        """,
    ),
    Case(
        "and after a refusal; what the new one is refused is its own",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 1 ssh2
        0 sshd[100]: Connection closed by authenticating user root 192.0.2.7 port 1 [preauth]
        2 sshd[100]: Invalid user bob from 192.0.2.7 port 2
        3 sshd[100]: Connection reset by invalid user bob 192.0.2.7 port 2 [preauth]
        4 sshd[100]: Failed publickey for root from 192.0.2.7 port 3 ssh2: RSA SHA256:abc
        5 sshd[100]: Disconnecting authenticating user root 192.0.2.7 port 3: Too many authentication failures [preauth]
        """,
        """
        failure password root 192.0.2.7
        probe reset bob 192.0.2.7
        probe other root 192.0.2.7
        """,
    ),
    Case(
        "an attempt that is open is none of the next process's",
        """
        0 sshd[100]: Invalid user bob from 192.0.2.7 port 1
        2 sshd[100]: Failed password for root from 192.0.2.9 port 2 ssh2
        """,
        """
        probe other bob 192.0.2.7
        failure password root 192.0.2.9
        """,
    ),
    Case(
        "a peer that is gone has no place, and a client's farewell may name any",
        """
        0 sshd[100]: Failed password for root from 192.0.2.7 port 1 ssh2
        1 sshd[100]: Connection closed by UNKNOWN port 65535 [preauth]
        2 sshd[200]: Failed password for root from 192.0.2.7 port 3 ssh2
        3 sshd[200]: Received disconnect from 192.0.2.7 port 3:11: x from 192.0.2.9 port 4 [preauth]
        """,
        """
        failure password root 192.0.2.7
        failure password root 192.0.2.7
        """,
    ),
    Case(
        "without a pid one address's connections are not told apart",
        """
        0 sshd: Failed password for root from 192.0.2.7 port 1 ssh2
        1 sshd: Failed password for root from 192.0.2.7 port 2 ssh2
        2 sshd: Connection closed by authenticating user root 192.0.2.7 port 1 [preauth]
        2 sshd: Connection closed by authenticating user root 192.0.2.7 port 2 [preauth]
        """,
        """
        failure password root 192.0.2.7
        failure password root 192.0.2.7
        """,
    ),
    Case(
        "dropbear's too",
        """
        0 dropbear[100]: Password auth succeeded for 'alice' from 192.0.2.7:1
        9 dropbear[100]: Exit before auth from <192.0.2.9:2>: Exited normally
        """,
        """
        success dropbear password alice 192.0.2.7
        probe dropbear closed 192.0.2.9
        """,
    ),
    # Others
    Case(
        "login says it itself beside PAM",
        """
        0 login[100]: pam_unix(login:auth): authentication failure; logname=LOGIN uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        2 login[100]: FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
        """,
        "failure login password alice",
    ),
    Case(
        "shadow's login until it gives up, as Debian 12 logs it: one for each refusal",
        """
        0 login[100]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=  user=root
        4 login[100]: FAILED LOGIN (1) on '/dev/pts/0' FOR 'root', Authentication failure
        5 login[100]: pam_unix(login:auth): check pass; user unknown
        5 login[100]: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=
        7 login[100]: FAILED LOGIN (2) on '/dev/pts/0' FOR 'UNKNOWN', Authentication failure
        11 login[100]: FAILED LOGIN (3) on '/dev/pts/0' FOR 'root', Authentication failure
        11 login[100]: TOO MANY LOGIN TRIES (3) on '/dev/pts/0' FOR 'root'
        11 login[100]: pam_unix(login:session): session closed for user root
        11 login[100]: PAM 1 more authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=  user=root
        """,
        """
        failure login password root
        failure login password
        failure login password root
        session-closed login root
        """,
    ),
    Case(
        "util-linux's login likewise, which Debian 13 logs without a pid",
        """
        0 login: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=  user=root
        3 login: FAILED LOGIN 1 FROM pts/0 FOR root, Authentication failure
        3 login: pam_unix(login:auth): check pass; user unknown
        3 login: pam_unix(login:auth): authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=
        7 login: FAILED LOGIN 2 FROM pts/0 FOR bob, Authentication failure
        11 login: FAILED LOGIN SESSION FROM pts/0 FOR root, Authentication failure
        11 login: PAM 1 more authentication failure; logname= uid=0 euid=0 tty=/dev/pts/0 ruser= rhost=  user=root
        11 login: PAM service(login) ignoring max retries; 5 > 3
        """,
        """
        failure login password root
        failure login password bob
        failure login password root
        """,
    ),
    Case(
        "a display manager says it through PAM alone",
        """
        0 gdm-password][100]: pam_unix(gdm-password:auth): authentication failure; logname=alice uid=0 euid=0 tty=/dev/tty1 ruser= rhost=  user=alice
        """,
        "failure gdm pam alice",
    ),
    Case(
        "dropbear: an unknown name is a failure, at once where the line has the address",
        """
        0 dropbear[100]: Login attempt for nonexistent user from 192.0.2.7:4242
        3 dropbear[100]: Exit before auth from <192.0.2.7:4242>: Exited normally
        """,
        "failure dropbear other 192.0.2.7",
    ),
    Case(
        "an old dropbear says so of every attempt",
        """
        0 dropbear[100]: login attempt for nonexistent user from 192.0.2.7:4242
        2 dropbear[100]: login attempt for nonexistent user from 192.0.2.7:4242
        3 dropbear[100]: exit before auth: Disconnect received
        """,
        """
        failure dropbear other 192.0.2.7
        failure dropbear other 192.0.2.7
        """,
    ),
    Case(
        "dropbear from 2020.79 to 2024.85: the end has the address of an unknown name",
        """
        0 dropbear[100]: Login attempt for nonexistent user
        3 dropbear[100]: Exit before auth from <192.0.2.7:4242>: Exited normally
        """,
        "failure dropbear other 192.0.2.7",
    ),
    Case(
        "dropbear before 2020: the connection's first line has the address",
        """
        0 dropbear[100]: Child connection from 192.0.2.7:4242
        3 dropbear[100]: Exit before auth: Exited normally
        """,
        "probe dropbear closed 192.0.2.7",
    ),
    Case(
        "dropbear: three wrong passwords have a line each, and the end counts them",
        """
        0 dropbear[100]: Child connection from 192.0.2.7:4242
        1 dropbear[100]: Bad password attempt for 'root' from 192.0.2.7:4242
        2 dropbear[100]: Bad password attempt for 'root' from 192.0.2.7:4242
        3 dropbear[100]: Bad password attempt for 'root' from 192.0.2.7:4242
        3 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'root', 3 fails): Exited normally
        """,
        """
        failure dropbear password root 192.0.2.7
        failure dropbear password root 192.0.2.7
        failure dropbear password root 192.0.2.7
        """,
    ),
    Case(
        "dropbear with passwords turned off has no line for each, but counts them",
        """
        0 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'root', 3 fails): Exited normally
        """,
        "failure dropbear password root 192.0.2.7 x3",
    ),
    Case(
        "dropbear counts no refused keys: a client without a password is a probe",
        """
        0 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'root', 0 fails): Exited normally
        """,
        "probe dropbear closed root 192.0.2.7",
    ),
    Case(
        "dropbear: a key that is not the client's is refused as a key, though it is counted",
        """
        0 dropbear[100]: Pubkey auth bad signature for 'alice' with key SHA256:abc from 192.0.2.7:4242
        1 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'alice', 1 fails): Exited normally
        """,
        "probe dropbear closed alice 192.0.2.7",
    ),
    Case(
        "dropbear: of an account that may not log in each password counts, at the end",
        """
        0 dropbear[100]: User 'bob' has invalid shell, rejected
        9 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'bob', 2 fails): Exited normally
        10 dropbear[101]: root login rejected
        19 dropbear[101]: Exit before auth from <192.0.2.7:4243>: (user 'root', 1 fails): Exited normally
        """,
        """
        failure dropbear password bob 192.0.2.7 x2
        failure dropbear password root 192.0.2.7
        """,
    ),
    Case(
        "dropbear: who may not log in and tries no password is a probe",
        """
        0 dropbear[100]: User 'bob' has invalid shell, rejected
        1 dropbear[100]: Exit before auth from <192.0.2.7:4242>: (user 'bob', 0 fails): Exited normally
        """,
        "probe dropbear closed bob 192.0.2.7",
    ),
    Case(
        "dropbear: the log ends before the connection does, whose first line has the address",
        """
        0 dropbear[100]: Child connection from 192.0.2.7:4242
        1 dropbear[100]: User 'bob' has invalid shell, rejected
        """,
        "failure dropbear password bob 192.0.2.7",
    ),
    Case(
        "dropbear: a locked account's password, then its key",
        """
        0 dropbear[100]: User account 'alice' is locked
        1 dropbear[100]: Pubkey auth succeeded for 'alice' with ssh-ed25519 key SHA256:abc from 192.0.2.7:4242
        """,
        """
        failure dropbear password alice 192.0.2.7
        success dropbear publickey alice 192.0.2.7
        """,
    ),
    Case(
        "dropbear with PAM says twice that a name is unknown",
        """
        0 dropbear[100]: Login attempt for nonexistent user from 192.0.2.7:4242
        0 dropbear[100]: pam_authenticate() failed, rc=10, User not known to the underlying authentication module
        0 dropbear[100]: Bad PAM password attempt for '<invalid username>' from 192.0.2.7:4242
        3 dropbear[100]: Bad PAM password attempt for '<invalid username>' from 192.0.2.7:4242
        4 dropbear[100]: Exit before auth from <192.0.2.7:4242>: Exited normally
        """,
        """
        failure dropbear other 192.0.2.7
        failure dropbear pam 192.0.2.7
        """,
    ),
    Case(
        "dropbear that stamps its own lines: its processes are told apart by their own number",
        """
        0 dropbear[825]: [900] Nov 30 10:00:00 User 'bob' has invalid shell, rejected
        0 dropbear[825]: [901] Nov 30 10:00:00 Login attempt for nonexistent user
        1 dropbear[825]: [901] Nov 30 10:00:01 Exit before auth from <192.0.2.8:4242>: Exited normally
        2 dropbear[825]: [900] Nov  3 10:00:02 Exit before auth from <192.0.2.7:4242>: (user 'bob', 1 fails): Exited normally
        """,
        """
        failure dropbear other 192.0.2.8
        failure dropbear password bob 192.0.2.7
        """,
    ),
    Case(
        "cron and the user's manager are no events",
        """
        0 CRON[100]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
        0 systemd[101]: pam_unix(systemd-user:session): session opened for user alice(uid=1000) by (uid=0)
        1 su: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)
        """,
        "",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_what_lines_mean_together(case: Case) -> None:
    assert read(case.log()) == case.expected()


def test_events_come_with_the_time_and_line_that_decided() -> None:
    lines = [
        "0 sshd[100]: Invalid user admin from 192.0.2.7 port 38926",
        "3 sshd[100]: Connection closed by invalid user admin 192.0.2.7 port 38926 [preauth]",
    ]
    (event,) = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert (event["time"], event["line"]) == (START + 3.0, 2)


def test_a_repetition_is_an_event_of_its_own_line() -> None:
    lines = [
        "0 sshd[100]: Failed password for root from 192.0.2.7 port 38926 ssh2",
        "5 last message repeated 2 times",
    ]
    events = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert [event["line"] for event in events] == [1, 2]


def test_the_end_of_a_connection_decides_at_once() -> None:
    """It does not wait for ten minutes of silence."""
    pairing = Pairing()
    lines = [
        "0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2",
        "20 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7",
        "21 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 38926 [preauth]",
    ]
    found = Reader(pairing, Stamps(START, utc_time)).read_block(log_of(lines))
    assert [event.said.method for event in found] == ["password", "pam"]
    assert pairing.finish() == []


@pytest.mark.parametrize(
    ("first", "end", "port", "host"),
    [
        ("from 192.0.2.7 port 38926", "fatal: something went wrong [preauth]", 38926, ""),
        ("from 192.0.2.7", "Connection closed by 192.0.2.7 port 38926", 38926, ""),
        ("from client.example.org port 1", "fatal: something went wrong [preauth]", 1,
         "client.example.org"),
    ],
)  # fmt: skip
def test_a_probe_says_what_both_lines_know(first: str, end: str, port: int, host: str) -> None:
    lines = [f"0 sshd[100]: Invalid user admin {first}", f"1 sshd[100]: {end}"]
    (event,) = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert event["event"] == "probe"
    assert (event["user"], event["account"]) == ("admin", "invalid")
    assert (event.get("port"), event.get("host")) == (port, host)


def test_a_refusal_by_name_keeps_the_name() -> None:
    lines = [
        "0 sshd[100]: error: PAM: Authentication failure for alice from client.example.org",
        "1 sshd[100]: Connection closed by authenticating user alice 192.0.2.7 port 2 [preauth]",
    ]
    (event,) = read_log(io.BytesIO(log_of(lines)), False, START + 86_400.0)
    assert (event["time"], event["ip"], event["host"]) == (START, "192.0.2.7", "client.example.org")


def test_refusals_that_wait_for_an_address_do_not_grow() -> None:
    pairing = Pairing()
    reader = Reader(pairing, Stamps(START, utc_time))
    refused = "5 sshd[100]: error: PAM: Authentication failure for alice from client.example.org"
    count = 100
    found = list(reader.read_block(log_of([refused] * count)))
    ((_, memory),) = pairing.attempts.items()
    assert len(memory.held) <= MAX_WAITING + 1
    assert len(found) + len(pairing.finish()) == count


def test_of_a_program_with_many_connections_no_other_line_has_the_address() -> None:
    """A host is another process's only where sshd says it, which has one for each connection."""
    refused = Finding(
        "PAM failure", "xrdp", "pam", "alice", "valid", "", "client", 0, 1, "", "", "", 0
    )
    other = refused._replace(event="success", ip="192.0.2.7", host="", user="bob")
    pairing = Pairing()
    found = [
        *pairing.take(AuthEvent(START, 9, 1, refused)),
        *pairing.take(AuthEvent(START + 5, 9, 2, other)),
    ]
    assert [(one.said.user, one.said.ip) for one in found] == [("alice", ""), ("bob", "192.0.2.7")]


def test_of_too_many_pids_the_oldest_are_decided() -> None:
    """10,000 are remembered, so that a scan of a million addresses needs no more memory."""
    pairing = Pairing()
    reader = Reader(pairing, Stamps(START, utc_time))
    count = MAX_REMEMBERED + FORGOTTEN_AT_ONCE
    lines = [f"0 sshd[{pid}]: Invalid user a from 192.0.2.7 port 1" for pid in range(1, count + 1)]
    assert list(reader.read_block(log_of(lines[:-1]))) == []
    found = list(reader.read_block(log_of(lines[-1:])))
    assert {event.said.event for event in found} == {"probe"}
    assert [event.pid for event in found] == list(range(1, FORGOTTEN_AT_ONCE + 1))
    assert len(pairing.finish()) == MAX_REMEMBERED


def test_what_is_remembered_of_a_process_does_not_grow() -> None:
    pairing = Pairing()
    reader = Reader(pairing, Stamps(START, utc_time))
    failed = "0 sshd[100]: Failed password for alice from 192.0.2.7 port 38926 ssh2"
    refused = "5 sshd[100]: error: PAM: Authentication failure for alice from 192.0.2.7"
    assert len(list(reader.read_block(log_of([failed] * 100 + [refused] * 100)))) == 199
    ((_, memory),) = pairing.attempts.items()
    assert (len(memory.said), len(memory.held)) == (1, 1)
    assert len(pairing.finish()) == 1


@pytest.mark.parametrize(
    "message",
    [
        "pam_unix(su:session): session opened for user root(uid=0) by alice(uid=1000)",
        "(to root) alice on pts/0",
    ],
)
def test_of_too_many_escalations_none_is_lost(message: str) -> None:
    assert read([f"0 su: {message}"] * 2_000) == ["escalation su alice root"] * 2_000


# Runs


@pytest.mark.parametrize(
    ("line", "users", "why"),
    [
        ("0 sudo[{0}]: u{0} : PWD=/x ; USER=root ; COMMAND=/bin/id", 500, "may go on"),
        ("0 sudo[{0}]: u{0} : PWD=/x", 500, "goes on"),
        ("0 sudo[{0}]: u{0} : no tty ; PWD=/x", 500, "a refusal that goes on"),
        ("0 sudo[{0}]: pam_unix(sudo:session): session opened for user root by u{0}(uid=1)", 500,
         "PAM's, before sudo-rs'"),
        ("0 doas[{0}]: pam_unix(doas:session): session opened for user root by u{0}(uid=1)", 500,
         "PAM's, before doas'"),
    ],
)  # fmt: skip
def test_what_waits_is_bounded_and_all_of_it_counts(line: str, users: int, why: str) -> None:
    pairing = Pairing()
    reader = Reader(pairing, Stamps(START, utc_time))
    found = list(reader.read_block(log_of([line.format(number) for number in range(1, users + 1)])))
    waiting = [event for event in pairing.held if event.said.event in WAITING]
    assert 0 < len(waiting) <= MAX_HELD
    assert len({event.said.user for event in found + pairing.finish()}) == users


def decided(events: list[AuthEvent]) -> list[tuple[float, str]]:
    return sorted((event.time, brief(as_dict(event))) for event in events)


def in_runs(logs: list[tuple[bytes, float]]) -> list[tuple[float, str]]:
    """Return the events of a log read in several runs, each at a time, and of its end."""
    state = AuthMemory()
    found: list[AuthEvent] = []
    for data, now in logs:
        pairing = Pairing(state.remembered, state.held, state.last)
        reader = Reader(pairing, Stamps(START + 200_000.0, utc_time))
        found += reader.read_block(data)
        found += pairing.expire(now)
        after = state._replace(
            remembered=tuple(pairing.attempts.items()),
            held=pairing.held,
            last=pairing.last,
        )
        state = parse_durable(format_durable(Durable(Counts(), after))).auth
        assert state == after
    return decided(found + Pairing(state.remembered, state.held, state.last).finish())


def seconds_of(line: str) -> int:
    return int(line.partition(" ")[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_a_log_cut_anywhere_has_the_same_events(case: Case) -> None:
    """A run may look at any instant, with or without time going by until the next line."""
    lines = case.log()
    expected = in_runs([(log_of(lines), 0.0)])
    assert sorted(what for _, what in expected) == sorted(case.expected())
    for cut in range(len(lines) + 1):
        now = float(START + (seconds_of(lines[cut - 1]) if cut else 0))
        assert in_runs([(log_of(lines[:cut]), now), (log_of(lines[cut:]), now)]) == expected


@st.composite
def mingled(draw: st.DrawFn) -> list[str]:
    """Draw a log: cases that begin at any time, with pids of their own, their lines mingled."""
    lines: list[tuple[int, int, str]] = []
    cases = draw(st.lists(st.sampled_from([c for c in CASES if "set back" not in c.why]),
                          min_size=1, max_size=6))  # fmt: skip
    for number, case in enumerate(cases):
        begin = draw(st.integers(0, 30))
        for line in case.log():
            # sudo's lines have no pid, and a repetition is of the line before.
            if "]:" in line and "last message" not in line:
                seconds, _, rest = line.partition(" ")
                for pid in ("100", "101", "200", "300"):
                    rest = rest.replace(f"[{pid}]", f"[{number}{pid}]")
                    rest = rest.replace(f"pid = {pid}", f"pid = {number}{pid}")
                lines.append((begin + int(seconds), len(lines), rest))
    return [f"{seconds} {rest}" for seconds, _, rest in sorted(lines)]


@settings(max_examples=200)
@given(mingled(), st.lists(st.integers(0, 60), max_size=3))
def test_any_log_cut_anywhere_has_the_same_events(lines: list[str], cuts: list[int]) -> None:
    expected = in_runs([(log_of(lines), 0.0)])
    places = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    logs = []
    for first, last in zip(places, places[1:]):
        logs.append(
            (log_of(lines[first:last]), float(START + (seconds_of(lines[last - 1]) if last else 0)))
        )
    assert in_runs(logs) == expected


@pytest.mark.parametrize("scans", [1, 7])
def test_what_is_held_of_all_processes_has_a_bound_and_none_is_lost(scans: int) -> None:
    """In a file anybody may write seventeen refusals of ten thousand processes, all undecided."""
    said = finding(PAM_FAILURE, "sshd", user="root", host="gate.example")
    lines = [AuthEvent(START, pid, 0, said) for pid in range(4_000) for _ in range(MAX_WAITING + 1)]
    kept = attempts.Attempts()
    decided = most = 0
    for scan in range(scans):
        kept = attempts.Attempts(kept.items())
        for line in lines[scan::scans]:
            decided += len(kept.take(line))
        held = sum(len(memory.held) for _, memory in kept.items())
        most = max(most, held)
    assert most <= 2 * attempts.MAX_HELD
    assert decided + held == len(lines)
