"""sshd of OpenSSH 3 to 10.6: how attempts begin and connections end that few hosts see.

Sources are those of releases 7.5, 9.2, 10.0 and 10.3 (auth.c, packet.c, kex.c, sshd.c, monitor.c),
the strings in the programs of 10.6, and for older ones real logs. Imported with the first of these.
"""

from __future__ import annotations

from textfile_users.auth.patterns import OVER, UNMATCHED, Pattern, first_finding, forms, joined
from textfile_users.auth.sshd_attempts import ATTEMPTS
from textfile_users.auth.sshd_ends import ENDS
from textfile_users.auth.sshd_handshakes import HANDSHAKES
from textfile_users.auth.sshd_parts import PLACE, USER, end
from textfile_users.auth_event import NOTHING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.auth.patterns import Forms

_LEVELS = (b"error:", b"fatal:")
SELDOM = joined(ATTEMPTS, ENDS, HANDSHAKES)


def find(message: bytes, known: Forms) -> Finding | None:
    """Return what a message says that sshd's usual forms, ``known``, have not, None where nothing does."""
    word, _, inner = message.partition(b" ")
    said = first_finding(SELDOM.get(word, ()), message)
    if said is UNMATCHED and word in _LEVELS:
        first = inner.partition(b" ")[0]
        said = first_finding((*known.get(first, ()), *SELDOM.get(first, ())), inner)
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
    # - ssh_dispatch_run_fatal: Connection from  port 38926: Broken pipe [preauth]
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
