"""`--network`: names for networks, from the command line to the labels."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import time
from pathlib import Path
from typing import Union

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, Host, Record, Run
from textfile_users.cli import main
from textfile_users.collecting import Wanted
from textfile_users.networks import Network, network_of, parse_network
from textfile_users.paths import Paths
from textfile_users.scan import scan

Networks = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


NO_ADDRESS = {
    "a=192.0.2.0.0/24": "five numbers",
    "a=192.0.2.256": "a number over 255",
    "a=192.0.2.010": "octal for some, decimal for others",
    "a= 192.0.2.0/24": "a blank",
    "a=١٩٢.0.2.0": "digits of another script",
    "a=host.example/24": "nothing is resolved",
    "a=2001:db8/32": "two groups without ::",
    "a=2001:db8::1::/64": ":: twice",
    "a=1:2:3:4::5:6:7:8": ":: for nothing",
    "a=2001:db8::12345": "five digits",
    "a=2001:db8::+1": "a sign",
    "a=fe80::1%eth0": "a zone",
    "a=192.0.2.0::": "IPv4 may only end it",
}
NO_LENGTH = {
    "a=192.0.2.0/-1": "less than none",
    "a=192.0.2.0/024": "a zero before it",
    "a=192.0.2.0/24/24": "two of them",
    "a=192.0.2.0/255.255.255.0": "a mask",
}


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        ("office", "'office' is not NAME=CIDR, such as office=192.0.2.0/24", "no ="),
        ("", "'' is not NAME=CIDR", "nothing"),
        ("=192.0.2.0/24", "'=192.0.2.0/24' has no name before the =", "no name"),
        ("  =192.0.2.0/24", "has no name before the =", "blanks are no name"),
        ("a\nb=192.0.2.0/24", "the name 'a\\nb' has characters that cannot be printed", "newline"),
        ("a\x1b[2J=192.0.2.0/24", "cannot be printed", "a terminal's escape"),
        ("a\udcff=192.0.2.0/24", "cannot be printed", "a byte that is not UTF-8"),
        ("x" * 129 + "=192.0.2.0/24", "is longer than 128 bytes", "more than a label holds"),
        ("ü" * 65 + "=192.0.2.0/24", "is longer than 128 bytes", "130 bytes in 65 characters"),
        ("a=", "'' is not an IPv4 or IPv6 address", "no network"),
        ("a=/24", "'' is not an IPv4 or IPv6 address", "a length alone"),
        ("a=192.0.2/24", "'192.0.2' is not an IPv4 or IPv6 address", "three numbers"),
        ("a=b=192.0.2.0/24", "'b=192.0.2.0' is not an IPv4 or IPv6 address", "two ="),
        ("a=192.0.2.0/", "'192.0.2.0/' does not end in a length from /0 to /32", "no length"),
        ("a=192.0.2.0/33", "does not end in a length from /0 to /32", "more bits than there are"),
        *((text, "is not an IPv4 or IPv6 address", why) for text, why in NO_ADDRESS.items()),
        *((text, "does not end in a length", why) for text, why in NO_LENGTH.items()),
        ("a=2001:db8::/129", "does not end in a length from /0 to /128", "IPv6 has 128"),
        (
            "a=192.0.2.7/24",
            "'192.0.2.7/24' is an address in a network, which is 192.0.2.0/24",
            "bits behind the length",
        ),
        (
            "a=2001:db8:0:5::/48",
            "'2001:db8:0:5::/48' is an address in a network, which is 2001:db8::/48",
            "the same",
        ),
    ],
)
def test_what_is_no_network_is_refused(
    text: str, message: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError) as refused:
        parse_network(text)
    assert message in str(refused.value), why
    assert main(["--network", text, "--output", "/nonexistent/x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("textfile-users: argument --network: ")
    assert said.count("\n") == 1, why


@pytest.mark.parametrize(
    ("ip", "name", "why"),
    [
        ("192.0.2.7", "office", "in it"),
        ("192.0.2.255", "office", "its last"),
        ("198.51.100.6", "", "the one before it is not"),
        ("198.51.100.7", "printer", "an address alone is a network of one"),
        ("198.51.100.8", "", "its neighbour is not"),
        ("203.0.113.200", "half", "the first that holds it, not the narrowest"),
        ("203.0.113.1", "all", "the later one, where the first does not"),
        ("2001:db8:1::7", "site", "IPv6"),
        ("2001:db8:2::7", "", "another site"),
        ("2001:db8::7", "six", "one address"),
        ("2001:db8:1:2::/64", "site", "a network of failures, within"),
        ("2001:db8::/64", "", "one that holds more than the network does"),
        ("2001::/16", "", "the same, wider"),
        ("2001:db8:9::/64", "", "the same, though the network's bits are zeros"),
        ("::ffff:192.0.2.7", "", "parse_ip returns it as IPv4"),
        ("", "", "no address"),
        ("host.example", "", "a name"),
        ("010.0.0.1", "", "octal for some"),
        ("192.0.2.7/x", "", "no length"),
    ],
)
def test_the_first_that_holds_an_address_names_it(ip: str, name: str, why: str) -> None:
    texts = (
        "office=192.0.2.0/24", "printer=198.51.100.7", "half=203.0.113.128/25",
        "all=203.0.113.0/24", "site=2001:db8:1::/48", "six=2001:db8::7", "zero=2001:db8:9::/96",
    )  # fmt: skip
    assert network_of(ip, list(map(parse_network, texts))) == name, why


def test_networks_of_everything_and_of_mapped_addresses() -> None:
    four, six = parse_network("4=0.0.0.0/0"), parse_network("6=::/0")
    assert network_of("192.0.2.7", [six, four]) == "4", "IPv6's holds no IPv4"
    assert network_of("2001:db8::7", [four, six]) == "6"
    mapped = parse_network("m=::ffff:192.0.2.0/120")
    assert mapped == parse_network("m=192.0.2.0/24")
    assert parse_network("ü ' \"=192.0.2.7/32") == Network("ü ' \"", 32, 32, 0xC0000207)


TEXTS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map(lambda ip: ip.exploded),
    st.text("0123456789abcdefF:./g%", max_size=20),
    st.lists(st.sampled_from(["0", "1", "ffff", "192.0.2.1", "", "10000"]), max_size=10).map(
        ":".join
    ),
)


@given(TEXTS)
@example("::")
@example("::ffff:192.0.2.1")
@example("1:2:3:4:5:6:7::")
@example("1:2:3:4:5:6:192.0.2.1")
def test_addresses_are_those_of_the_standard_library(text: str) -> None:
    try:
        expected: Networks | None = ipaddress.ip_network(text, strict=False)
    except ValueError:
        expected = None
    if "/" in text or "%" in text:  # theirs takes masks and zones
        return
    try:
        found: Network | None = parse_network(f"a={text}")
    except ValueError:
        found = None
    assert (found is None) == (expected is None)
    mapped = getattr(expected and expected.network_address, "ipv4_mapped", None)
    if found and expected:
        assert found.prefix == int(mapped or expected.network_address)


@given(st.ip_addresses(), st.data())
def test_networks_hold_what_they_do_in_the_standard_library(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, ip.max_prefixlen))
    network = ipaddress.ip_network((ip, length), strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped and length >= 96:
        return
    other = data.draw(st.one_of(st.ip_addresses(v=ip.version), st.just(ip)))
    found = network_of(str(other), [parse_network(f"a={network}")])
    assert found == ("a" if other in network else "")
    with pytest.raises(ValueError, match="which is") if ip != network[0] else _nothing():
        parse_network(f"a={ip}/{length}")


class _nothing:  # noqa: N801 - as contextlib.nullcontext, which has no name of its own here
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def failed(host: Host, *addresses: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - 1))
    lines = [
        f"{stamp} host sshd[{5000 + n}]: Failed password for root from {ip} port 1 ssh2\n"
        for n, ip in enumerate(addresses)
    ]
    host.write("var/log/auth.log", "".join(lines))


FLAGS = (
    "--network", "office=192.0.2.0/24", "--network", "site=2001:db8:1::/48", "--network",
    "loop=127.0.0.0/8",
)  # fmt: skip


def test_sessions_and_failures_have_the_networks_name(run: Run) -> None:
    for pid in range(1000, 1006):
        run.host.process(pid, "sshd" if pid != 1004 else "login")
    run.host.utmp(
        Record(pid=1000, line="pts/0", host="192.0.2.7", ip="192.0.2.7"),
        Record(pid=1001, line="pts/1", host="client.example", ip="2001:db8:1::7"),
        Record(pid=1002, line="pts/2", host="198.51.100.7", ip="198.51.100.7"),
        Record(pid=1003, line="pts/3", host="127.0.0.1", ip="127.0.0.1"),
        Record(pid=1004, line="tty1", host=""),
        Record(pid=1005, line="pts/5", host="::ffff:192.0.2.8"),
    )
    failed(run.host, "192.0.2.9", "2001:db8:1:2::9", "2001:db8:2::9", "::ffff:192.0.2.10")
    names = {}
    assert run(*FLAGS) == (0, "")
    for name in run.samples():
        if name.startswith("users_session_info"):
            labels = dict(pair.split("=", 1) for pair in name[19:-1].split(","))
            names[labels["tty"].strip('"')] = labels["remote_network"].strip('"')
    assert names == {
        "pts/0": "office", "pts/1": "site", "pts/2": "", "pts/3": "loop", "tty1": "local",
        "pts/5": "office",
    }  # fmt: skip
    assert {n for n in run.samples() if n.startswith("users_auth_failures_last_hour")} == {
        'users_auth_failures_last_hour{remote_ip="192.0.2.9",remote_network="office"}',
        'users_auth_failures_last_hour{remote_ip="192.0.2.10",remote_network="office"}',
        'users_auth_failures_last_hour{remote_ip="2001:db8:1:2::/64",remote_network="site"}',
        'users_auth_failures_last_hour{remote_ip="2001:db8:2::/64",remote_network=""}',
    }


def test_what_is_remembered_does_not_change_with_the_networks(run: Run) -> None:
    """A timer that is given a network ends no session and begins none."""
    run.host.process(1000, "sshd")
    run.host.utmp(Record(host="192.0.2.7", ip="192.0.2.7"))
    failed(run.host, "192.0.2.9")
    assert run("-v") == (0, "")
    remembered = (run.state / "volatile.json").read_text(), (run.state / "durable.json").read_text()
    assert run("-v", *FLAGS) == (0, "")
    after = (run.state / "volatile.json").read_text(), (run.state / "durable.json").read_text()
    assert after == remembered
    assert "office" not in "".join(after)


def test_a_look_names_networks_for_whoever_looks(tmp_path: Path) -> None:
    """`show` and the public functions get them by the scan, too."""
    host = Host(str(tmp_path))
    host.logind("5", LEADER=1, REMOTE_HOST="192.0.2.7", REALTIME=BOOT * 1_000_000)
    failed(host, "192.0.2.9", "198.51.100.9")
    wanted = Wanted(networks=tuple(map(parse_network, FLAGS[1::2])))
    snapshot, _ = scan(Paths(host.root), NOW, wanted, timeout=60.0)
    assert [one.network for one in snapshot.sessions or ()] == ["office"]
    assert snapshot.networks == {"192.0.2.9": "office", "198.51.100.9": ""}
    assert not scan(Paths(host.root), NOW, Wanted(), timeout=60.0)[0].networks


def test_neither_the_flag_nor_its_absence_imports_ipaddress(tmp_path: Path) -> None:
    host = Host(str(tmp_path / "host"))
    host.logind("5", LEADER=1, REMOTE_HOST="192.0.2.7")
    code = (
        "import sys\n"
        "from textfile_users.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(sorted({'ipaddress', 'textfile_users.networks', 'textfile_users.metrics.redaction',"
        " 'textfile_users.metrics.sums', '_blake2', 'hashlib'} & set(sys.modules)))"
    )
    state = str(tmp_path / "state")
    argv = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        code,
        "--root",
        host.root,
        "--output",
        str(tmp_path / "users.prom"),
        "--state-directory",
        state,
        "--runtime-directory",
        state,
    ]
    code = f"import sys; sys.path[:0] = {[p for p in sys.path if p]!r}\n" + code  # no .pth file
    argv[4] = code
    for flags, modules in (([], []), (list(FLAGS), ["textfile_users.networks"])):
        done = subprocess.run([*argv, *flags], capture_output=True, text=True, check=True)
        assert done.stdout == f"{modules}\n"
