"""How sshd ends connections in ways that few hosts see."""

from __future__ import annotations

from textfile_users.auth.patterns import OVER, Pattern, forms, irrelevant
from textfile_users.auth.sshd_parts import PLACE, PREAUTH, USER, end

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


# The one reason for a disconnection in which a client's names stand: (OLD,x) -> (NEW,y).
_CHANGE = rb"Change of username or service not allowed: \("
_BEFORE_CHANGE = rb"(?:(?!: " + _CHANGE + rb").)*"

ENDS = forms(
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
    # + Connection from invalid user  192.0.2.7 port 38926 timed out
    # = sshd end account=invalid ip=192.0.2.7 port=38926 kind=timeout
    # - Connection from user alice 192.0.2.7 port 38926 timed out
    # - Connection from  port 38926 timed out
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
)
