"""sudo's log in JSON (log_format=json, sudoers(5))."""

from __future__ import annotations

from binascii import crc32

from textfile_users.auth.patterns import (
    name,
    terminal,
)
from textfile_users.auth_event import ESCALATION, ESCALATION_FAILURE, NOTHING, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The same where the reason goes on with what the user chose.
REFUSALS = (
    rb"user not allowed |sorry, you are not (?:allowed|permitted) |you are not permitted to use "
    rb"|unknown (?:user|uid|group):? |invalid shell for user |only root can use "
    rb"|unable to change expired password|PAM (?:account management|authentication) error"
)
# Why somebody is refused (plugins/sudoers/*.c, auth/*.c).
REASONS = (
    rb"(?:\d+ incorrect password attempts?|user NOT in sudoers"
    rb"|user NOT authorized on host|command not allowed|a password is required"
    rb"|authentication failure|account validation failure, is your account locked\?"
    rb"|Account (?:or password is )?expired[^;]*|Password expired[^;]*|your account has expired"
    rb"|no tty(?: present and no askpass program specified)?|no askpass program specified[^;]*"
    rb"|a terminal is required[^;]*(?:; either[^;]*)?|sorry, you must have a tty to run sudo"
    rb"|setid command rejected in intercept mode|approval failed"
    rb"|sudoers specifies that root is not allowed to sudo)"
)


def find_json(message: bytes) -> Finding | None:
    """Return what an object says, which the log may have cut.

    Its keys are sudo's: in what users choose quotes have a backslash before them.
    """
    if message[:5] != b"@cee:":
        return None
    import re

    match = re.match(rb'@cee: ?\{"sudo": ?\{"(accept|reject|alert|exit)": ?\{', message)
    if not match:
        return None
    if match[1] == b"exit":
        return NOTHING
    user, target, tty, reason = map(
        _value_in(message), (b"submituser", b"runuser", b"ttyname", b"reason")
    )
    who = {"user": name(user), "target": name(target), "tty": terminal(tty)}
    if match[1] == b"accept":
        return finding(ESCALATION, "sudo", pid=crc32(message), **who)
    is_refused = match[1] == b"reject" or is_refusal(reason)
    return finding(ESCALATION_FAILURE, "sudo", **who) if is_refused else NOTHING


def _value_in(message: bytes) -> Callable[[bytes], bytes]:
    """Return what gives the text of a key in an object of sudo's, b"" where there is none."""
    import re

    def value(key: bytes) -> bytes:
        match = re.search(rb'[{,] ?"' + key + rb'": ?"((?:[^"\\]|\\.)*)"', message, re.DOTALL)
        if not match:
            return b""
        return _unescaped(match[1]) if b"\\" in match[1] else match[1]

    return value


def _unescaped(text: bytes) -> bytes:
    """Return what a string in JSON stands for, or itself where it is none."""
    import json

    try:
        value = json.loads(b'"%s"' % text, strict=False)
    except ValueError:
        return text
    return str(value).encode("utf-8", "backslashreplace")


def is_refusal(reason: bytes) -> bool:
    """Return whether the reason of an alert says that somebody may not do something."""
    import re

    return re.fullmatch(REASONS + rb"|(?:" + REFUSALS + rb").*", reason, re.DOTALL) is not None
