"""Bytes from hostile files, as text and addresses."""

from __future__ import annotations

MAX_LABEL_BYTES = 128
MAX_ZONE = 15  # IFNAMSIZ of net/if.h, without its NUL


def decode(data: bytes) -> str:
    r"""Return ``data`` as text; bytes that are not UTF-8 become ``\xNN``."""
    return data.decode("utf-8", "backslashreplace")


def field(data: bytes) -> str:
    """Return a text field of a C structure: it ends at the first NUL, or where it is full."""
    return decode(data.partition(b"\0")[0])


def label(text: str, suffix: str = "") -> str:
    """Return ``text`` with an ASCII ``suffix`` as a label value.

    It has at most 128 bytes of UTF-8, whole characters; the suffix stays whole.
    """
    most = MAX_LABEL_BYTES - len(suffix)
    if len(text) * 4 <= most:
        return text + suffix
    data = text.encode()
    if len(data) <= most:
        return text + suffix
    return data[:most].decode("utf-8", "ignore") + suffix


def printable(text: str) -> str:
    """Return ``text`` safe for a terminal or log: what is not printable is escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def printable_lines(text: str) -> str:
    """Return lines of ``text`` safe for a terminal: what is not printable in them is escaped."""
    return "\n".join(map(printable, text.split("\n")))


def parse_ip(text: str) -> str:
    """Return the IPv4 or IPv6 address that ``text`` is in its usual form, else ''.

    IPv4-mapped IPv6 becomes IPv4; a zone (``%eth0``), which is the host's business, is left out.
    """
    if ":" not in text:
        return text if _is_ipv4(text) else ""
    if _is_usual_ipv6(text):
        return text
    address_text, percent, zone = text.partition("%")
    if percent and not _is_zone(zone):
        return ""
    if percent and _is_usual_ipv6(address_text):
        return address_text
    from ipaddress import IPv6Address  # a tenth of a run; only some hosts need it

    try:
        address = IPv6Address(address_text)
    except ValueError:
        return ""
    return str(address.ipv4_mapped or address)


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


HEX = "0123456789abcdef"


def ip_of_bytes(data: bytes) -> str:
    """Return the address in utmp's 16 bytes ``ut_addr_v6`` (network order), '' for none.

    An IPv4 address is alone in the first four bytes, see utmp(5).
    """
    if not any(data):
        return ""
    if not any(data[4:]):
        return ".".join(map(str, data[:4]))
    from ipaddress import IPv6Address

    address = IPv6Address(data)
    return str(address.ipv4_mapped or address)


def is_loopback(ip: str) -> bool:
    """Return whether ``ip``, as parse_ip returns it, is the machine's own loopback."""
    return ip.startswith("127.") or ip == "::1"


def is_number(*words: str) -> bool:
    """Return whether each of ``words`` is a number of one to ten ASCII digits."""
    return all(word.isascii() and word.isdigit() and len(word) <= 10 for word in words)


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    if len(parts) != 4 or not text.isascii():
        return False
    for part in parts:
        if not part.isdigit() or len(part) > 3 or int(part) > 255:
            return False
    return True
