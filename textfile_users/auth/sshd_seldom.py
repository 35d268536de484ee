"""sshd of OpenSSH 3 to 10.6: how attempts begin and connections end that few hosts see.

Sources are those of releases 7.5, 9.2, 10.0 and 10.3 (auth.c, packet.c, kex.c, sshd.c, monitor.c),
the strings in the programs of 10.6, and for older ones real logs. Imported with the first of these.
"""

from __future__ import annotations

from textfile_users.auth.finding import (
    DENIED,
    OVER,
    PAM_FAILURE,
    UNMATCHED,
    Pattern,
    address,
    finding,
    first_finding,
    forms,
    irrelevant,
    number,
)
from textfile_users.auth.sshd import FORMS, PLACE, PREAUTH, USER, end, tried, user_name
from textfile_users.auth_event import NOTHING, PROBE, Finding
from textfile_users.record import quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match

_LEVELS = (b"error:", b"fatal:")


def find(message: bytes) -> Finding | None:
    """Return what a message says that none of sshd's FORMS knows, None where nothing does."""
    word, _, inner = message.partition(b" ")
    said = first_finding(SELDOM.get(word, ()), message)
    if said is UNMATCHED and word in _LEVELS:
        first = inner.partition(b" ")[0]
        said = first_finding((*FORMS.get(first, ()), *SELDOM.get(first, ())), inner)
    else:
        inner = message
    if said is UNMATCHED:
        said = first_finding(_LAST, inner)
    if said is UNMATCHED and word == b"fatal:":
        said = first_finding(_FATAL, message)
    if said is not UNMATCHED:
        return said
    from textfile_users.auth.sshd_known import is_known

    return NOTHING if is_known(inner) else None


def unvis(text: bytes) -> bytes:
    """Return what vis(3) made ``text`` of: a backslash is doubled, other bytes are octal."""
    import re

    return re.sub(rb"\\(?:\\|([0-3][0-7]{2}))", _byte_of, text)


def _byte_of(match: Match[bytes]) -> bytes:
    return bytes((int(match[1], 8),)) if match[1] else b"\\"


def _pam(match: Match[bytes]) -> Finding:
    invalid, user, where = match.groups()
    ip, host = address(where)
    account = "invalid" if invalid else "valid"
    said = PAM_FAILURE, "sshd", "pam", user_name(user), account, ip, host, 0, 1, "", "", "", 0
    return quick(Finding, said)


def _denied(match: Match[bytes]) -> Finding:
    return finding(DENIED, "sshd", method="pam", user=user_name(match[1]), account="valid")


def _root(match: Match[bytes]) -> Finding:
    return tried(match)._replace(user="root")


def _refused(kind: str) -> Callable[[Match[bytes]], Finding]:
    """Return what makes a probe: the listener itself turned a connection away."""

    def make(match: Match[bytes]) -> Finding:
        ip, host = address(match["address"])
        port = number(match.groupdict().get("port"))
        return Finding(PROBE, "sshd", "", "", "", ip, host, port, 1, "", "", kind, 0)

    return make


# The one reason for a disconnection in which a client's names stand: (OLD,x) -> (NEW,y).
_CHANGE = rb"Change of username or service not allowed: \("
_BEFORE_CHANGE = rb"(?:(?!: " + _CHANGE + rb").)*"
# What pam_strerror(3) says: of Linux-PAM 1.7, and of OpenPAM without capitals; the program's
# own `PAM: FUNCTION(): TEXT` have a colon.
_TEXT = (
    rb"(?:Have exhausted maximum number of retries for service"
    rb"|Cannot make/remove an entry for the specified session"
    rb"|Conversation is waiting for event|(?:(?! for )[^:])+)"
)

SELDOM = forms(
    # + PAM: Authentication failure for root from 192.0.2.7
    # = sshd 'PAM failure' method=pam user=root account=valid ip=192.0.2.7
    # + PAM: User not known to the underlying authentication module for illegal user x from host.example
    # = sshd 'PAM failure' method=pam user=x account=invalid host=host.example
    # + PAM: Authentication failure for illegal user root from 192.0.2.1 from 192.0.2.7
    # = sshd 'PAM failure' method=pam user='root from 192.0.2.1' account=invalid ip=192.0.2.7
    # + PAM: Authentication failure for illegal user x for service for root from 192.0.2.1 from 192.0.2.7
    # = sshd 'PAM failure' method=pam user='x for service for root from 192.0.2.1' account=invalid ip=192.0.2.7
    # + PAM: Authentication error for illegal user  from 192.0.2.7 [preauth]
    # = sshd 'PAM failure' method=pam account=invalid ip=192.0.2.7
    # + PAM: Have exhausted maximum number of retries for service for alice from 192.0.2.7
    # + PAM: Cannot make/remove an entry for the specified session for alice from 192.0.2.7
    # + PAM: Conversation is waiting for event for alice from 192.0.2.7
    # + PAM: Authentication service cannot retrieve authentication info for alice from 192.0.2.7
    # + PAM: Permission denied for alice from 192.0.2.7
    # + PAM: User account has expired for alice from 192.0.2.7
    # + PAM: maximum number of tries exceeded for alice from 192.0.2.7
    # + PAM: authentication error for alice from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user=alice account=valid ip=192.0.2.7
    # + PAM: Authentication failure for invalid user x from 192.0.2.7
    # + PAM: Authentication failure for illegal user x from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user=x account=invalid ip=192.0.2.7
    # + PAM: unknown user for illegal user x from 192.0.2.9 via from 192.0.2.7 via 198.51.100.1
    # = sshd 'PAM failure' method=pam user='x from 192.0.2.9 via' account=invalid ip=192.0.2.7
    # - PAM: Authentication failure for root
    # - PAM: pam_open_session(): Permission denied for root from 192.0.2.7
    # - PAM: Authentication failure for root from 192.0.2.7 192.0.2.8
    # - PAM: Authentication failure for root from 192.0.2.7 via 192.0.2.8 192.0.2.9
    # - PAM:  for root from 192.0.2.7
    # - PAM: Authentication error for illegal user  from  [preauth]
    (
        b"PAM:",
        Pattern(
            rb"PAM: "
            + _TEXT
            + rb" for ((?:illegal|invalid) user )?(.*) from (\S+)(?: via \S+)?"
            + PREAUTH,
            _pam,
        ),
    ),
    # Its account part refuses who has shown a right key or password. Up to 5.8 without [preauth].
    # + Access denied for user alice by PAM account configuration [preauth]
    # + Access denied for user alice by PAM account configuration
    # = sshd denied method=pam user=alice account=valid
    # + Access denied for user EXAMPLE\\alice smith by PAM account configuration
    # = sshd denied method=pam user='EXAMPLE\alice smith' account=valid
    # - Access denied for user alice
    # - Access denied for user alice by PAM account configuration x
    (
        b"Access",
        Pattern(rb"Access denied for user (.*) by PAM account configuration" + PREAUTH, _denied),
    ),
    # Behind a login (session.c), or beside other lines of an attempt (auth-shadow.c, auth.c).
    # + User alice not allowed because /etc/nologin exists
    # + User alice password has expired (password aged)
    # + User alice authorized keys /home/alice/.ssh/authorized_keys is not a regular file
    # = irrelevant
    # - User alice not allowed because shell /bin/none does not exist
    # - User alice is not a regular file and more
    # - User alice password has expired
    # - User alice not allowed because /etc/nologin x exists
    # - User alice not allowed because  exists
    # - User alice password has expired password aged)
    # - User alice password has expired (password aged
    (
        b"User",
        Pattern(
            rb"User .* (?:not allowed because \S+ exists|password has expired \(.*\)"
            rb"|is not a regular file)",
            irrelevant,
        ),
    ),
    # Of hostbased, at LogLevel VERBOSE.
    # + Accepted RSA public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # = irrelevant
    # - Accepted public key SHA256:abc from alice@client.example
    # - Accepted RSA key SHA256:abc from alice@client.example
    # - Accepted RSA x public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # - Accepted  public key SHA256:abc from alice for root from 192.0.2.9 port 1 ssh2@client.example
    # - Accepted RSA public key  from alice for root from 192.0.2.9 port 1 ssh2@client.example
    (b"Accepted", Pattern(rb"Accepted [\w-]+ public key \S+ from .*", irrelevant)),
    # + User root from 192.0.2.7 not allowed because not listed in AllowUsers
    # + User root from ::ffff:192.0.2.7 not allowed because listed in DenyUsers
    # + User root from 192.0.2.7 not allowed because a group is listed in DenyGroups
    # + User root from 192.0.2.7 not allowed because none of user's groups are listed in AllowGroups
    # + User root from 192.0.2.7 not allowed because not in any group
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7
    # + User root from 192.0.2.7 port 22 not allowed because account is locked
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=22
    # + User EXAMPLE\\alice smith from host.example not allowed because not listed in AllowUsers
    # = sshd 'invalid user' user='EXAMPLE\alice smith' account=valid host=host.example
    # - User root not allowed because account is locked
    # - User root from 192.0.2.7 port 221221 not allowed because account is locked
    # - User root from 192.0.2.7 port x not allowed because account is locked
    # - User root from 192.0.2.7 192.0.2.8 not allowed because account is locked
    # - User root from 192.0.2.7 not allowed
    # - User root from  not allowed because not listed in AllowUsers
    (
        b"User",
        Pattern(
            rb"User (?P<user>.*?) from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?"
            rb" not allowed because .*",
            tried,
        ),
    ),
    # Of an account the address comes with another line; auth.c and auth-shadow.c.
    # + User alice not allowed because account is locked
    # + User alice not allowed because shell /bin/none does not exist
    # + User alice not allowed because shell /etc/motd is not executable
    # + User alice not allowed because expired
    # = sshd 'invalid user' user=alice account=valid
    # - User alice not allowed
    # - User is not allowed
    (b"User", Pattern(rb"User (?P<user>.*?) not allowed because .*", tried)),
    # + Account alice has expired
    # = sshd 'invalid user' user=alice account=valid
    # + Account  has expired
    # = sshd 'invalid user' account=valid
    # - Account alice has expired soon
    # - Account alice
    (b"Account", Pattern(rb"Account (?P<user>.*) has expired", tried)),
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 port 38926
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 port 38926 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=38926
    # + ROOT LOGIN REFUSED FROM 192.0.2.7
    # + ROOT LOGIN REFUSED FROM 192.0.2.7 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7
    # - ROOT LOGIN REFUSED FROM 192.0.2.7 port 389261
    # - ROOT LOGIN REFUSED FROM 192.0.2.7 port x
    # - ROOT LOGIN
    # - ROOT LOGIN REFUSED FROM  port 38926
    (
        b"ROOT",
        Pattern(
            rb"ROOT LOGIN REFUSED FROM (?P<address>\S+)(?: port (?P<port>\d{1,5}))?" + PREAUTH,
            _root,
        ),
    ),
    # Since 7.0, and of 6.7 and 6.8, where the line ends the connection.
    # + maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 ssh2 [preauth]
    # + maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 ssh1
    # + Disconnecting: Too many authentication failures for root from 192.0.2.7 port 38926 ssh2 [preauth]
    # = sshd 'invalid user' user=root account=valid ip=192.0.2.7 port=38926
    # + maximum authentication attempts exceeded for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 38926 ssh2 [preauth]
    # + Disconnecting: Too many authentication failures for invalid user x from 192.0.2.9 port 1 ssh2 from 192.0.2.7 port 38926 ssh2
    # = sshd 'invalid user' user='x from 192.0.2.9 port 1 ssh2' account=invalid ip=192.0.2.7 port=38926
    # + maximum authentication attempts exceeded for invalid user  from 192.0.2.7
    # = sshd 'invalid user' account=invalid ip=192.0.2.7
    # - maximum authentication attempts exceeded for root
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port 389261 ssh2
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port x ssh2
    # - maximum authentication attempts exceeded for root from 192.0.2.7 192.0.2.8 port 22 ssh2
    # - maximum
    # - maximum authentication attempts exceeded for root from  port 38926 ssh2 [preauth]
    # - maximum authentication attempts exceeded for root from 192.0.2.7 port 38926 sshx [preauth]
    (
        b"maximum Disconnecting:",
        Pattern(
            rb"(?:maximum authentication attempts exceeded|Disconnecting: Too many authentication"
            rb" failures) for (?P<invalid>invalid user )?(?P<user>.*)"
            rb" from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?(?: ssh[12])?" + PREAUTH,
            tried,
        ),
    ),
    # OpenSSH 6.6 and before tell only whom, and a name there may look like anything.
    # + Disconnecting: Too many authentication failures for root [preauth]
    # + Disconnecting: Too many authentication failures for root
    # = sshd end user=root kind=other
    # - Disconnecting: Too many authentication failures for x y
    # - Disconnecting: Too many authentication failures
    # - Disconnecting: Too many authentication failures for  [preauth]
    (
        b"Disconnecting:",
        Pattern(
            rb"Disconnecting: Too many authentication failures for (?P<user>\S+)" + PREAUTH,
            end("other"),
        ),
    ),
    # + Disconnecting: Too many authentication failures
    # + Disconnecting: Too many authentication failures for a b
    # = sshd end kind=other
    # - Disconnecting: Too many
    (
        b"Disconnecting:",
        Pattern(rb"Disconnecting: Too many authentication failures(?: for .*)?", end("other")),
    ),
    # RefuseConnection of 10.0 and later (monitor.c).
    # + administratively prohibited connection for alice from 192.0.2.7 port 38926
    # = sshd end user=alice ip=192.0.2.7 port=38926 kind=other
    # + administratively prohibited connection for invalid user x from 192.0.2.9 port 1 from 192.0.2.7 port 38926 [preauth]
    # = sshd end user='x from 192.0.2.9 port 1' account=invalid ip=192.0.2.7 port=38926 kind=other
    # + administratively prohibited connection for  from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # - administratively prohibited connection for alice
    # - administratively prohibited connection for alice from 192.0.2.7 port 389261
    # - administratively prohibited connection for alice from 192.0.2.7 port x
    # - administratively prohibited connection for alice from 192.0.2.7 192.0.2.8 port 22
    # - administratively prohibited connection for alice from  port 38926
    (
        b"administratively",
        Pattern(
            rb"administratively prohibited connection for (?:(?P<account>invalid) user )?"
            rb"(?P<user>.*) from " + PLACE + PREAUTH,
            end("other"),
        ),
    ),
    # + PAM: pam_open_session(): Authentication failure
    # + PAM 4 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root
    # + PAM service(sshd) ignoring max retries; 6 > 3
    # = irrelevant
    # - pam 4 more authentication failures
    # - PAMauthentication
    (b"PAM: PAM", Pattern(rb"PAM[: ].*", irrelevant)),
    # OpenSSH 6 does not tell the port.
    # + Connection closed by 192.0.2.7 [preauth]
    # = sshd end ip=192.0.2.7 kind=closed
    # - Connection closed by 192.0.2.7
    # - Connection closed by authenticating user root [preauth]
    # - Connection closed by  [preauth]
    (b"Connection", Pattern(rb"Connection closed by (?P<address>\S+) \[preauth\]", end("closed"))),
    # + Connection reset by 192.0.2.7 [preauth]
    # = sshd end ip=192.0.2.7 kind=reset
    # - Connection reset by peer
    # - Connection reset by authenticating user root [preauth]
    # - Connection reset by  [preauth]
    (b"Connection", Pattern(rb"Connection reset by (?P<address>\S+) \[preauth\]", end("reset"))),
    # + Connection closed by user alice 192.0.2.7 port 38926
    # + Connection reset by user alice 192.0.2.7 port 38926
    # + Connection reset by peer
    # + Connection from user alice 192.0.2.7 port 38926 timed out
    # + Connection from 192.0.2.7: refusing non-sftp session
    # = irrelevant
    # - Connection refused
    # - Connection reset by 192.0.2.7
    # - Connection from 192.0.2.7 port 38926 and others
    # - Connection from 192.0.2.7 refusing non-sftp session
    (
        b"Connection",
        Pattern(
            rb"Connection (?:(?:closed|reset) by user .*|reset by peer|from user .* timed out"
            rb"|from .*: refusing non-sftp session)",
            irrelevant,
        ),
    ),
    # Up to 5.8 no line tells whether somebody has logged in.
    # + Received disconnect from 192.0.2.7: 11: Bye Bye
    # + Received disconnect from 192.0.2.7: 11: from 192.0.2.9: 11: x
    # = sshd over ip=192.0.2.7 kind=closed
    # - Received disconnect from 192.0.2.7 port 38926:11: disconnected by user
    # - Received disconnect from 192.0.2.7: x: Bye
    # - Received disconnect from 192.0.2.7 192.0.2.8: 11: Bye
    # - Received disconnect from : 11: Bye Bye
    # - Received disconnect from 192.0.2.7: : Bye Bye
    # - Received disconnect from 192.0.2.7: 11 Bye Bye
    (
        b"Received",
        Pattern(rb"Received disconnect from (?P<address>\S+): \d+:.*", end("closed", OVER)),
    ),
    # + Connection closed by 192.0.2.7
    # = sshd over ip=192.0.2.7 kind=closed
    # - Connection closed by user alice 192.0.2.7 port 38926
    (b"Connection", Pattern(rb"Connection closed by (?P<address>\S+)", end("closed", OVER))),
    # + Connection reset by 192.0.2.7
    # = sshd over ip=192.0.2.7 kind=reset
    # - Connection reset by user alice 192.0.2.7 port 38926
    # - Connection reset by peer
    (
        b"Connection",
        Pattern(rb"Connection reset by (?!peer\Z)(?P<address>\S+)", end("reset", OVER)),
    ),
    # Since 7.9.
    # + Connection from 192.0.2.7 port 38926 timed out
    # = sshd end ip=192.0.2.7 port=38926 kind=timeout
    # + Connection from authenticating user root 192.0.2.7 port 38926 timed out [preauth]
    # = sshd end user=root account=valid ip=192.0.2.7 port=38926 kind=timeout
    # + Connection from invalid user x 192.0.2.9 port 1 timed out 192.0.2.7 port 38926 timed out [preauth]
    # = sshd end user='x 192.0.2.9 port 1 timed out' account=invalid ip=192.0.2.7 port=38926 kind=timeout
    # - Connection from user alice 192.0.2.7 port 38926 timed out
    # - Connection from 192.0.2.7 port 389261 timed out
    # - Connection from 192.0.2.7 port x timed out
    (
        b"Connection",
        Pattern(rb"Connection from " + USER + PLACE + rb" timed out" + PREAUTH, end("timeout")),
    ),
    # + Connection timed out during banner exchange
    # = sshd end kind=timeout
    # - Connection timed out
    (
        b"Connection",
        Pattern(rb"Connection timed out during banner exchange" + PREAUTH, end("timeout")),
    ),
    # + Connection from 192.0.2.7 port 38926 with IP opts: 44 0
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # - Connection from 192.0.2.7 port 389261 with IP opts: 44 0
    # - Connection from 192.0.2.7 port x with IP opts: 44 0
    (b"Connection", Pattern(rb"Connection from " + PLACE + rb" with IP opts: .*", end("other"))),
    # + Username too long from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # - Username too long from 192.0.2.7
    # - Username too long from 192.0.2.7 port 389261
    # - Username too long from 192.0.2.7 port x
    (b"Username", Pattern(rb"Username too long from " + PLACE + PREAUTH, end("other"))),
    # Known scanners, by the version that they send (kex.c; sshd.c of 7.5).
    # + scanned from 192.0.2.7 port 38926 with SSH-1.0-SSH_Version_Mapper.  Don't panic.
    # + probed from 192.0.2.7 port 38926 with SSH-2.0-x from 192.0.2.9 port 1 with y.  Don't panic. [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=other
    # + scanned from 192.0.2.7 with SSH-1.0-SSH_Version_Mapper.  Don't panic.
    # = sshd end ip=192.0.2.7 kind=other
    # - scanned from 192.0.2.7
    # - scanned from 192.0.2.7 port 389261 with x
    # - scanned from 192.0.2.7 port x with x
    # - scanned from  port 38926 with SSH-1.0-SSH_Version_Mapper.  Don't panic.
    (
        b"scanned probed",
        Pattern(
            rb"(?:scanned|probed) from (?P<address>\S+)(?: port (?P<port>\d{1,5}))? with .*",
            end("other"),
        ),
    ),
    # A connection's process crashed before it was over (sshd.c of 10.0 and later).
    # + Session process 4242 unpriv child crash for connection from 192.0.2.7 to 198.51.100.1
    # + session process 4242 for connection from 192.0.2.7 to 198.51.100.1 killed by signal 11 (early)
    # + session process 4242 for connection from 192.0.2.7 terminated abnormally, status=0x7f
    # = sshd end ip=192.0.2.7 kind=other pid=4242
    # - session process 42424242 for connection from 192.0.2.7
    # - session process x for connection from 192.0.2.7
    # - session process 4242
    # - Session process 4242 unpriv child crash for connection from  to 198.51.100.1
    (
        b"Session session",
        Pattern(
            rb"[Ss]ession process (?P<pid>\d{1,7}) (?:unpriv child crash )?for connection from"
            rb" (?P<address>\S+) .*",
            end("other"),
        ),
    ),
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
    # - Disconnecting authenticating user root 192.0.2.7 port 38926: Change of username or service not allowed: root,ssh-connection) -> (x,ssh-connection) [preauth]
    (
        b"Disconnecting",
        Pattern(
            rb"Disconnecting (?:(?P<account>authenticating|invalid) user (?P<user>"
            + _BEFORE_CHANGE
            + rb") )?"
            + PLACE
            + rb": (?:[^:]*|"
            + _CHANGE
            + rb"(?!.* port \d+: ).*) \[preauth\]",
            end("other"),
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
            end("other"),
        ),
    ),
    # OpenSSH 6 and 7 do not tell whom.
    # + Disconnecting: Change of username or service not allowed: (root,ssh-connection) -> (x,ssh-connection) [preauth]
    # + Disconnecting: Packet corrupt [preauth]
    # = sshd end kind=other
    # - Disconnecting: Packet corrupt
    (b"Disconnecting:", Pattern(rb"Disconnecting: .* \[preauth\]", end("other"))),
    # + Disconnecting: Bad packet length 1349676916.
    # = sshd over kind=other
    # - Disconnecting
    (b"Disconnecting:", Pattern(rb"Disconnecting: .*", end("other", OVER))),
    # + Disconnecting user alice 192.0.2.7 port 38926: idle
    # = irrelevant
    # - Disconnecting
    (b"Disconnecting", Pattern(rb"Disconnecting .*", irrelevant)),
    # + Did not receive identification string from 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=closed
    # + Did not receive identification string from 192.0.2.7
    # = sshd end ip=192.0.2.7 kind=closed
    # - Did not receive identification string
    # - Did not receive identification string from 192.0.2.7 port 389261
    # - Did not receive identification string from 192.0.2.7 port x
    # - Did not receive identification string from  port 38926
    (
        b"Did",
        Pattern(
            rb"Did not receive identification string from (?P<address>\S+)"
            rb"(?: port (?P<port>\d{1,5}))?",
            end("closed"),
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
    # - Bad protocol version identification 'x from 192.0.2.9 port 1' from  port 38926
    (
        b"Bad",
        Pattern(
            rb"Bad (?:remote )?protocol version identification:? '.*'"
            rb"(?: from (?P<address>\S+)(?: port (?P<port>\d{1,5}))?)?",
            end("protocol"),
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
    # - Protocol major versions differ for  port 38926: SSH-2.0-OpenSSH_7.4 vs. SSH-1.5-x
    (
        b"Protocol",
        Pattern(
            rb"Protocol major versions differ"
            rb"(?: for (?P<address>\S+?)(?: port (?P<port>\d{1,5}))?)?: .*",
            end("protocol"),
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
            rb"(?:kex|ssh)_exchange_identification: Connection closed by remote host" + PREAUTH,
            end("closed"),
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
            rb"|Broken pipe)" + PREAUTH,
            end("reset"),
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
            rb"(?:kex|ssh)_exchange_identification: (?:read|write): Connection timed out" + PREAUTH,
            end("timeout"),
        ),
    ),
    # + kex_exchange_identification: client sent invalid protocol identifier "GET / HTTP/1.1"
    # + ssh_exchange_identification: banner line contains invalid characters
    # = sshd end kind=protocol
    # - kex_exchange_identification
    (
        b"kex_exchange_identification: ssh_exchange_identification:",
        Pattern(rb"(?:kex|ssh)_exchange_identification: .*", end("protocol")),
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
        Pattern(rb"banner exchange: Connection from " + PLACE + rb": .*", end("protocol")),
    ),
    # + Unable to negotiate with 192.0.2.7 port 38926: no matching key exchange method found. Their offer: x from 192.0.2.9 port 1 [preauth]
    # = sshd end ip=192.0.2.7 port=38926 kind=protocol
    # + Unable to negotiate with 192.0.2.7: no matching host key type found. Their offer: ssh-dss [preauth]
    # + Unable to negotiate with 192.0.2.7: no matching cipher found. Their offer: x port 1: y [preauth]
    # = sshd end ip=192.0.2.7 kind=protocol
    # - Unable to negotiate
    # - Unable to negotiate with 192.0.2.7 port 389261: x
    # - Unable to negotiate with 192.0.2.7 port x: x
    # - Unable to negotiate with  port 38926: no matching key exchange method found. Their offer: x from 192.0.2.9 port 1 [preauth]
    (
        b"Unable",
        Pattern(
            rb"Unable to negotiate with (?P<address>\S+?)(?: port (?P<port>\d{1,5}))?: .*",
            end("protocol"),
        ),
    ),
    # + no matching cipher found: client x server y [preauth]
    # + No supported key exchange algorithms [preauth]
    # + no hostkey alg [preauth]
    # = sshd end kind=protocol
    # - no matching cipher found: client x server y
    # - no such key [preauth]
    (b"no No", Pattern(rb"[nN]o (?:matching|supported|hostkey) .* \[preauth\]", end("protocol"))),
    # + Read from socket failed: Connection reset by peer [preauth]
    # + Write failed: Broken pipe [preauth]
    # = sshd end kind=reset
    # - Read from socket failed: Connection reset by peer
    (
        b"Read Write",
        Pattern(rb"(?:Read from socket|Write) failed: .* \[preauth\]", end("reset")),
    ),
    # + Read from socket failed: Connection timed out
    # + Write failed: Broken pipe
    # = sshd over kind=reset
    # - Read nothing
    # - Write
    (b"Read Write", Pattern(rb"(?:Read from socket|Write) failed: .*", end("reset", OVER))),
    # + Read error from remote host 192.0.2.7 port 38926: Connection reset by peer
    # = irrelevant
    # - Read error
    (b"Read", Pattern(rb"Read error from .*", irrelevant)),
    # + Timeout before authentication for 192.0.2.7 port 38926
    # = sshd end ip=192.0.2.7 port=38926 kind=timeout
    # + Timeout before authentication for 192.0.2.7
    # = sshd end ip=192.0.2.7 kind=timeout
    # - Timeout before authentication
    # - Timeout before authentication for 192.0.2.7 port 389261
    # - Timeout before authentication for 192.0.2.7 port x
    # - Timeout before authentication for  port 38926
    (
        b"Timeout",
        Pattern(
            rb"Timeout before authentication for (?P<address>\S+)(?: port (?P<port>\d{1,5}))?",
            end("timeout"),
        ),
    ),
    # The listener says this of a child, with the peer's address first.
    # + Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 4242
    # + Timeout before authentication for connection from 192.0.2.7, pid = 4242 (early)
    # + Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 4242 (sending config)
    # = sshd end ip=192.0.2.7 kind=timeout pid=4242
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = x
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1, pid = 42424242
    # - Timeout before authentication for connection from  to 198.51.100.1, pid = 4242
    # - Timeout before authentication for connection from 192.0.2.7 to 198.51.100.1 x, pid = 4242
    # - Timeout before authentication for connection from 192.0.2.7 to , pid = 4242
    # - Timeout before authentication for connection from 192.0.2.7, pid = 4242 (12345678)
    # - Timeout before authentication for connection from 192.0.2.7, pid = 4242 ()
    (
        b"Timeout",
        Pattern(
            rb"Timeout before authentication for connection from (?P<address>[^\s,]+)(?: to \S+)?, "
            rb"pid = (?P<pid>\d{1,7})(?: \([a-z ]+\))?",
            end("timeout"),
        ),
    ),
    # + drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 penalty: failed authentication
    # = sshd probe ip=192.0.2.7 port=38926 kind=penalty
    # + drop connection #3 from [2001:db8::7]:38926 on [2001:db8::1]:22 penalty: connection duration exceeded grace
    # = sshd probe ip=2001:db8::7 port=38926 kind=penalty
    # - drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #0 from [192.0.2.7]:389261 on [198.51.100.1]:22 penalty: x
    # - drop connection #0 from [192.0.2.7]:x on [198.51.100.1]:22 penalty: x
    # - drop connection #0 x from [192.0.2.7]:38926 on [198.51.100.1]:22 penalty: failed authentication
    # - drop connection # from [192.0.2.7]:38926 on [198.51.100.1]:22 penalty: failed authentication
    # - drop connection #0 from [192.0.2.7 x]:38926 on [198.51.100.1]:22 penalty: failed authentication
    # - drop connection #0 from []:38926 on [198.51.100.1]:22 penalty: failed authentication
    # - drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 x penalty: failed authentication
    # - drop connection #0 from [192.0.2.7]:38926 on  penalty: failed authentication
    (
        b"drop",
        Pattern(
            rb"drop connection #\d+ from \[(?P<address>\S+)\]:(?P<port>\d{1,5})"
            rb" on \S+ penalty: .*",
            _refused("penalty"),
        ),
    ),
    # + drop connection #10 from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # + drop connection #0 from [192.0.2.7]:38926 on [198.51.100.1]:22 Maxstartups
    # = sshd probe ip=192.0.2.7 port=38926 kind=other
    # - drop connection #10
    # - drop connection #0 from [192.0.2.7]:389261 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #0 from [192.0.2.7]:x on [198.51.100.1]:22 past MaxStartups
    # - drop connection #10 x from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection # from [192.0.2.7]:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #10 from [192.0.2.7 x]:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #10 from []:38926 on [198.51.100.1]:22 past MaxStartups
    # - drop connection #10 from [192.0.2.7]:38926 on  past MaxStartups
    (
        b"drop",
        Pattern(
            rb"drop connection #\d+ from \[(?P<address>\S+)\]:(?P<port>\d{1,5})"
            rb" on \S+ .*",
            _refused("other"),
        ),
    ),
    # + refused connect from host.example (192.0.2.7)
    # + refused connect from 192.0.2.7 (192.0.2.7)
    # + refused connect from 192.0.2.7
    # = sshd probe ip=192.0.2.7 kind=other
    # - refused connect
    # - refused connect from host.example 192.0.2.9 (192.0.2.7)
    # - refused connect from  (192.0.2.7)
    # - refused connect from host.example ()
    (
        b"refused",
        Pattern(rb"refused connect from (?:\S+ \()?(?P<address>[^\s()]+)\)?", _refused("other")),
    ),
)
# Under any first word: what a function says of the connection that it ends.
_LAST = forms(
    # + ssh_dispatch_run_fatal: Connection from 192.0.2.7 port 38926: message authentication code incorrect [preauth]
    # + do_ssh2_kex: send test: Connection from 192.0.2.7 port 38926: error in libcrypto: x [preauth]
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
    # - ssh_dispatch_run_fatal': Connection from 192.0.2.7 port 38926: message authentication code incorrect [preauth]
    # - ssh_dispatch_run_fatal Connection from 192.0.2.7 port 38926: message authentication code incorrect [preauth]
    (
        b"",
        Pattern(
            # Looked at once: at each place in a long name it would cost the square of its length.
            rb"(?=.* \[preauth\]\Z)[\w :]{1,64}: Connection from " + USER + PLACE + rb": .*",
            end("protocol"),
        ),
    ),
)[b""]
# A fatal error ends the process that says it, and with it an attempt that is open.
_FATAL = forms(
    # + fatal: something new [preauth]
    # = sshd end kind=other
    # - fatal: something new
    # - error: something new [preauth]
    (b"", Pattern(rb"fatal: .* \[preauth\]", end("other"))),
    # + fatal: monitor_read: unpermitted request 104
    # = sshd over kind=other
    # - error: something new
    (b"", Pattern(rb"fatal: .*", end("other", OVER))),
)[b""]
