"""sshd of OpenSSH 6 to 10 (its auth.c, auth2.c, monitor.c, packet.c, sshd.c).

A client chooses the user name and may write a whole message into it. So patterns are
anchored at both ends and take the address from where sshd puts it: the last one where the
line ends behind it, the first one where free text follows (then the name is an account's).
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    END,
    FAILURE,
    INVALID,
    NOTHING,
    PAM_FAILURE,
    PEER,
    PROBE,
    SUCCESS,
    Finding,
    Pattern,
    address,
    forms,
    irrelevant,
    name,
    number,
)
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

# The label `method` of what sshd writes; others are `other`.
METHODS = {
    b"password": "password",
    b"publickey": "publickey",
    b"keyboard-interactive": "keyboard-interactive",
    b"keyboard-interactive/pam": "keyboard-interactive",
    b"challenge-response": "keyboard-interactive",
    b"challenge-response/pam": "keyboard-interactive",
    b"gssapi-with-mic": "gssapi",
    b"gssapi-keyex": "gssapi",
    b"gssapi": "gssapi",
    b"hostbased": "hostbased",
    b"none": "none",
}
_ACCOUNTS = {None: "", b"invalid": "invalid", b"authenticating": "valid"}


def _accepted(match: Match[bytes]) -> Finding:
    method, user, where, port = match.groups()
    ip, host = address(where)
    how = METHODS.get(method, "other")
    return Finding(SUCCESS, "sshd", how, name(user), "valid", ip, host, int(port), 1, "", "", "", 0)


def _failed(match: Match[bytes]) -> Finding:
    method, invalid, user, where, port = match.groups()
    ip, host = address(where)
    account = "invalid" if invalid else "valid"
    how = METHODS.get(method, "other")
    return Finding(FAILURE, "sshd", how, name(user), account, ip, host, int(port), 1, "", "", "", 0)


def _invalid(match: Match[bytes]) -> Finding:
    user, where, port = match.groups()
    ip, host = address(where)
    fields = (INVALID, "sshd", "", name(user), "invalid", ip, host, number(port), 1, "", "", "", 0)
    return quick(Finding, fields)


def _pam(match: Match[bytes]) -> Finding:
    invalid, user, where = match.groups()
    ip, host = address(where)
    account = "invalid" if invalid else "valid"
    return Finding(PAM_FAILURE, "sshd", "pam", name(user), account, ip, host, 0, 1, "", "", "", 0)


def _end(kind: str) -> Callable[[Match[bytes]], Finding]:
    """Return what makes the end of a connection of a match that may name the peer and user."""

    def make(match: Match[bytes]) -> Finding:
        said = match.groupdict()
        ip, host = address(said.get("address"))
        account = _ACCOUNTS[said.get("account")]
        user, port, pid = name(said.get("user")), number(said.get("port")), number(said.get("pid"))
        return Finding(END, "sshd", "", user, account, ip, host, port, 1, "", "", kind, pid)

    return make


def _end_by_peer(match: Match[bytes]) -> Finding:
    word, account, user, where, port = match.groups()
    ip, host = address(where)
    kind = "reset" if word == b"reset" else "closed"
    of = _ACCOUNTS[account]
    fields = END, "sshd", "", name(user), of, ip, host, number(port), 1, "", "", kind, 0
    return quick(Finding, fields)


def _peer(match: Match[bytes]) -> Finding:
    ip, host = address(match["address"])
    fields = PEER, "sshd", "", "", "", ip, host, int(match["port"]), 1, "", "", "", 0
    return quick(Finding, fields) if ip else NOTHING


def _refused(kind: str) -> Callable[[Match[bytes]], Finding]:
    """Return what makes a probe: the listener itself turned a connection away."""

    def make(match: Match[bytes]) -> Finding:
        ip, host = address(match["address"])
        port = number(match.groupdict().get("port"))
        return Finding(PROBE, "sshd", "", "", "", ip, host, port, 1, "", "", kind, 0)

    return make


# Beside the patterns stand finders for the most frequent messages, in which a name is a plain
# word and the peer an address: they say what the patterns do, without `re`, at a third of
# the cost. What is not plain is the patterns' business.
_PREAUTH_END = b" [preauth]"
_PLAIN_METHODS = {b"password": "password", b"keyboard-interactive/pam": "keyboard-interactive"}


def _plain(
    event: str, how: str, user: bytes, account: str, where: bytes, port: bytes, kind: str = ""
) -> Finding | None:
    ip = address(where)[0]
    if not ip or not port.isdigit() or len(port) > 5:
        return None
    said = event, "sshd", how, name(user), account, ip, "", int(port), 1, "", "", kind, 0
    return quick(Finding, said)


def _plain_accepted(message: bytes) -> Finding | None:
    words = message.split(b" ", 9)
    if len(words) < 9:
        return None
    method, user, where, port = words[1], words[3], words[5], words[7]
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    if method == b"publickey":
        return (
            _plain(SUCCESS, "publickey", user, "valid", where, port)
            if words[8] == b"ssh2:" and len(words) == 10
            else None
        )
    if method not in _PLAIN_METHODS or words[8:] != [b"ssh2"]:
        return None
    return _plain(SUCCESS, _PLAIN_METHODS[method], user, "valid", where, port)


def _plain_failed(message: bytes) -> Finding | None:
    words = message.split(b" ")
    account = "valid"
    if len(words) == 11 and words[3] == b"invalid" and words[4] == b"user":
        del words[3:5]
        account = "invalid"
    if len(words) != 9 or words[1] not in _PLAIN_METHODS or words[8] != b"ssh2":
        return None
    if words[2] != b"for" or words[4] != b"from" or words[6] != b"port":
        return None
    return _plain(FAILURE, _PLAIN_METHODS[words[1]], words[3], account, words[5], words[7])


def _plain_invalid(message: bytes) -> Finding | None:
    words = message.split(b" ")
    if len(words) != 7 or words[1] != b"user" or words[3] != b"from" or words[5] != b"port":
        return None
    return _plain(INVALID, "", words[2], "invalid", words[4], words[6])


def _plain_connection(message: bytes) -> Finding | None:
    if message.startswith(b"Connection from "):
        words = message.split(b" ", 6)
        if len(words) < 6 or words[3] != b"port" or words[5] != b"on":
            return None
        return _plain(PEER, "", b"", "", words[2], words[4])
    if not message.startswith((b"Connection closed by ", b"Connection reset by ")):
        return None
    return _plain_end(message.split(b" ")[3:], "closed" if message[11:12] == b"c" else "reset")


def _plain_disconnected(message: bytes) -> Finding | None:
    if not message.startswith(b"Disconnected from "):
        return None
    return (
        _plain_end(message.split(b" ")[2:], "closed") if message.endswith(_PREAUTH_END) else NOTHING
    )


def _plain_received(message: bytes) -> Finding | None:
    if not message.startswith(b"Received disconnect from "):
        return None
    if not message.endswith(_PREAUTH_END):
        return NOTHING
    words = message.split(b" ", 6)
    port, _, code = words[5].partition(b":")
    if words[4] != b"port" or not code[:-1].isdigit() or code[-1:] != b":":
        return None
    return _plain(END, "", b"", "", words[3], port, "closed")


def _plain_end(words: list[bytes], kind: str) -> Finding | None:
    """Return the end that ``[authenticating|invalid user NAME] ADDRESS port N [preauth]`` is."""
    user, account = b"", ""
    if len(words) == 7 and words[0] in _ACCOUNTS and words[1] == b"user":
        user, account = words[2], _ACCOUNTS[words[0]]
        del words[:3]
    if len(words) != 4 or words[1] != b"port" or words[3] != b"[preauth]":
        return None
    return _plain(END, "", user, account, words[0], words[2], kind)


_PEER = rb"(?P<address>\S+) port (?P<port>\d{1,5})"
_USER = rb"(?:(?P<account>authenticating|invalid) user (?P<user>.*) )?"
_PREAUTH = rb"(?: \[preauth\])?"
# The one reason for a disconnection in which a client's names stand: (OLD,x) -> (NEW,y).
_CHANGE = rb"Change of username or service not allowed: \("
_BEFORE_CHANGE = rb"(?:(?!: " + _CHANGE + rb").)*"

FORMS = forms(
    (b"Accepted", _plain_accepted),
    (b"Failed", _plain_failed),
    (b"Invalid", _plain_invalid),
    (b"Connection", _plain_connection),
    (b"Disconnected", _plain_disconnected),
    (b"Received", _plain_received),
    # + Accepted password for alice from 192.0.2.7 port 38926 ssh2
    # = sshd success method=password user=alice account=valid ip=192.0.2.7 port=38926
    # + Accepted keyboard-interactive/pam for alice from 2001:db8::7 port 38926 ssh2
    # = sshd success method=keyboard-interactive user=alice account=valid ip=2001:db8::7 port=38926
    # + Accepted password for rootkit from 192.0.2.7 port 38926 ssh2
    # = sshd success method=password user=rootkit account=valid ip=192.0.2.7 port=38926
    # + Accepted keyboard-interactive for alice from 192.0.2.7 port 38926 ssh2
    # + Accepted challenge-response for alice from 192.0.2.7 port 38926 ssh
    # + Accepted challenge-response/pam for alice from 192.0.2.7 port 38926
    # = sshd success method=keyboard-interactive user=alice account=valid ip=192.0.2.7 port=38926
    # + Accepted none for x from 192.0.2.9 port 1 from 192.0.2.7 port 38926 ssh2
    # = sshd success method=none user='x from 192.0.2.9 port 1' account=valid ip=192.0.2.7 port=38926
    # - Accepted password for alice from 192.0.2.7 port 38926 ssh2 from 192.0.2.8
    # - Accepted password for alice from 192.0.2.7 port 389261 ssh2
    # - Accepted password for alice from 192.0.2.7 port x ssh2
    # - Accepted password for alice from 192.0.2.7 192.0.2.8 port 38926 ssh2
    # - Accepted password for alice
    # - Accepted publickey for alice from 192.0.2.7 port 1 ssh2: x from 192.0.2.9 port 1 ssh2
    (
        b"Accepted",
        Pattern(
            rb"Accepted (password|none|keyboard-interactive(?:/\w+)?|challenge-response(?:/\w+)?)"
            rb" for (.*) from (\S+) port (\d{1,5})(?: ssh[12]?)?",
            _accepted,
        ),
    ),
    # Behind `ssh2:` stands free text, of which a certificate's holder chooses some.
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2: ED25519 SHA256:abc
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2: RSA-CERT ID x from 192.0.2.9 port 1 ssh2 (serial 0) CA RSA SHA256:abc
    # = sshd success method=publickey user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted gssapi-with-mic for alice from 192.0.2.7 port 22 ssh2: alice@EXAMPLE.ORG
    # = sshd success method=gssapi user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted hostbased for alice from 192.0.2.7 port 22 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # = sshd success method=hostbased user=alice account=valid ip=192.0.2.7 port=22
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh2
    # + Accepted publickey for alice from 192.0.2.7 port 22 ssh: x from 192.0.2.9 port 1 ssh2: y
    # = sshd success method=publickey user=alice account=valid ip=192.0.2.7 port=22
    # - Accepted publickey for alice from 192.0.2.7 port 22
    # - Accepted publickey for alice from 192.0.2.7 port 221221 ssh2
    # - Accepted publickey for alice from 192.0.2.7 port x ssh2
    # - Accepted publickey x for alice from 192.0.2.7 port 22 ssh2
    # - Accepted publickey for alice from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - accepted publickey for alice from 192.0.2.7 port 22 ssh2
    (
        b"Accepted",
        Pattern(
            rb"Accepted ([\w/-]+) for (.*?) from (\S+) port (\d{1,5}) ssh[12]?(?:: .*)?", _accepted
        ),
    ),
    # + Failed password for root from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password user=root account=valid ip=192.0.2.7 port=38926
    # + Failed password for rootbeer from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password user=rootbeer account=valid ip=192.0.2.7 port=38926
    # + Failed password for invalid user  from 192.0.2.7 port 38926 ssh2
    # = sshd failure method=password account=invalid ip=192.0.2.7 port=38926
    # + Failed password for illegal user guest from ::ffff:192.0.2.7 port 38926
    # = sshd failure method=password user=guest account=invalid ip=192.0.2.7 port=38926
    # + Failed password for invalid user root from 192.0.2.1 port 22 ssh2 from 192.0.2.7 port 1 ssh2
    # = sshd failure method=password user='root from 192.0.2.1 port 22 ssh2' account=invalid ip=192.0.2.7 port=1
    # + Failed keyboard-interactive/pam for alice from host.example port 2 ssh2
    # = sshd failure method=keyboard-interactive user=alice account=valid host=host.example port=2
    # + Failed gssapi-with-mic for alice from 192.0.2.7 port 2 ssh2
    # = sshd failure method=gssapi user=alice account=valid ip=192.0.2.7 port=2
    # + Failed hostbased for invalid user x from 192.0.2.9 port 1 ssh2: y from 192.0.2.7 port 2 ssh
    # = sshd failure method=hostbased user='x from 192.0.2.9 port 1 ssh2: y' account=invalid ip=192.0.2.7 port=2
    # - Failed password for root from 192.0.2.7 port 38926 ssh2: and more
    # - Failed password for root from 192.0.2.7 port x ssh2
    # - Failed password for root from 192.0.2.7 192.0.2.8 port 38926 ssh2
    # - Failed password x for root from 192.0.2.7 port 38926 ssh2
    # - Failed password for root from 192.0.2.7 port 389261 ssh2
    # - Failed password for root
    # - Failed publickey for root from 192.0.2.7 port 22 ssh2
    # - Failed none for root from 192.0.2.7 port 22 ssh2
    (
        b"Failed",
        Pattern(
            rb"Failed (?!publickey |none )([\w/-]+) for ((?:invalid|illegal) user )?(.*)"
            rb" from (\S+) port (\d{1,5})(?: ssh[12]?)?",
            _failed,
        ),
    ),
    # + Failed publickey for root from 192.0.2.7 port 22 ssh2: RSA SHA256:abc
    # + Failed publickey for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 22 ssh2
    # + Failed none for invalid user  from 192.0.2.7 port 22 ssh2
    # = irrelevant
    # - Failed nonesuch for root from 192.0.2.7 port 22 ssh2
    (b"Failed", Pattern(rb"Failed (?:publickey|none) for .*", irrelevant)),
    # + Failed hostbased for alice from 192.0.2.7 port 2 ssh2: RSA SHA256:abc, client user "a", client host "b"
    # = sshd failure method=hostbased user=alice account=valid ip=192.0.2.7 port=2
    # + Failed gssapi-with-mic for alice from 192.0.2.7 port 2 ssh: x for y from 192.0.2.9 port 1 ssh2: z
    # = sshd failure method=gssapi user=alice account=valid ip=192.0.2.7 port=2
    # - Failed hostbased for alice
    # - Failed hostbased for alice from 192.0.2.7 port 221221 ssh2: x
    # - Failed hostbased for alice from 192.0.2.7 port x ssh2: x
    # - Failed hostbased for alice from 192.0.2.7 192.0.2.8 port 2 ssh2: x
    (
        b"Failed",
        Pattern(
            rb"Failed (hostbased|gssapi[\w-]*) for ((?:invalid|illegal) user )?(.*?)"
            rb" from (\S+) port (\d{1,5}) ssh[12]?: .*",
            _failed,
        ),
    ),
    # + Invalid user admin from 192.0.2.7 port 38926
    # = sshd 'invalid user' user=admin account=invalid ip=192.0.2.7 port=38926
    # + Invalid user  from 192.0.2.7
    # = sshd 'invalid user' account=invalid ip=192.0.2.7
    # + Illegal user x from 192.0.2.1 port 22 from 192.0.2.7 port 5
    # + Invalid user x from 192.0.2.1 port 22 from 192.0.2.7 port 5 [preauth]
    # = sshd 'invalid user' user='x from 192.0.2.1 port 22' account=invalid ip=192.0.2.7 port=5
    # - Invalid user admin
    # - Invalid user admin from 192.0.2.7 port 389261
    # - Invalid user admin from 192.0.2.7 port x
    # - Invalid user admin from 192.0.2.7 port 38926 ssh2
    (
        b"Invalid Illegal",
        Pattern(
            rb"(?:Invalid|Illegal) user (.*) from (\S+)(?: port (\d{1,5}))?" + _PREAUTH, _invalid
        ),
    ),
    # + PAM: Authentication failure for root from 192.0.2.7
    # = sshd 'PAM failure' method=pam user=root account=valid ip=192.0.2.7
    # + PAM: User not known to the underlying authentication module for illegal user x from host.example
    # = sshd 'PAM failure' method=pam user=x account=invalid host=host.example
    # + PAM: Authentication failure for illegal user root from 192.0.2.1 from 192.0.2.7
    # = sshd 'PAM failure' method=pam user='root from 192.0.2.1' account=invalid ip=192.0.2.7
    # + PAM: Authentication error for illegal user  from 192.0.2.7 [preauth]
    # = sshd 'PAM failure' method=pam account=invalid ip=192.0.2.7
    # + PAM: Have exhausted maximum number of retries for service for alice from 192.0.2.7
    # + PAM: Permission denied for alice from 192.0.2.7
    # + PAM: User account has expired for alice from 192.0.2.7
    # = sshd 'PAM failure' method=pam user=alice account=valid ip=192.0.2.7
    # + PAM: Authentication failure for invalid user x from 192.0.2.7
    # = sshd 'PAM failure' method=pam user=x account=invalid ip=192.0.2.7
    # - PAM: Authentication failure for root
    # - PAM: Authentication failure for root from 192.0.2.7 192.0.2.8
    (
        b"PAM:",
        Pattern(
            rb"PAM: (?:Authentication failure|Authentication error|User not known to the "
            rb"underlying authentication module|Have exhausted maximum number of retries for "
            rb"service|Permission denied|User account has expired)"
            rb" for ((?:illegal|invalid) user )?(.*) from (\S+)" + _PREAUTH,
            _pam,
        ),
    ),
    # + PAM: pam_open_session(): Authentication failure
    # + PAM 4 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
    # + PAM service(sshd) ignoring max retries; 6 > 3
    # = irrelevant
    # - pam 4 more authentication failures
    # - PAMauthentication
    (b"PAM: PAM", Pattern(rb"PAM[: ].*", irrelevant)),
    # + Connection closed by authenticating user root 192.0.2.7 port 38926 [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=closed
    # + Connection closed by invalid user x 192.0.2.1 port 22 192.0.2.7 port 38926 [preauth]
    # = sshd end user='x 192.0.2.1 port 22' account=invalid ip=192.0.2.7 port=38926 kind=closed
    # + Connection reset by invalid user  192.0.2.7 port 38926 [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=reset
    # + Connection closed by 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # - Connection closed by user alice 192.0.2.7 port 38926
    # - Connection closed by 192.0.2.7 port 38926 and others
    # - Connection closed by 192.0.2.7 port 389261
    # - Connection closed by 192.0.2.7 port x
    (
        b"Connection",
        Pattern(rb"Connection (closed|reset) by " + _USER + _PEER + _PREAUTH, _end_by_peer),
    ),
    # OpenSSH 6 does not tell the port.
    # + Connection closed by 192.0.2.7 [preauth]
    # = sshd end ip=192.0.2.7 kind=closed
    # - Connection closed by 192.0.2.7
    # - Connection closed by authenticating user root [preauth]
    (b"Connection", Pattern(rb"Connection closed by (?P<address>\S+) \[preauth\]", _end("closed"))),
    # + Connection reset by 192.0.2.7 [preauth]
    # = sshd end ip=192.0.2.7 kind=reset
    # - Connection reset by peer
    # - Connection reset by authenticating user root [preauth]
    (b"Connection", Pattern(rb"Connection reset by (?P<address>\S+) \[preauth\]", _end("reset"))),
    # The first line of a connection's process, at LogLevel VERBOSE.
    # + Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22 rdomain ""
    # + Connection from 192.0.2.7 port 38926 on 198.51.100.1 port 22
    # + Connection from 192.0.2.7 port 38926
    # = sshd peer ip=192.0.2.7 port=38926
    # - Connection from 192.0.2.7
    # - Connection from 192.0.2.7 port x
    # - Connection from 192.0.2.7 port 389261 on 198.51.100.1 port 22
    # - Connection from 192.0.2.7 192.0.2.8 port 38926
    # - Connection from 192.0.2.7 port 38926 and others
    (b"Connection", Pattern(rb"Connection from " + _PEER + rb"(?: on .*)?", _peer)),
    # + Connection closed by user alice 192.0.2.7 port 38926
    # + Connection reset by 192.0.2.7
    # = irrelevant
    # - Connection refused
    # - Connection reset by 192.0.2.7 and others
    (
        b"Connection",
        Pattern(
            rb"Connection (?:closed|reset) by (?:user .*|\S+)",
            irrelevant,
        ),
    ),
    # + Disconnected from authenticating user root 192.0.2.7 port 38926 [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from invalid user user bob 192.0.2.7 port 38926 [preauth]
    # = sshd end user='user bob' account=invalid ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from 192.0.2.7 port 38926 [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Disconnected from invalid user  192.0.2.7 port 38926 [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=closed
    # - Disconnected from 192.0.2.7 port 38926
    # - Disconnected from 192.0.2.7 port 389261 [preauth]
    # - Disconnected from 192.0.2.7 port x [preauth]
    # - Disconnected from 192.0.2.7 192.0.2.8 port 38926 [preauth]
    (
        b"Disconnected",
        Pattern(rb"Disconnected from " + _USER + _PEER + rb" \[preauth\]", _end("closed")),
    ),
    # Behind a login, by the user's own process.
    # + Disconnected from user alice 192.0.2.7 port 38926
    # + Disconnected from 192.0.2.7 port 38926
    # = irrelevant
    # - Disconnected
    (b"Disconnected", Pattern(rb"Disconnected from .*", irrelevant)),
    # The text is the client's.
    # + Received disconnect from 192.0.2.7 port 38926:11: Bye Bye [preauth]
    # + Received disconnect from 192.0.2.7 port 38926:11: from 192.0.2.9 port 1:11: x [preauth]
    # + Received disconnect from 192.0.2.7 port 38926:11:  [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Received disconnect from 2001:db8::1: 11: Bye Bye [preauth]
    # = sshd end ip=2001:db8::1 kind=closed
    # - Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
    # - Received disconnect from 192.0.2.7 [preauth]
    # - Received disconnect from 192.0.2.7 port 389261:11: Bye [preauth]
    # - Received disconnect from 192.0.2.7 port x:11: Bye [preauth]
    # - Received disconnect from 192.0.2.7 port 38926:x: Bye [preauth]
    # - Received disconnect from 192.0.2.7 192.0.2.8 port 38926:11: Bye [preauth]
    (
        b"Received",
        Pattern(
            rb"Received disconnect from (?P<address>\S+?)(?: port (?P<port>\d{1,5}):|: )\d+:"
            rb".* \[preauth\]",
            _end("closed"),
        ),
    ),
    # + Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
    # + Received signal 15; terminating.
    # + Received SIGHUP; restarting.
    # = irrelevant
    # - Received
    # - Received nothing
    (b"Received", Pattern(rb"Received (?:disconnect from |signal |SIGHUP).*", irrelevant)),
    # + Disconnecting authenticating user root 192.0.2.7 port 38926: Too many authentication failures [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=other
    # + Disconnecting invalid user x 192.0.2.9 port 1: y 192.0.2.7 port 38926: Too many authentication failures [preauth]
    # = sshd end user='x 192.0.2.9 port 1: y' account=invalid ip=192.0.2.7 port=38926 kind=other
    # + Disconnecting invalid user  192.0.2.7 port 38926: Too many authentication failures [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=other
    # + Disconnecting authenticating user root 192.0.2.7 port 38926: Change of username or service not allowed: (root,ssh-connection) -> (x,ssh-connection) [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=other
    # + Disconnecting 192.0.2.7 port 38926: Packet corrupt [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # - Disconnecting invalid user x 192.0.2.7 port 38926: Change of username or service not allowed: (x,y) -> (z 192.0.2.9 port 1: ,y) [preauth]
    # - Disconnecting invalid user x 192.0.2.9 port 1: Change of username or service not allowed: (x 192.0.2.7 port 38926: Too many authentication failures [preauth]
    # - Disconnecting user alice 192.0.2.7 port 38926: idle [preauth]
    # - Disconnecting 192.0.2.7 port 389261: Packet corrupt [preauth]
    # - Disconnecting 192.0.2.7 port x: Packet corrupt [preauth]
    # - Disconnecting authenticating user root 192.0.2.7 port 38926: Too many authentication failures
    (
        b"Disconnecting",
        Pattern(
            rb"Disconnecting (?:(?P<account>authenticating|invalid) user (?P<user>"
            + _BEFORE_CHANGE
            + rb") )?"
            + _PEER
            + rb": (?:[^:]*|"
            + _CHANGE
            + rb"(?!.* port \d+: ).*) \[preauth\]",
            _end("other"),
        ),
    ),
    # The names before and behind may both look like the peer's place; an earlier line has it.
    # + Disconnecting invalid user x 192.0.2.7 port 38926: Change of username or service not allowed: (x,y) -> (z 192.0.2.9 port 1: ,y) [preauth]
    # = sshd end account=invalid kind=other
    # + Disconnecting authenticating user root 192.0.2.7 port 38926: Change of username or service not allowed: (root,y) -> (z 192.0.2.9 port 1: ,y) [preauth]
    # = sshd end account=valid kind=other
    # - Disconnecting invalid user x 192.0.2.7 port 38926: Too many authentication failures [preauth]
    # - Disconnecting user alice 192.0.2.7 port 38926: Change of username or service not allowed: (x,y) -> (z,y) [preauth]
    # - Disconnecting invalid user x 192.0.2.7 port 38926: Change of username or service not allowed: (x,y) -> (z,y)
    (
        b"Disconnecting",
        Pattern(
            rb"Disconnecting (?P<account>authenticating|invalid) user "
            + _BEFORE_CHANGE
            + rb": "
            + _CHANGE
            + rb".* \[preauth\]",
            _end("other"),
        ),
    ),
    # OpenSSH 6 and 7 do not tell whom.
    # + Disconnecting: Too many authentication failures for root [preauth]
    # = sshd end kind=other
    # - Disconnecting: Too many authentication failures for root
    (b"Disconnecting:", Pattern(rb"Disconnecting: .* \[preauth\]", _end("other"))),
    # + Disconnecting user alice 192.0.2.7 port 38926: idle
    # + Disconnecting: Timeout, client not responding
    # = irrelevant
    # - Disconnecting
    (b"Disconnecting Disconnecting:", Pattern(rb"Disconnecting:? .*", irrelevant)),
    # + Did not receive identification string from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Did not receive identification string from 192.0.2.7
    # = sshd end ip=192.0.2.7 kind=closed
    # - Did not receive identification string
    # - Did not receive identification string from 192.0.2.7 port 389261
    # - Did not receive identification string from 192.0.2.7 port x
    (
        b"Did",
        Pattern(
            rb"Did not receive identification string from (?P<address>\S+)"
            rb"(?: port (?P<port>\d{1,5}))?",
            _end("closed"),
        ),
    ),
    # + Bad protocol version identification 'x from 192.0.2.9 port 1' from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # + Bad protocol version identification '\003' from 192.0.2.7
    # = sshd end ip=192.0.2.7 kind=protocol
    # + Bad remote protocol version identification: ''
    # + Bad remote protocol version identification: 'x' from '
    # = sshd end kind=protocol
    # - Bad protocol version identification
    # - Bad protocol version identification x'
    # - Bad protocol version identification '' from 192.0.2.7 port 389261
    # - Bad protocol version identification '' from 192.0.2.7 port x
    (
        b"Bad",
        Pattern(
            rb"Bad (?:remote )?protocol version identification:? '.*'"
            rb"(?: from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?)?",
            _end("protocol"),
        ),
    ),
    # + Protocol major versions differ for 192.0.2.7 port 38926: SSH-2.0-OpenSSH_7.4 vs. SSH-1.5-x
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # + Protocol major versions differ for 192.0.2.7: SSH-2.0-OpenSSH_6.7 vs. SSH-1.5-x port 1: y
    # = sshd end ip=192.0.2.7 kind=protocol
    # + Protocol major versions differ: 2 vs. 1
    # = sshd end kind=protocol
    # - Protocol error
    # - Protocol major versions differ for 192.0.2.7 port 389261: x
    # - Protocol major versions differ for 192.0.2.7 port x: x
    (
        b"Protocol",
        Pattern(
            rb"Protocol major versions differ"
            rb"(?: for (?P<address>\S+?)(?: port (?P<port>\d{1,5}))?)?: .*",
            _end("protocol"),
        ),
    ),
    # The next line has the address.
    # + kex_exchange_identification: Connection closed by remote host
    # + ssh_exchange_identification: Connection closed by remote host
    # + kex_exchange_identification: Connection closed by remote host [preauth]
    # = sshd end kind=closed
    # - kex_exchange_identification: Connection closed by remote host 192.0.2.7
    (
        b"kex_exchange_identification: ssh_exchange_identification:",
        Pattern(
            rb"(?:kex|ssh)_exchange_identification: Connection closed by remote host" + _PREAUTH,
            _end("closed"),
        ),
    ),
    # + kex_exchange_identification: read: Connection reset by peer
    # + ssh_exchange_identification: write: Broken pipe
    # + kex_exchange_identification: read: Connection reset by peer [preauth]
    # = sshd end kind=reset
    # - kex_exchange_identification: read
    (
        b"kex_exchange_identification: ssh_exchange_identification:",
        Pattern(
            rb"(?:kex|ssh)_exchange_identification: (?:read|write): (?:Connection reset by peer"
            rb"|Broken pipe)" + _PREAUTH,
            _end("reset"),
        ),
    ),
    # + kex_exchange_identification: read: Connection timed out
    # + kex_exchange_identification: read: Connection timed out [preauth]
    # + ssh_exchange_identification: write: Connection timed out
    # = sshd end kind=timeout
    # - kex_exchange_identification: Connection timed out
    (
        b"kex_exchange_identification: ssh_exchange_identification:",
        Pattern(
            rb"(?:kex|ssh)_exchange_identification: (?:read|write): Connection timed out"
            + _PREAUTH,
            _end("timeout"),
        ),
    ),
    # + kex_exchange_identification: client sent invalid protocol identifier "GET / HTTP/1.1"
    # + ssh_exchange_identification: banner line contains invalid characters
    # = sshd end kind=protocol
    # - kex_exchange_identification
    (
        b"kex_exchange_identification: ssh_exchange_identification:",
        Pattern(rb"(?:kex|ssh)_exchange_identification: .*", _end("protocol")),
    ),
    # + banner exchange: Connection from 192.0.2.7 port 38926: invalid format
    # + banner exchange: Connection from 192.0.2.7 port 38926: x from 192.0.2.9 port 1: y
    # + banner exchange: Connection from 192.0.2.7 port 38926: invalid format [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # - banner exchange: Connection from 192.0.2.7
    # - banner exchange: Connection from 192.0.2.7 port 389261: x
    # - banner exchange: Connection from 192.0.2.7 port x: x
    # - banner exchange: Connection from 192.0.2.7 192.0.2.8 port 38926: x
    (
        b"banner",
        Pattern(rb"banner exchange: Connection from " + _PEER + rb": .*", _end("protocol")),
    ),
    # + ssh_dispatch_run_fatal: Connection from 192.0.2.7 port 38926: message authentication code incorrect [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # + ssh_dispatch_run_fatal: Connection from authenticating user root 192.0.2.7 port 38926: Broken pipe [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=protocol
    # + ssh_dispatch_run_fatal: Connection from invalid user x 192.0.2.9 port 1: y 192.0.2.7 port 38926: Broken pipe [preauth]
    # = sshd end user='x 192.0.2.9 port 1: y' account=invalid ip=192.0.2.7 port=38926 kind=protocol
    # + ssh_dispatch_run_fatal: Connection from invalid user  192.0.2.7 port 38926: Broken pipe [preauth]
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=protocol
    # - ssh_dispatch_run_fatal: Connection from 192.0.2.7 port 389261: Broken pipe [preauth]
    # - ssh_dispatch_run_fatal: Connection from 192.0.2.7 port x: Broken pipe [preauth]
    # - ssh_dispatch_run_fatal: Connection from 192.0.2.7 192.0.2.8 port 38926: Broken pipe [preauth]
    # - ssh_dispatch_run_fatal: Connection from user alice 192.0.2.7 port 38926: Broken pipe
    (
        b"ssh_dispatch_run_fatal:",
        Pattern(
            rb"ssh_dispatch_run_fatal: Connection from " + _USER + _PEER + rb": [^:]* \[preauth\]",
            _end("protocol"),
        ),
    ),
    # + Unable to negotiate with 192.0.2.7 port 38926: no matching key exchange method found. Their offer: x from 192.0.2.9 port 1 [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # + Unable to negotiate with 192.0.2.7: no matching host key type found. Their offer: ssh-dss [preauth]
    # + Unable to negotiate with 192.0.2.7: no matching cipher found. Their offer: x port 1: y [preauth]
    # = sshd end ip=192.0.2.7 kind=protocol
    # - Unable to negotiate
    # - Unable to negotiate with 192.0.2.7 port 389261: x
    # - Unable to negotiate with 192.0.2.7 port x: x
    (
        b"Unable",
        Pattern(
            rb"Unable to negotiate with (?P<address>\S+?)(?: port (?P<port>\d{1,5}))?: .*",
            _end("protocol"),
        ),
    ),
    # + no matching cipher found: client x server y [preauth]
    # + No supported key exchange algorithms [preauth]
    # + no hostkey alg [preauth]
    # = sshd end kind=protocol
    # - no matching cipher found: client x server y
    # - no such key [preauth]
    (b"no No", Pattern(rb"[nN]o (?:matching|supported|hostkey) .* \[preauth\]", _end("protocol"))),
    # + Read from socket failed: Connection reset by peer [preauth]
    # + Write failed: Broken pipe [preauth]
    # = sshd end kind=reset
    # - Read from socket failed: Connection reset by peer
    (
        b"Read Write",
        Pattern(rb"(?:Read from socket|Write) failed: .* \[preauth\]", _end("reset")),
    ),
    # + Read error from remote host 192.0.2.7 port 38926: Connection reset by peer
    # + Read from socket failed: Connection timed out
    # + Write failed: Broken pipe
    # = irrelevant
    # - Read nothing
    # - Write
    # - Read error
    (b"Read Write", Pattern(rb"(?:Read error from|Read from|Write failed).*", irrelevant)),
    # + Timeout before authentication for 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=timeout
    # + Timeout before authentication for 192.0.2.7
    # = sshd end ip=192.0.2.7 kind=timeout
    # - Timeout before authentication
    # - Timeout before authentication for 192.0.2.7 port 389261
    # - Timeout before authentication for 192.0.2.7 port x
    (
        b"Timeout",
        Pattern(
            rb"Timeout before authentication for (?P<address>\S+)(?: port (?P<port>\d{1,5}))?",
            _end("timeout"),
        ),
    ),
    # The listener says this of a child, with the peer's address first.
    # + Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 4242
    # = sshd end ip=192.0.2.7 kind=timeout pid=4242
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = x
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 42424242
    (
        b"Timeout",
        Pattern(
            rb"Timeout before authentication for connection from (?P<address>\S+) to \S+, "
            rb"pid = (?P<pid>\d{1,7})",
            _end("timeout"),
        ),
    ),
    # + drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 penalty: failed authentication
    # = sshd probe ip=192.0.2.7 port=38926 kind=penalty
    # + drop connection #3 from [2001:db8::7]:38926 on [2001:db8::1]:22 penalty: connection duration exceeded grace
    # = sshd probe ip=2001:db8::7 port=38926 kind=penalty
    # - drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #0 from [192.0.2.7]:389261 on [198.51.100.1]:22 penalty: x
    # - drop connection #0 from [192.0.2.7]:x on [198.51.100.1]:22 penalty: x
    (
        b"drop",
        Pattern(
            rb"drop connection #\d+ from \[(?P<address>\S+)\]:(?P<port>\d{1,5})"
            rb" on \S+ penalty: .*",
            _refused("penalty"),
        ),
    ),
    # + drop connection #10 from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # = sshd probe ip=192.0.2.7 port=38926 kind=other
    # - drop connection #10
    # - drop connection #0 from [192.0.2.7]:389261 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #0 from [192.0.2.7]:x on [198.51.100.1]:22 past MaxStartups
    (
        b"drop",
        Pattern(
            rb"drop connection #\d+ from \[(?P<address>\S+)\]:(?P<port>\d{1,5})"
            rb" on \S+ .*",
            _refused("other"),
        ),
    ),
    # + refused connect from host.example (192.0.2.7)
    # = sshd probe ip=192.0.2.7 kind=other
    # - refused connect
    (
        b"refused",
        Pattern(rb"refused connect from \S+ \((?P<address>\S+)\)", _refused("other")),
    ),
    # Whatever else ends a connection before authentication; those known come first.
    # + fatal: Access denied for user alice by PAM account configuration [preauth]
    # = sshd end kind=other
    # - fatal: Access denied for user alice by PAM account configuration
    (b"fatal", Pattern(rb"fatal: .* \[preauth\]", _end("other"))),
    # Said beside a line that decides, or of no attempt at all.
    # + maximum authentication attempts exceeded for invalid user root from 192.0.2.7 port 38926 ssh2 [preauth]
    # + User root from 192.0.2.7 not allowed because not listed in AllowUsers
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 port 38926
    # + reverse mapping checking getaddrinfo for host.example [192.0.2.7] failed - POSSIBLE BREAK-IN ATTEMPT!
    # + Address 192.0.2.7 maps to host.example, but this does not map back to the address.
    # + input_userauth_request: invalid user Failed password for root from 192.0.2.9 port 1 ssh2 [preauth]
    # + Postponed keyboard-interactive for alice from 192.0.2.7 port 38926 ssh2 [preauth]
    # + Server listening on 0.0.0.0 port 22.
    # + Starting session: shell on pts/0 for alice from 192.0.2.7 port 38926 id 0
    # + lastlog_openseek: Couldn't stat /var/log/lastlog: No such file or directory
    # + syslogin_perform_logout: logout() returned an error
    # + mm_reap: preauth child terminated by signal 15
    # + User child is on pid 4242
    # + Nasty PTR record "192.0.2.9" is set up for 192.0.2.7, ignoring
    # + Partial publickey for alice from 192.0.2.7 port 38926 ssh2: RSA SHA256:abc
    # + Close session: user alice from 192.0.2.7 port 38926 id 0
    # + Closing connection to 192.0.2.7 port 38926
    # + Transferred: sent 3000, received 2000 bytes
    # + Exiting on signal 15
    # + subsystem request for sftp by user alice
    # + Set /proc/self/oom_score_adj to 0
    # + rexec line 20: Deprecated option UseLogin
    # + session opened for local user alice from [192.0.2.7]
    # + session closed for local user alice from [192.0.2.7]
    # + Corrupted MAC on input. [preauth]
    # + padding error: need 1349676904 block 8 mod 0 [preauth]
    # + beginning MaxStartups throttling
    # + in MaxStartups throttling for 00:05:00, 12 connections dropped
    # + exited MaxStartups throttling after 00:01:00, 3 connections dropped
    # + Timeout, client not responding from user alice 192.0.2.7 port 38926
    # + Authentication refused: bad ownership or modes for directory /home/alice
    # + Authentication tried for alice with correct key but not from a permitted host (host=host.example, ip=192.0.2.7).
    # + Authentication key RSA SHA256:abc revoked by file /etc/ssh/revoked
    # + Authorized to alice, krb5 principal alice@EXAMPLE.ORG (krb5_kuserok)
    # + Authorized principal "alice" accepted
    # + pam_env(sshd:session): deprecated reading of user environment enabled
    # = irrelevant
    # - maximum
    # - User root
    # - User
    # - ROOT LOGIN
    # - Address 192.0.2.7
    # - Server
    # - Starting
    # - Close
    # - Closing
    # - subsystem request
    # - Authentication
    # - Authorized
    # - session opened
    # - Timeout, client
    (
        b"maximum User ROOT reverse Address Nasty input_userauth_request: Postponed Partial Server"
        b" Starting Close Closing Transferred: Exiting subsystem Set rexec session Corrupted"
        b" padding beginning in exited Timeout, Authentication Authorized pam_env(sshd:session):"
        b" lastlog_openseek: lastlog_perform_login: syslogin_perform_logout: mm_reap:",
        Pattern(
            rb"(?:maximum authentication attempts exceeded for|User .* not allowed because"
            rb"|User child is on pid|ROOT LOGIN REFUSED FROM|reverse mapping checking"
            rb"|Address \S+ maps to|Nasty PTR record|input_userauth_request: invalid user"
            rb"|Postponed \S+ for|Partial \S+ for|Server listening on|Starting session:"
            rb"|Close session:|Closing connection to|Transferred:|Exiting on signal"
            rb"|subsystem request for|Set /proc/self/|rexec |session (?:opened|closed) for local"
            rb"|Corrupted MAC on input|padding error:|(?:beginning|in|exited) MaxStartups"
            rb"|Timeout, client not responding|Authentication (?:refused|tried|key)"
            rb"|Authorized (?:to|principal)|lastlog_\w+: |syslogin_perform_logout: |mm_reap: "
            rb"|pam_env\(sshd:session\): ).*",
            irrelevant,
        ),
    ),
    # + Bad packet length 1349676916. [preauth]
    # + Bad packet length 1349676916.
    # = irrelevant
    # - Bad packet length
    # - Bad packet length x.
    (b"Bad", Pattern(rb"Bad packet length \d+\.(?: \[preauth\])?", irrelevant)),
)
