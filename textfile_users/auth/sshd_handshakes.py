"""What sshd says of connections that come to nothing before a user is named."""

from __future__ import annotations

from textfile_users.auth.patterns import OVER, Pattern, address, forms, irrelevant, number
from textfile_users.auth.sshd_parts import PLACE, PREAUTH, end
from textfile_users.auth_event import PROBE, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match


def _refused(kind: str) -> Callable[[Match[bytes]], Finding]:
    """Return what makes a probe: the listener itself turned a connection away."""

    def make(match: Match[bytes]) -> Finding:
        ip, host = address(match["address"])
        port = number(match.groupdict().get("port"))
        return Finding(PROBE, "sshd", "", "", "", ip, host, port, 1, "", "", kind, 0)

    return make


HANDSHAKES = forms(
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
    # - banner exchange: Connection from  port 38926: invalid format
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
