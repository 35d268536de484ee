"""What utmp's host field says: it often is no host name (tmux, screen, mosh, X displays)."""

from __future__ import annotations

from textfile_users.record import Record
from textfile_users.sources.addresses import parse_ip
from textfile_users.sources.text import is_number

# Names of the machine itself, and words for a place at it; `unix:` stands before a local socket.
_OWN_NAMES = frozenset(
    (
        "",
        "localhost",
        "localhost.localdomain",
        "localhost4",
        "localhost4.localdomain4",
        "localhost6",
        "localhost6.localdomain6",
        "ip6-localhost",
        "ip6-loopback",
        "unix",
        "console",
        "tty",
        "xrdp",
    )
)
# Words for a peer that is not known: sshd's is UNKNOWN, where its socket is no TCP connection.
_UNKNOWN_NAMES = frozenset(("unknown", "(unknown)", "(null)", "?", "-", "0.0.0.0", "::"))  # noqa: S104
# None of these is in a host's name, nor is a blank.
_NO_NAME = frozenset("()[]{}<>|/\\\"'`,;=*?!")
_LEAST_PORT = 1024  # behind an address; a lower number is a display's

ET = "et"
UNKNOWN = "unknown"


class Origin(Record):
    """Where a session is from.

    ``kind`` is tmux, screen, mosh, et (Eternal Terminal), x11, wayland, unknown (somewhere else),
    or '' for a host or none; ``server`` is tmux's pid. Of ``host`` (a name) and ``ip``, what is
    not known is ''.
    """

    kind: str = ""
    host: str = ""
    ip: str = ""
    server: int = 0


MAX_KNOWN = 1 << 14
_known: dict[tuple[str, str], Origin] = {}


def parse_origin(text: str, ip: str = "") -> Origin:
    """Return what the host field ``text`` says; ``ip`` is the record's own address, or ''."""
    found = _known.get((text, ip))  # a record's is asked for three times
    if found is None:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        found = _known[text, ip] = _parse(text, ip)
    return found


def _parse(text: str, ip: str) -> Origin:
    if text.lower() in _UNKNOWN_NAMES:
        return Origin(UNKNOWN, ip=ip)
    address = parse_ip(text) or _bare(text)  # before displays: 2001:db8::1 ends like one
    if address:
        return Origin(ip=address)
    if text == "login screen":  # gdm's word for a display that is not X11
        return Origin("wayland")
    if text.endswith("]") or ":" in text or text.startswith("tmux("):
        return _parse_special(text, ip) or _from("", text, ip)
    return _from("", text, ip)


def _parse_special(text: str, ip: str) -> Origin | None:
    r"""Return what a host field says that is no host, None for one that looks like none.

    ``tmux(123).%0``, ``HOST via mosh [123]``, ``mosh [123]``, ``et [123]``, screen's ``HOST:S.0``,
    ``unix:SOCKET`` and X displays, ``HOST:10.0``.
    """
    if text.startswith("tmux("):
        server, _, window = text[5:].partition(").%")
        return Origin("tmux", server=int(server)) if is_number(server, window) else None
    for kind in ("mosh", ET):
        head, word, tail = text.rpartition(f"{kind} [")
        is_form = word and is_number(tail[:-1]) and tail.endswith("]")
        if is_form and (head in ("", "via ") or head.endswith(" via ")):
            return _from(kind, head[:-5], ip)
    head, _, window = text.rpartition(":S.")
    if is_number(window):
        return _from("screen", head, ip)
    head, colon, display = text.rpartition(":")
    if colon and ":" not in head and _is_name(head) and is_number(*display.split(".", 1)):
        return _from("x11", head, ip)
    if head == "unix":
        return Origin(ip=ip)
    return None


def _bare(text: str) -> str:
    """Return the address of ``[ADDRESS]``, ``[ADDRESS]:PORT`` or ``IPV4:PORT``, else ''."""
    head, colon, port = text.rpartition(":")
    is_bracketed = text.startswith("[")
    if is_bracketed and text.endswith("]"):
        return parse_ip(text[1:-1])
    if not (colon and is_number(port)):
        return ""
    if is_bracketed:
        return parse_ip(head[1:-1]) if head.endswith("]") else ""
    return parse_ip(head) if ":" not in head and int(port) >= _LEAST_PORT else ""


def _from(kind: str, host: str, ip: str) -> Origin:
    address = parse_ip(host)
    is_terminal = host.startswith((":", "pts/")) or (host.startswith("tty") and "." not in host)
    if address or is_terminal or host.lower() in _OWN_NAMES:
        return Origin(kind, "", address or ip)
    if host.lower() in _UNKNOWN_NAMES or not _is_name(host):
        return Origin(kind or UNKNOWN, "", ip)
    return Origin(kind, host, ip)


def _is_name(host: str) -> bool:
    """Return whether it may be a host's name, of whatever script."""
    return host.isprintable() and _NO_NAME.isdisjoint(host) and not host.count(" ")
