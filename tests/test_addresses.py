"""Addresses as text: what is one, and its one form; the standard library is the measure."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.reading.addresses import ip_of_packed, ip_of_record, packed, parse_ip

# What addresses are made of, and what is near it.
PIECES = (
    "0",
    "00",
    "1",
    "db8",
    "FFFF",
    "ffff",
    "12345",
    ":",
    "::",
    ".",
    "192.0.2.7",
    "g",
    "+1",
    " ",
)
ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.lists(st.sampled_from((0, 0, 1, 0xFFFF)), min_size=8, max_size=8).map(
        lambda groups: ipaddress.IPv6Address(":".join(f"{one:x}" for one in groups))
    ),
    st.ip_addresses(v=4).map(lambda ip: ipaddress.IPv6Address(f"::ffff:{ip}")),
)


def plain(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return the text of an address; IPv4-mapped IPv6 is IPv4."""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)


@pytest.mark.parametrize(
    ("text", "ip", "why"),
    [
        ("2001:db8:0:1::7", "2001:db8:0:1::7", "a zero where the gap is not"),
        ("2001:DB8::7", "2001:db8::7", "capitals"),
        ("2001:0db8:0000:0000:0000:0000:0000:0007", "2001:db8::7", "all digits"),
        ("2001:db8:1:2:3:4:5:0", "2001:db8:1:2:3:4:5:0", "a single zero is no gap"),
        ("2001:db8:1:2:3:4:5::", "2001:db8:1:2:3:4:5:0", "a gap of one"),
        ("::", "::", "all zeros"),
        ("::ffff:192.0.2.7", "192.0.2.7", "IPv4 within IPv6"),
        ("::ffff:c000:207", "192.0.2.7", "the same in digits"),
        ("64:ff9b::192.0.2.7", "64:ff9b::c000:207", "an IPv4 address at its end"),
    ],
)
def test_what_is_an_address(text: str, ip: str, why: str) -> None:
    assert parse_ip(text) == ip, why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1:2:3:4:5:6:7:8::", "a gap for nothing"),
        ("1::2::3", "two gaps"),
        ("192.0.2.7::", "IPv4 may only end it"),
        ("::192.0.2.07", "a zero before a number"),
        ("192.0.2.07", "the same in IPv4, which some take for octal"),
        ("192.0.2.256", "over a byte"),
        ("192.0.2", "three numbers"),
        (":1", "an empty group"),
        ("1:2:3:4:5:6:7:", "at its end"),
        ("::12345", "five digits"),
        ("::+1", "a sign"),
        ("::\uff11", "a digit that is not ASCII"),
        ("", "nothing"),
    ],
)
def test_what_is_no_address(text: str, why: str) -> None:
    assert parse_ip(text) == "", why


@given(ADDRESSES, st.booleans())
def test_each_form_of_an_address_is_read(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, is_exploded: bool
) -> None:
    text = ip.exploded if is_exploded else str(ip)
    assert packed(text) == ip.packed
    assert parse_ip(text) == parse_ip(text.upper()) == ip_of_packed(ip.packed) == plain(ip)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_what_is_none_for_the_standard_library_is_none(text: str) -> None:
    try:
        expected = plain(ipaddress.ip_address(text))
    except ValueError:
        expected = ""
    assert parse_ip(text) == expected


@pytest.mark.parametrize(
    ("data", "ip", "why"),
    [
        (bytes(16), "", "none is recorded"),
        (b"\xc0\0\2\7" + bytes(12), "192.0.2.7", "IPv4 is in the first four bytes"),
        (ipaddress.ip_address("::ffff:192.0.2.7").packed, "192.0.2.7", "IPv4 within IPv6"),
        (ipaddress.ip_address("2001:db8::7").packed, "2001:db8::7", "IPv6"),
    ],
)
def test_the_address_of_a_record(data: bytes, ip: str, why: str) -> None:
    assert ip_of_record(data) == ip, why
