"""IP addresses as text and as bytes, in the one form that inet_ntop(3) gives (RFC 5952).

The arithmetic is our own: importing ipaddress costs a tenth of a run, _socket a fiftieth.
"""

from __future__ import annotations

MAX_KNOWN = 10_000
MAX_ZONE = 15  # IFNAMSIZ of net/if.h, without its NUL
HEX = "0123456789abcdef"
_MAPPED = b"\0" * 10 + b"\xff\xff"  # before an IPv4 address


def parse_ip(text: str) -> str:
    """Return the IPv4 or IPv6 address that ``text`` is in its usual form, else ''.

    IPv4-mapped IPv6 becomes IPv4; a zone (``%eth0``), which is the host's business, is left out.
    """
    try:
        if ":" not in text:
            _packed_ipv4(text)
            return text
        if _is_usual_ipv6(text):
            return text
        address, percent, zone = text.partition("%")
        return "" if percent and not _is_zone(zone) else ip_of_packed(packed(address))
    except ValueError:
        return ""


def packed(text: str) -> bytes:
    """Return the 4 or 16 bytes of an address in network order. Raises ValueError.

    IPv6 by RFC 4291, section 2.2; numbers of IPv4 have no zero before them.
    """
    if ":" not in text:
        return _packed_ipv4(text)
    if "." in text:  # its end is an IPv4 address
        start, _, end = text.rpartition(":")
        low = _packed_ipv4(end).hex()
        text = f"{start}:{low[:4]}:{low[4:]}"
    head, gap, tail = text.partition("::")
    before, behind = _groups(head), _groups(tail)
    zeros = 8 - len(before) - len(behind)
    if zeros < 1 if gap else zeros:
        raise ValueError(text)
    return bytes.fromhex("".join([*before, *["0000"] * zeros, *behind]))


def ip_of_packed(raw: bytes) -> str:
    """Return the address of 4 or 16 bytes in network order; IPv4-mapped IPv6 becomes IPv4."""
    if len(raw) == 16 and raw[:12] == _MAPPED:
        raw = raw[12:]
    if len(raw) == 4:
        return ".".join(map(str, raw))
    groups = [f"{raw[place] << 8 | raw[place + 1]:x}" for place in range(0, 16, 2)]
    text = ":" + ":".join(groups) + ":"
    # The longest run of zeros, of several the first.
    for zeros in range(8, 1, -1) if ":0:0:" in text else ():
        run = ":0" * zeros + ":"
        if run in text:
            before, _, after = text.partition(run)
            return f"{before[1:]}::{after[:-1]}"
    return text[1:-1]


def ip_of_record(data: bytes) -> str:
    """Return the address in utmp's 16 bytes ``ut_addr_v6`` (network order), '' for none.

    An IPv4 address is alone in the first four bytes, see utmp(5).
    """
    if not any(data):
        return ""
    return ip_of_packed(data if any(data[4:]) else data[:4])


def is_loopback(ip: str) -> bool:
    """Return whether ``ip``, as parse_ip returns it, is the machine's own loopback."""
    return ip.startswith("127.") or ip == "::1"


def _packed_ipv4(text: str) -> bytes:
    parts = text.split(".")
    if len(parts) != 4 or not all(map(is_decimal, parts)):
        raise ValueError(text)
    return bytes(map(int, parts))  # which raises for those over 255


def _groups(text: str) -> list[str]:
    """Return the groups of four digits each. Raises ValueError."""
    groups = text.split(":") if text else []
    if not all(len(one) <= 4 and one.isascii() and one.isalnum() for one in groups):
        raise ValueError(text)
    return [one.zfill(4) for one in groups]


def is_decimal(text: str) -> bool:
    """Return whether it is a number of one to three digits, without a zero before them."""
    is_number = text.isascii() and text.isdigit() and len(text) <= 3
    return is_number and (text[0] != "0" or text == "0")


def _is_zone(text: str) -> bool:
    """Return whether it is an interface's name or number: ``eth0``, ``br-lan.1``, ``veth1@if2``."""
    plain = text.translate({ord(char): "x" for char in "-._@:"})
    return len(text) <= MAX_ZONE and text.isascii() and plain.isalnum()


def _is_usual_ipv6(text: str) -> bool:
    """Return whether it is an IPv6 address beyond doubt, in the one form that inet_ntop(3) gives.

    Most are, without a zero where the gap is not.
    """
    head, gap, tail = text.partition("::")
    groups = [*head.split(":"), *(tail.split(":") if tail else ())] if head else []
    if not (2 <= len(groups) <= 6 if gap else len(groups) == 8):
        return False
    return all(
        len(group) <= 4 and group[:1] not in ("", "0") and not group.strip(HEX) for group in groups
    )


def network_of(ip: str, known: dict[str, str] = {}) -> str:  # noqa: B006 - a cache
    """Return an IPv4 address as it is, and of IPv6 the network of 64 bits."""
    if ":" not in ip:
        return ip
    if ip not in known:
        if len(known) > MAX_KNOWN:
            known.clear()
        address = ip.partition("%")[0]
        known[ip] = ip_of_packed(packed(address)[:8] + bytes(8)) + "/64"
    return known[ip]
