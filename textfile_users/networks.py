"""Names for the networks that sessions and attempts are from."""

from __future__ import annotations

from textfile_users.reading.addresses import is_decimal, packed
from textfile_users.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_NAME_BYTES = 128  # of a label value
IPV4, IPV6 = 32, 128  # bits of an address
_MAPPED = 0xFFFF  # the first 96 bits of an IPv4 address within IPv6


class Network(Record):
    """A network and its name.

    Its addresses have ``width`` bits, of which the first ``length`` are the number ``prefix``.
    """

    name: str
    width: int
    length: int
    prefix: int


def parse_network(text: str) -> Network:
    """Return what ``NAME=CIDR`` says, IPv4 or IPv6; an address alone is a network of one.

    Raises ValueError with what is wrong.
    """
    name, equals, cidr = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not NAME=CIDR, such as office=192.0.2.0/24")
    if not name.strip():
        raise ValueError(f"{text!r} has no name before the =")
    if not name.isprintable():
        raise ValueError(f"the name {name!r} has characters that cannot be printed")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"the name {name!r} is longer than {MAX_NAME_BYTES} bytes")
    return Network(name, *_parse_cidr(cidr))


def network_of(ip: str, networks: Iterable[Network]) -> str:
    """Return the name of the first of ``networks`` that holds ``ip``, '' for none.

    ``ip`` is an address as parse_ip returns it, or a network's, which is to be held as a whole.
    """
    address, slash, length_text = ip.partition("/")
    try:
        width, number = _parse_address(address)
        length = int(length_text) if slash else width
    except ValueError:
        return ""
    for one in networks:
        is_within = one.width == width and one.length <= length
        if is_within and number >> (width - one.length) == one.prefix:
            return one.name
    return ""


def _parse_cidr(text: str) -> tuple[int, int, int]:
    """Return width, length and prefix. Raises ValueError."""
    address, slash, length_text = text.partition("/")
    try:
        width, number = _parse_address(address)
    except ValueError:
        raise ValueError(f"{address!r} is not an IPv4 or IPv6 address") from None
    length = width
    if slash:
        if not is_decimal(length_text) or int(length_text) > width:
            raise ValueError(f"{text!r} does not end in a length from /0 to /{width}")
        length = int(length_text)
    if number & ((1 << (width - length)) - 1):
        raise ValueError(f"{text!r} is an address in a network, which is {_right(text)}")
    prefix = number >> (width - length)
    if width == IPV6 and number >> IPV4 == _MAPPED:  # so length is 96 at least
        width, length, prefix = IPV4, length - 96, (number & 0xFFFF_FFFF) >> (width - length)
    return width, length, prefix


def _right(text: str) -> str:
    from ipaddress import ip_network

    return str(ip_network(text, strict=False))


def _parse_address(text: str) -> tuple[int, int]:
    """Return how many bits an address has, and its number. Raises ValueError."""
    data = packed(text)
    return 8 * len(data), int.from_bytes(data, "big")
