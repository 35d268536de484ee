"""`--redact`: what leaves the program without the names, hosts and addresses that it is about."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hosts import BOOT, NOW, Host, Record, Run
from textfile_users import run as collect_module
from textfile_users.accounts.account import Account
from textfile_users.collecting import AUTH, HISTORY, OK, REDACTABLE, SourceReport
from textfile_users.connections.connection import Connection
from textfile_users.counting import (
    ESCALATION_FAILURES,
    ESCALATIONS,
    FAILURES,
    LOGINS,
    SUCCESSES,
    USERS,
)
from textfile_users.metrics import SETS, families_of, redaction
from textfile_users.metrics.family import render
from textfile_users.metrics.redaction import hider, mend_of, read_key, redact
from textfile_users.metrics.slices import FAMILIES as SLICES
from textfile_users.metrics.users import FAMILIES
from textfile_users.sessions import collect_sessions as sessions_collector
from textfile_users.sessions.activity import Activity
from textfile_users.sessions.logind import LogindSession
from textfile_users.sessions.session import Session
from textfile_users.sessions.utmp import UtmpRecord
from textfile_users.snapshot import CollectorReport, Snapshot

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
ALL = REDACTABLE
# A figure of each family; "" has those of all users.
FIGURES = {(name, *labels[1:]): 3.0 for name, (_, labels) in SLICES.items()}
HASH = re.compile("[0-9a-f]{16}")

# What becomes of each field of a snapshot: add a field here when it is added there, and say it
# in redact(), which leaves out what it does not name.
FIELDS = {
    "now": "stays",
    "sessions": "hidden",
    "dropped": "stays",
    "closing": "stays",
    "recent": "hidden",
    "gone": "hidden",
    "whole": "stays",
    "sources": "without faults",
    "collectors": "stays",
    "faults": "left out",
    "verdicts": "hidden",
    "counters": "hidden",
    "failures": "hidden",
    "last_logins": "hidden",
    "auth_log": "stays",
    "last_log": "stays",
    "caught_up": "stays",
    "explained": "left out",
    "connections": "hidden",
    "accounts": "hidden",
    "activities": "hidden",
    "cpu_seconds": "hidden",
    "usages": "hidden",
    "cpu_ratios": "hidden",
    "refused_users": "left out",
    "networks": "hidden",
    "root": "hidden",
    "root_logins": "stays",
    "attempts": "stays",
    "network_count": "stays",
    "system_users": "hidden",
    "slices": "hidden",
    "slices_dropped": "stays",
}


# The same for what a snapshot's records hold; "kept" is no name, host, address, uid or command.
RECORDS: dict[Any, tuple[str, str]] = {
    Session: ("user host ip recorded", "id tty type service network start leader"),
    Account: ("user uid group name", ""),
    Connection: ("ip uid", "service port inode pid display"),
    Activity: (
        "command",
        "cpu processes last_activity command_pid command_cpu terminal_cpu resident",
    ),
    UtmpRecord: ("user host ip", "type pid line id session time"),
    LogindSession: ("user host", "id state class_ type service tty leader start"),
    SourceReport: ("faults", "name status unusable"),
    CollectorReport: ("", "name success seconds"),
}


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a good key file, which takes the place of the host's."""
    directory = tmp_path / "etc"
    directory.mkdir(mode=0o700)
    path = directory / "redact.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    monkeypatch.setattr(collect_module, "REDACT_KEY", str(path))
    return path


def hashed(field: str, text: str, key: bytes = KEY) -> str:
    return hider(ALL, key)(field, text)


# User, host, address, real name, group and command of somebody, marked so that they are found.
SECRETS = ("zquser", "zqhost.example", "192.0.2.77", "zqreal", "zqgroup", "zqcommand")
UID = 747_474


def full(
    user: str = SECRETS[0], host: str = SECRETS[1], ip: str = SECRETS[2], rest: str = ""
) -> Snapshot:
    """Return a snapshot with a value in each field."""
    _, _, _, name, group, command = (text + rest for text in SECRETS)
    session = Session("1", user, "pts/0", "ssh", "sshd", host, ip, "office", NOW - 60, 1000, host)
    other = session._replace(id="2", tty="pts/1", ip="", recorded=f"{host} via mosh [1]")
    record = UtmpRecord(7, 1000, "pts/0", "ts/0", user, host, ip, 0, NOW)
    logind = LogindSession("3", user, "closing", "user", "tty", "sshd", "", host, 1000, NOW)
    return Snapshot(
        now=NOW,
        sessions=(session, other),
        dropped=1,
        closing=1,
        recent=((user, "tty"),),
        whole=False,
        gone=((user, host, ip, "pts/7"), (user, f"{host} via mosh [1]", host, "pts/8")),
        sources=(SourceReport("utmp", OK, (f"fault of {user}",), (("damaged", 1),)),),
        collectors=(CollectorReport(AUTH, True, 0.5), CollectorReport(HISTORY, True, 0.5)),
        faults=(f"fault of {user}",),
        verdicts=((record, "counts"), (logind, "does not"), (session, "counts")),
        counters={
            (SUCCESSES, "sshd", "password", user): 1.0,
            (FAILURES, "sshd", "password", user): 2.0,
            (FAILURES, "sshd", "password", ""): 3.0,
            (ESCALATIONS, "sudo", user, user + "2"): 4.0,
            (ESCALATION_FAILURES, "su", "", user): 5.0,
            (LOGINS, user, "ssh"): 6.0,
            (LOGINS, "root", "ssh"): 7.0,
            ("users_auth_probes_total", "sshd", "closed"): 8.0,
            ("users_reboots_total", "clean"): 9.0,
        },
        failures={ip: {int(NOW // 60): 3}, "2001:db8:47::/64": {int(NOW // 60): 1}},
        last_logins={user: NOW},
        auth_log="authlog",
        last_log="authlog",
        explained=(f"line of sshd: {user} {ip}",),
        connections=(Connection("ssh", ip, 1, 2, 3, UID),),
        accounts=(Account(user, UID, group, name),),
        activities={"1": Activity(1.5, 2, NOW - 5, 1000, 1.0, command, 1.0)},
        cpu_seconds={user: 1.5},
        usages={user: (4096, 2)},
        cpu_ratios={user: 0.5},
        refused_users={ip: {user: 1}},
        networks={ip: "office"},
        root_logins=7.0,
        attempts=4,
        system_users=frozenset((user + "3",)),
        network_count=2,
        slices=dict.fromkeys((user, ""), FIGURES),
        slices_dropped=1,
    )


def every_set(snapshot: Snapshot) -> str:
    return "".join(render(families_of(name, snapshot)) for name in SETS)


def test_it_is_decided_what_becomes_of_each_field() -> None:
    assert set(FIELDS) == set(Snapshot._fields), "say in FIELDS what becomes of it, and do it"
    before = full()
    after = redact(before, ALL, KEY)
    nothing = Snapshot(0.0, None)
    for field, decision in FIELDS.items():
        value, shown = getattr(before, field), getattr(after, field)
        # The sample says something of each: else nothing is shown of it here.
        assert value != getattr(nothing, field) or field in ("caught_up", "root"), field
        if decision == "stays":
            assert shown == value, field
        elif decision == "hidden":
            assert shown != value, field
            assert len(repr(shown)) > 10, field
        elif decision == "left out":
            assert shown == getattr(nothing, field), field
    assert after.sources == (SourceReport("utmp", OK, (), (("damaged", 1),)),)


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_it_is_decided_what_becomes_of_the_fields_of_its_records(kind: Any) -> None:
    hidden, kept = (names.split() for names in RECORDS[kind])
    assert {*hidden, *kept} == set(kind._fields), "decide it in redaction.py, and say it here"
    before = next(one for one in _records(full()) if type(one) is kind)
    after = next(one for one in _records(redact(full(), ALL, KEY)) if type(one) is kind)
    for name in hidden:
        assert getattr(after, name) != getattr(before, name), name
    for name in kept:
        assert getattr(after, name) == getattr(before, name), name


def _records(value: object) -> Iterator[tuple[object, ...]]:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        yield value
        for one in value:
            yield from _records(one)


def test_nothing_of_it_is_left_anywhere() -> None:
    before, after = full(), redact(full(), ALL, KEY)
    for secret in (*SECRETS, str(UID), "2001:db8:47"):
        assert secret in repr(before)
        assert secret not in repr(after)
        assert secret in every_set(before)
    assert "'root'" not in repr(after)
    text = every_set(after)
    for secret in (*SECRETS, str(UID), "2001:db8:47", '"root"'):
        assert secret not in text
    assert hashed("user", "zquser") in text
    # Each kind of label, in each set.
    assert len(re.findall(r'uid=""', text)) == 2
    assert 'primary_group="",real_name=""' in text
    assert 'what="-"' in text
    assert "users_session_command_info" not in text


def test_what_is_known_without_names_is_as_before() -> None:
    """The same families, as many samples of each, the same values."""

    def values(snapshot: Snapshot) -> list[tuple[str, float]]:
        return sorted(
            (sample.name, sample.value)
            for name in SETS
            for family in families_of(name, snapshot)
            for sample in family.samples
            if family.name != "users_session_command_info"
        )

    assert values(redact(full(), ALL, KEY)) == values(full())
    after = redact(full(), ALL, KEY)
    assert "user_sessions_root_logins_total 7.0" in every_set(after)
    assert [one.network for one in after.sessions or ()] == ["office", "office"]
    assert after.networks == {hashed("ip", "192.0.2.77"): "office"}
    assert {one.id for one in after.sessions or ()} == {"1", "2"}


def test_zeros_of_root_have_its_hash(run: Run, key: Path) -> None:
    run.host.write("var/log/auth.log", "")
    assert run("--redact", "user") == (0, "")
    name = 'users_auth_failures_total{method="password",program="sshd",user="%s"}'
    assert run.samples()[name % hashed("user", "root")] == 0
    assert run.samples()[name % ""] == 0
    assert "root" not in run.output.read_text()


def test_each_label_of_a_counter_that_is_a_user_is_known() -> None:
    """A family that is added with a user has to be named in USERS."""
    for name, (_, labels) in FAMILIES.items():
        if name.endswith("_total") and name != "users_cpu_seconds_total":
            places = [1 + n for n, label in enumerate(labels) if label in ("user", "target_user")]
            assert list(USERS.get(name, ())) == places, name
            assert not {"remote_host", "remote_ip"} & set(labels), name


@pytest.mark.parametrize("field", ALL)
def test_a_field_alone(field: str) -> None:
    """The others stay; uids, groups, real names and commands go with any."""
    text = every_set(redact(full(), (field,), KEY))
    values = dict(zip(ALL, SECRETS))
    for name, value in values.items():
        assert (value in text) == (name != field), name
        assert (hashed(name, value) in text) == (name == field), name
    for secret in (*SECRETS[3:], str(UID)):
        assert secret not in text
    # What has ended has the label that it had.
    shown = redact(full(), (field,), KEY)
    assert {written for _, written, _, _ in shown.gone} == {
        one.written for one in shown.sessions or ()
    }


# Fields of a host that are shown as they are, and such as are not.
SHOWN = {
    ":0": "a display",
    ":10.0": "a display and its screen",
    ":pts/3:S.0": "a window of screen",
    "tmux(123).%0": "one of tmux",
    "mosh [12]": "mosh, whose peer is gone",
    "et [7001]": "et",
    "login screen": "gdm's",
    "": "nothing",
}
NOT_SHOWN = {
    ":zqsecret:S.0": "what only looks like a window",
    ":192.0.2.7:S.0": "likewise",
    "::ffff:192.0.2.7 (zqlaptop) via mosh [77]": "a peer",
    ":198.51.100.9 x y via mosh [3]": "likewise",
    "mosh [192.0.2.7 via mosh [5]": "likewise",
    "login screen 192.0.2.7:S.0": "likewise",
    "192.0.2.7, 198.51.100.9": "two",
    "192.0.2.7 zqsecret": "a word behind",
    "192.0.2.7/24": "a network",
    "fe80::1%eth0": "with a zone",
    "192.0.2.7:10.0": "with a display",
    "0.0.0.0": "an address, whatever it means",
}


@pytest.mark.parametrize(
    ("text", "shown", "why"),
    [
        *((text, True, why) for text, why in SHOWN.items()),
        *((text, False, why) for text, why in NOT_SHOWN.items()),
    ],
)
@pytest.mark.parametrize("fields", [("ip",), ("host", "ip"), ALL])
def test_a_host_field_is_shown_only_if_it_is_known_whole(
    text: str, shown: bool, why: str, fields: tuple[str, ...]
) -> None:
    session = Session("1", "u", "pts/0", "ssh", "sshd", "", "", "", NOW, 1, text)
    one = full()._replace(sessions=(session,), gone=(("u", text, text, "pts/1"),))
    after = redact(one, fields, KEY)
    (recorded,) = (session.recorded for session in after.sessions or ())
    ((_, written, numeric, _),) = after.gone
    for found in (recorded, written, numeric):
        assert (found == text) is shown, why
        assert shown or not re.search(r"192\.0|198\.51|zq|fe80|0\.0\.0\.0", found), found


def test_hashes() -> None:
    hide = hider(ALL, KEY)
    assert HASH.fullmatch(hide("user", "alice"))
    assert hide("user", "") == ""
    assert hide("user", "alice") == hider(("user",), KEY)("user", "alice"), "on every host"
    theirs = hashlib.blake2b(b"alice", digest_size=8, key=KEY, person=b"user")
    assert hide("user", "alice") == theirs.hexdigest()
    assert hide("user", "alice") != hider(ALL, OTHER_KEY)("user", "alice"), "with this key only"
    assert hide("user", "alice") != hide("host", "alice"), "a host is not a user"
    assert hide("user", "alice") != hide("user", "Alice")
    names = [f"user{number}" for number in range(20_000)]
    assert len({hide("user", name) for name in names}) == len(names)
    long = "u" * 127
    assert hide("user", long + "xy") != hide("user", long + "xz"), "beyond what a label holds"
    assert HASH.fullmatch(hide("user", "a\udcff\0\n🙂"))
    assert hider((), KEY)("user", "alice") == "alice"


TEXTS = st.text(min_size=1, max_size=40).map(lambda text: f"zq{text}")


@given(TEXTS, TEXTS, st.ip_addresses().map(str), TEXTS, st.sets(st.sampled_from(ALL), min_size=1))
def test_no_set_shows_what_is_hidden(
    user: str, host: str, ip: str, rest: str, fields: set[str]
) -> None:
    text = every_set(redact(full(user, host, ip, rest), tuple(fields), KEY))
    visible = {"user": user, "host": host, "ip": ip}
    hidden = [value for name, value in visible.items() if name in fields]
    if not {"user", "host"} <= fields:  # else one may be within the other
        hidden = [one for one in hidden if all(one not in visible[f] for f in set(ALL) - fields)]
    labels = set(re.findall(r'"((?:[^"\\]|\\.)*)"', text))
    for value in hidden:
        escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        assert escaped not in labels
        assert f"{escaped}2" not in labels
    for secret in SECRETS[3:]:
        assert not any(label.startswith(secret) for label in labels)


# The whole program


def somebody(host: Host) -> None:
    """Two people, one from a named host, with a command, failures, sudo and su."""
    for pid, uid in ((1000, 1000), (1100, 1001)):
        host.process(pid, "sshd")
        host.process(pid + 1, "bash", pid, title="zqcommand --password zq", uid=uid)
    host.utmp(
        Record(line="pts/0", pid=1000, host="192.0.2.77", ip="192.0.2.77"),
        Record("bob", "pts/1", 1100, BOOT + 5_001, "zqhost.example", "2001:db8:47::7"),
        Record("carol", "pts/2", 999, host="zqstale.example"),
    )
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW))
    lines = (
        "sshd[1]: Failed password for alice from 192.0.2.78 port 1 ssh2",
        "sshd[2]: Failed password for invalid user zqnobody from 2001:db8:47:1::1 port 1 ssh2",
        "sshd[3]: Accepted password for bob from 192.0.2.79 port 1 ssh2",
        "sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/zqcommand",
        "su[5]: (to bob) alice on pts/0",
        "sshd[6]: zq what nobody knows",
    )
    host.write("var/log/auth.log", "".join(f"{stamp} host {line}\n" for line in lines))


REAL = re.compile(
    r'alice|bob|carol|"root"|zq|example|192\.0\.2|2001:db8|Alice|Bob|users"|"100[01]"|of root'
)


@pytest.mark.parametrize("sets", [*SETS, ",".join(SETS)])
def test_the_file_and_what_is_said(run: Run, key: Path, sets: str) -> None:
    run.host.write("var/log/auth.log", "")
    flags = ("--redact", "user,host,ip", "--session-command", "--metrics", sets, "-vv")
    assert run(*flags) == (0, "")
    somebody(run.host)
    status, said = run(*flags, at=5)
    assert status == 0
    assert len(re.findall("session begun", said)) == 2
    assert "utmp record pts/2" in said
    assert hashed("user", "alice") in said
    text = run.output.read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for shown in (bare, said):
        assert REAL.findall(shown) == []
    run.host.utmp()
    said = run(*flags, at=10)[1]
    assert f"session ended: pts/1 of {hashed('user', 'bob')}, ssh pts/1\n" in said
    bare = re.sub("(?m)^#.*", "", run.output.read_text())
    assert REAL.findall(bare + said) == []
    if "what" in sets:  # it has ended, and its label is the one that it had
        series = (
            f'what_each_session_currently_active{{ip="{hashed("ip", "2001:db8:47::7")}",'
            f'tty="pts/1",user="{hashed("user", "bob")}"}}'
        )
        assert f"{series} 1.0" in text
        assert f"{series} 0.0" in run.output.read_text()


def test_the_state_goes_on_counting_whatever_is_shown(run: Run, key: Path) -> None:
    """The flag can be given and taken away: no counter begins anew, nothing ends."""
    run.host.write("var/log/auth.log", "")
    run()
    somebody(run.host)
    run("--redact", "user", at=5)
    name = 'users_auth_failures_total{method="password",program="sshd",user="%s"}'
    assert run.samples()[name % hashed("user", "alice")] == 1
    assert run("-v", at=10) == (0, ""), "no session begins or ends"
    assert run.samples()[name % "alice"] == 1
    assert '"alice"' in (run.state / "durable.json").read_text()


def test_exclusion_is_by_the_real_name(run: Run, key: Path) -> None:
    somebody(run.host)
    run("--redact", "user", "--exclude-user", "ali*")
    text = run.output.read_text()
    assert hashed("user", "alice") not in text.replace("target_user", "")
    assert hashed("user", "bob") in text


def test_unexpected_errors_tell_no_values(
    run: Run, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("zqalice")

    somebody(run.host)
    monkeypatch.setattr(sessions_collector, "merge", broken)
    assert "sessions: KeyError: 'zqalice'\n" in run()[1]
    assert "textfile-users: sessions: KeyError\n" in run("--redact", "host", at=5)[1]
    monkeypatch.setattr(collect_module, "render_within", broken)
    with pytest.raises(KeyError) as error:
        run("--redact", "host", at=10)
    assert str(error.value) == ""
    with pytest.raises(KeyError, match="zqalice"):
        run(at=10)


def test_damaged_state_is_not_quoted(run: Run, key: Path) -> None:
    run.state.mkdir()
    for name in ("durable.json", "volatile.json"):
        (run.state / name).write_text('["zq')
    said = run("--redact", "host")[1]
    assert "/durable.json: damaged; it is now" in said
    assert "cannot read the saved state: damaged\n" in said
    assert "zq" not in said


# The key


def _missing(path: Path) -> None:
    path.unlink()


def _no_directory(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def _short(path: Path) -> None:
    path.write_bytes(KEY[:31])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _long(path: Path) -> None:
    path.write_bytes(KEY + b"\n")


def _readable(path: Path) -> None:
    path.chmod(0o640)


def _readable_by_all(path: Path) -> None:
    path.chmod(0o604)


def _link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


NEW = "(umask 077 && head -c 32 /dev/urandom >{0}) && chown {1} {0}"
OWN = "install -d -m 750 -o root -g {1} {2}"
ASIDE = "mv {0} {0}.old && "
BAD_KEYS: tuple[tuple[Callable[[Path], None], str, str], ...] = (
    (_missing, "no such file or directory", f"{OWN} && {NEW}"),
    (_no_directory, "no such file or directory", f"{OWN} && {NEW}"),
    (_short, "a key has 32 bytes, this file 31 bytes", ASIDE + NEW),
    (_empty, "a key has 32 bytes, this file 0 bytes", ASIDE + NEW),
    (_long, "a key has 32 bytes, this file more than that", ASIDE + NEW),
    (_readable, "others than its owner have rights on it", "chmod 600 {0}"),
    (_readable_by_all, "others than its owner have rights on it", "chmod 600 {0}"),
    (_link, "is a link, not a file", ASIDE + NEW),
    (_fifo, "is not a regular file", ASIDE + NEW),
    (_directory, "is a directory, not a file", ASIDE + NEW),
)


@pytest.mark.parametrize(("spoil", "fault", "mend"), BAD_KEYS)
def test_without_a_good_key_nothing_is_written(
    run: Run, key: Path, spoil: Callable[[Path], None], fault: str, mend: str
) -> None:
    run.host.write("var/log/auth.log", "")
    somebody(run.host)
    assert run("--redact", "ip") == (0, "")
    before = run.output.read_bytes(), run.output.stat().st_ino
    spoil(key)
    status, said = run("--redact", "ip", "-vv", at=5)
    assert status == 1
    owner = "root" if os.geteuid() == 0 else "textfile-users"
    mend = mend.format(key, owner, key.parent)
    assert said == f"textfile-users: {run.output}: not written: {key}: {fault}; run: {mend}\n"
    assert (run.output.read_bytes(), run.output.stat().st_ino) == before
    assert run("--redact", "ip", at=10) == (1, ""), "said once, and then once an hour"
    if os.geteuid() == 0:
        assert os.system(mend) == 0
        assert run("--redact", "ip", at=15) == (0, "")
        assert key.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_denied(run: Run, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(redaction, "open_regular", denied)
    monkeypatch.setattr(os, "geteuid", lambda: 998)
    status, said = run("--redact", "ip")
    assert status == 1
    assert f"{key}: permission denied; run: install -d -m 750 -o root -g textfile-users" in said
    assert not run.output.exists()


def test_the_mend_of_a_key_that_is_denied() -> None:
    error = PermissionError(13, "Permission denied", "/etc/x/redact.key")
    mend = mend_of(error, "/etc/x/redact.key", "textfile-users")
    assert mend == (
        "install -d -m 750 -o root -g textfile-users /etc/x"
        " && chown textfile-users /etc/x/redact.key"
    )


def test_the_key_is_in_no_message_and_in_no_file(run: Run, key: Path) -> None:
    key.write_bytes(b"zqkey" * 6 + b"!!")
    somebody(run.host)
    status, said = run("--redact", "user,host,ip", "-vv")
    held = b"".join(path.read_bytes() for path in run.state.iterdir() if path.is_file())
    assert status == 0
    assert b"zqkey" not in said.encode() + held + run.output.read_bytes()


def test_the_key_is_of_the_machine_that_runs_it_not_of_the_root(run: Run, key: Path) -> None:
    run.host.write("etc/textfile-users/redact.key", OTHER_KEY)
    run.host.utmp(Record(pid=1))
    run("--redact", "user")
    assert hashed("user", "alice") in run.output.read_text()
    assert read_key(str(key)) == KEY


def test_without_the_flag_no_key_is_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "read_key", lambda _: 1 // 0)
    assert run() == (0, "")


@pytest.mark.parametrize("text", ["users", "user;ip", "", "user,,ip", "uid", "all", "user, ip"])
def test_other_fields_are_wrong_usage(run: Run, text: str) -> None:
    status, said = run("--redact", text)
    assert status == 2
    assert "argument --redact: " in said
    assert said.count("\n") == 1


def test_networks_are_found_before_addresses_are_hidden(run: Run, key: Path) -> None:
    somebody(run.host)
    flags = ("--redact", "ip,host", "--network", "office=192.0.2.0/24")
    assert run(*flags) == (0, "")
    shown = hashed("ip", "192.0.2.78")
    series = f'users_auth_failures_last_hour{{remote_ip="{shown}",remote_network="office"}}'
    assert run.samples()[series] == 1
    (info,) = [
        line
        for line in run.output.read_text().splitlines()
        if line.startswith("users_session_info") and 'user="alice"' in line
    ]
    assert f'remote_ip="{hashed("ip", "192.0.2.77")}",remote_network="office"' in info


def test_what_is_not_known_stays_not_known() -> None:
    nothing = Snapshot(NOW, None)
    assert redact(nothing, ALL, KEY) == nothing._replace(root=hashed("user", "root"))
