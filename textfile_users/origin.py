"""What utmp's host field says: it often is no host name (tmux, screen, mosh, X displays)."""

from __future__ import annotations

from textfile_users.record import Record
from textfile_users.sources.text import is_number, parse_ip

_OWN_NAMES = ("", "localhost", "unix")


class Origin(Record):
    """Where a session is from.

    ``kind`` is tmux, screen, mosh, x11, wayland, or '' for a host or none; ``server`` is
    tmux's pid. Of ``host`` (a name) and ``ip``, what is not known is ''.
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
    address = parse_ip(text)  # before displays: 2001:db8::1 ends like one
    if address:
        return Origin(ip=address)
    if text == "login screen":  # gdm's word for a display that is not X11
        return Origin("wayland")
    if text.endswith("]") or ":" in text or text.startswith("tmux("):
        return _parse_special(text, ip) or _from("", text, ip)
    return _from("", text, ip)


def _parse_special(text: str, ip: str) -> Origin | None:
    r"""Return what a host field says that is no host, None for one that looks like none.

    ``tmux(123).%0``, ``HOST via mosh [123]``, ``mosh [123]``, screen's ``HOST:S.0``, and
    X displays, ``HOST:10.0``.
    """
    if text.startswith("tmux("):
        server, _, window = text[5:].partition(").%")
        return Origin("tmux", server=int(server)) if is_number(server, window) else None
    head, _, tail = text.rpartition("mosh [")
    if is_number(tail[:-1]) and tail.endswith("]") and (not head or head.endswith(" via ")):
        return _from("mosh", head[:-5], ip)
    head, _, window = text.rpartition(":S.")
    if is_number(window):
        return _from("screen", head, ip)
    head, colon, display = text.rpartition(":")
    if colon and ":" not in head and is_number(*display.split(".", 1)):
        return _from("x11", head, ip)
    return None


def _from(kind: str, host: str, ip: str) -> Origin:
    address = parse_ip(host)
    is_terminal = host.startswith((":", "pts/")) or (host.startswith("tty") and "." not in host)
    if address or is_terminal or host in _OWN_NAMES:
        return Origin(kind, "", address or ip)
    return Origin(kind, host, ip)
