"""What PAM's lines come to: a refusal, an acceptance, whom they are about."""

from __future__ import annotations

from textfile_users.auth.pam_services import (
    LOGIN,
    SU,
    UNKNOWN,
    is_seat,
    use_for,
)
from textfile_users.auth.patterns import (
    PAM_ACCEPTED,
    PAM_ESCALATION_FAILURE,
    address,
    name,
    terminal,
)
from textfile_users.auth_event import IRRELEVANT, NOTHING, Finding, finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from re import Match


def refusal(
    module: bytes,
    service: bytes,
    user: bytes | None,
    tty: bytes = b"",
    caller: bytes = b"",
    where: bytes = b"",
    times: int = 1,
) -> Finding:
    """Return that a module of a PAM stack refuses, for verdicts.py.

    ``caller`` is who escalates, where it is an escalation: su asks for the password of its target.
    The module ``more`` is pam_unix, of attempts that it did not write, as login did.
    """
    use = use_for(service)
    if use.failure == IRRELEVANT or (use is UNKNOWN and not is_seat(tty)):
        return NOTHING
    if module == b"more" and use is LOGIN:
        return NOTHING
    kind = name(b"%s:%s" % (module, service))
    if use.failure == PAM_ESCALATION_FAILURE:
        label = "polkit" if use.service == "pkexec" else use.service  # whatever asks polkit
        target = name(user) if use is SU else ""
        return finding(use.failure, label, user=name(caller), target=target, times=times, kind=kind)
    ip, host = address(where)
    return finding(
        use.failure,
        use.service,
        method="pam",
        user=name(user),
        account="valid" if user else "",
        ip=ip,
        host=host,
        tty=terminal(tty),
        times=times,
        kind=kind,
    )


def told(caller: bytes, where: bytes, user: bytes | None) -> tuple[bytes, bytes | None]:
    """Return the address and the user that a line has, none where a name may hold another.

    Behind ``ruser=x rhost=A  user=y rhost=B  user=z`` stands one of two: either name may be long.
    """
    is_unclear = caller and user and b" rhost=" in user
    return (b"", b"") if is_unclear else (where, user)


def who_asks(service: bytes, caller: bytes, logname: bytes, user: bytes | None) -> bytes:
    """Return who wants to be another user: of su ``user`` is that one."""
    return caller or logname or (b"" if use_for(service) is SU else user) or b""


def acceptance(module: bytes, service: bytes, user: bytes, tty: bytes = b"") -> Finding:
    """Return that a module lets a user in, as far as that counts for its service."""
    use = use_for(service)
    if use.failure == IRRELEVANT or (use is UNKNOWN and tty and not is_seat(tty)):
        return NOTHING
    label = "polkit" if use.service == "pkexec" else use.service
    return finding(PAM_ACCEPTED, label, user=name(user), kind=name(b"%s:%s" % (module, service)))


def with_fields(match: Match[bytes]) -> Finding:
    """Return what a line says that has PAM's items: as pam_unix writes them."""
    module, service, verdict, logname, tty, caller, where, user = match.groups()
    where, user = told(caller, where, user)
    who = user or b""
    if use_for(service).failure == PAM_ESCALATION_FAILURE:
        who = who_asks(service, caller, logname, user)
    if verdict == b"success":
        return acceptance(module, service, who, tty)
    return refusal(module, service, user, tty, who, where)


def refused(match: Match[bytes]) -> Finding:
    """Return that a module refuses a user; of an escalation it may be whom it is to."""
    said = match.groupdict()
    service, user = said["service"], said.get("user")
    module = said["module"] + (b"/account" if said["type"] == b"account" else b"")
    caller = said.get("caller") or (user if use_for(service).service == "sudo" else b"")
    place = said.get("tty") or b"", caller or b"", said.get("from") or b""
    return refusal(module, service, user, *place)


def of_root(match: Match[bytes]) -> Finding:
    """Return that a module refuses root."""
    module, service = match["module"], match["service"]
    return refusal(module, service, b"root", match["tty"])


def accepted(match: Match[bytes]) -> Finding:
    """Return that a module lets somebody in."""
    said = match.groupdict()
    service, user = said["service"], said.get("user") or b""
    is_other = use_for(service).service in ("su", "pkexec", "doas")  # whom it is to
    return acceptance(said["module"], service, b"" if is_other else user)
