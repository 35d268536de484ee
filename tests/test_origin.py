"""Hosts are not always hosts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textfile_users.sessions.utmp import Origin, parse_origin

CASES = [
    # host field, the record's own address, what it says, why
    ("", "", Origin(), "local"),
    ("client.example.org", "", Origin(host="client.example.org"), "a name"),
    ("client.example.org", "192.0.2.1", Origin(host="client.example.org", ip="192.0.2.1"), "both"),
    ("192.0.2.1", "", Origin(ip="192.0.2.1"), "an address is no name"),
    ("192.0.2.1", "192.0.2.1", Origin(ip="192.0.2.1"), "the same twice"),
    ("192.0.2.256", "", Origin(host="192.0.2.256"), "no address"),
    ("192.0.2.٣", "", Origin(host="192.0.2.٣"), "digits of another script"),
    ("2001:db8::1", "", Origin(ip="2001:db8::1"), "ends like a display, but is an address"),
    ("2001:DB8:0::1", "", Origin(ip="2001:db8::1"), "one form for an address"),
    ("::ffff:192.0.2.1", "", Origin(ip="192.0.2.1"), "IPv4-mapped"),
    ("fe80::1%eth0", "", Origin(ip="fe80::1"), "a zone"),
    ("::1", "", Origin(ip="::1"), "loopback"),
    (":0", "", Origin("x11"), "a display"),
    (":10.0", "", Origin("x11"), "a display's screen"),
    ("localhost:10.0", "", Origin("x11"), "X11 forwarded by sshd"),
    ("192.0.2.1:0.0", "", Origin("x11", ip="192.0.2.1"), "a display elsewhere"),
    ("xterm.example.org:1", "", Origin("x11", "xterm.example.org"), "a display elsewhere"),
    ("login screen", "", Origin("wayland"), "gdm without X11"),
    ("tmux(1555).%0", "", Origin("tmux", server=1555), "tmux"),
    ("tmux(x).%0", "", Origin("unknown"), "not tmux's form, and no name"),
    ("tmux(1).%0 ", "", Origin("unknown"), "not tmux's form, and no name"),
    (":pts/3:S.0", "", Origin("screen"), "screen"),
    (":0:S.0", "", Origin("screen"), "screen in an xterm"),
    (":tty2:S.11", "", Origin("screen"), "screen on a console"),
    ("192.0.2.1:S.2", "", Origin("screen", ip="192.0.2.1"), "screen over SSH"),
    ("client.example.org:S.0", "", Origin("screen", "client.example.org"), "screen over SSH"),
    ("192.0.2.1 via mosh [16338]", "", Origin("mosh", ip="192.0.2.1"), "mosh"),
    ("2001:db8::9 via mosh [16338]", "", Origin("mosh", ip="2001:db8::9"), "mosh"),
    ("fe80::1%eth0 via mosh [3]", "", Origin("mosh", ip="fe80::1"), "a zone before other text"),
    ("mosh [123]", "", Origin("mosh"), "mosh without a client"),
    ("my mosh [123]", "", Origin("unknown"), "not mosh's form, and no name"),
    ("mosh []", "", Origin("unknown"), "not mosh's form, and no name"),
    ("mosh [123", "192.0.2.7", Origin("unknown", ip="192.0.2.7"), "cut off, the address is not"),
    ("mosh.example.org", "", Origin(host="mosh.example.org"), "a host of that name"),
    ("et [7001]", "", Origin("et"), "Eternal Terminal has its pid there"),
    ("192.0.2.1 via et [7001]", "", Origin("et", ip="192.0.2.1"), "with a client"),
    ("client.example.org via et [7]", "", Origin("et", "client.example.org"), "with a client"),
    ("via et [7001]", "", Origin("et"), "without"),
    ("planet [7001]", "", Origin("unknown"), "another's form"),
    ("et", "", Origin(host="et"), "a host of that name"),
    ("UNKNOWN", "", Origin("unknown"), "sshd: its socket is no TCP connection"),
    ("UNKNOWN", "192.0.2.1", Origin("unknown", ip="192.0.2.1"), "the record has the address"),
    ("(unknown)", "", Origin("unknown"), "a word for nobody knows"),
    ("unknown.example.org", "", Origin(host="unknown.example.org"), "a host of that name"),
    ("UNKNOWN:0.0", "", Origin("x11"), "its display"),
    ("?", "", Origin("unknown"), "likewise"),
    ("-", "", Origin("unknown"), "likewise"),
    ("0.0.0.0", "", Origin("unknown"), "no address of anybody"),
    ("::", "", Origin("unknown"), "no address of anybody"),
    ("localhost", "", Origin(), "the machine itself"),
    ("LOCALHOST", "127.0.0.1", Origin(ip="127.0.0.1"), "the machine itself"),
    ("localhost.localdomain", "", Origin(), "of RHEL's hosts file"),
    ("ip6-localhost", "::1", Origin(ip="::1"), "of Debian's hosts file"),
    ("localhost.example.org", "", Origin(host="localhost.example.org"), "another machine"),
    ("unix:0", "", Origin("x11"), "a display by its socket"),
    ("unix:0.0", "", Origin("x11"), "a display by its socket"),
    ("unix:/run/user/1000/x", "", Origin(), "a local socket"),
    (":1:S.0", "", Origin("screen"), "screen in an xterm of another display"),
    ("xrdp", "", Origin(), "no host, but what made the session"),
    ("tty", "", Origin(), "no host"),
    ("[2001:db8::7]", "", Origin(ip="2001:db8::7"), "in brackets"),
    ("[2001:db8::7]:4242", "", Origin(ip="2001:db8::7"), "with its port"),
    ("[192.0.2.7]:22", "", Origin(ip="192.0.2.7"), "with its port"),
    ("192.0.2.7:54321", "", Origin(ip="192.0.2.7"), "with its port: no display has that number"),
    ("192.0.2.7:10", "", Origin("x11", ip="192.0.2.7"), "a display"),
    ("[client]:22", "", Origin("unknown"), "no address in the brackets"),
    ("a host", "", Origin("unknown"), "no name has blanks"),
    ("evil\x1b[2J", "", Origin("unknown"), "no name has control characters"),
    ("b\\xffad", "", Origin("unknown"), "bytes that were no UTF-8"),
    ("host_1.example.org", "", Origin(host="host_1.example.org"), "underscores are in use"),
    ("rechnér.example.org", "", Origin(host="rechnér.example.org"), "as are other letters"),
    ("tty2", "", Origin(), "gdm names the terminal itself"),
    ("tty2.example", "192.0.2.7", Origin("", "tty2.example", "192.0.2.7"), "a client's name"),
    ("192.0.2.9.example", "192.0.2.7", Origin("", "192.0.2.9.example", "192.0.2.7"), "UseDNS yes"),
    ("192.0.2.9.example", "", Origin("", "192.0.2.9.example"), "UseDNS yes, of logind"),
    ("6.1.0-18-amd64", "", Origin(host="6.1.0-18-amd64"), "a kernel, in boot records only"),
    ("h" * 256, "", Origin(host="h" * 256), "cut by utmp"),
]


@pytest.mark.parametrize(("text", "ip", "origin", "why"), CASES)
def test_host_fields(text: str, ip: str, origin: Origin, why: str) -> None:
    assert parse_origin(text, ip) == origin, why


@given(st.text(st.sampled_from("tmux()[].%:S0123456789 viamosh/"), max_size=30))
def test_any_text_gives_one_kind(text: str) -> None:
    origin = parse_origin(text)
    assert origin.kind in ("", "tmux", "screen", "mosh", "et", "x11", "wayland", "unknown")
    assert not (origin.host and origin.ip)
