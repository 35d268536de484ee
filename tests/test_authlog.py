"""Lines of auth logs: their stamps, tags and forms, and `events`, which prints what they tell."""

from __future__ import annotations

import io
import json
import time
from calendar import timegm
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.long import decoders
from textfile_users.auth import log_lines as authlog
from textfile_users.auth.log_lines import parse_lines
from textfile_users.auth.stamps import Stamps
from textfile_users.cli import main
from textfile_users.events import read_log
from textfile_users.paths import Paths
from textfile_users.reading.localtime import local_time, own_time, utc_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textfile_users.reading.localtime import LocalTime

NOW = float(timegm((2026, 3, 1, 12, 0, 0)))
FAILED = "Failed password for root from 192.0.2.7 port 22 ssh2"


def utc(*fields: int) -> float:
    return float(timegm((*fields, 0, 0, 0)))


@pytest.mark.parametrize(
    ("stamp", "expected", "why"),
    [
        (b"Jan  5 13:54:43", utc(2026, 1, 5, 13, 54, 43), "traditional, day padded with a blank"),
        (b"Jan 05 13:54:43", utc(2026, 1, 5, 13, 54, 43), "padded with a zero"),
        (b"Jan 5 13:54:43", utc(2026, 1, 5, 13, 54, 43), "not padded"),
        (b"Mar  2 11:59:59", utc(2026, 3, 2, 11, 59, 59), "less than a day ahead: a clock's fault"),
        (b"Mar  2 12:01:00", utc(2025, 3, 2, 12, 1, 0), "more than a day ahead: last year's"),
        (b"Dec 31 23:59:59", utc(2025, 12, 31, 23, 59, 59), "last year's"),
        (b"Feb 29 12:00:00", utc(2024, 2, 29, 12, 0, 0), "the last leap day there was"),
        (b"Feb 30 12:00:00", None, "no day"),
        (b"Foo  5 13:54:43", None, "no month"),
        (b"Jan  5 25:54:43", None, "no hour"),
        (b"2026-01-12T11:15:58.792703+00:00", utc(2026, 1, 12, 11, 15, 58) + 0.792703, "rsyslog's"),
        (b"2026-01-12T11:15:58Z", utc(2026, 1, 12, 11, 15, 58), "Zulu, no fraction"),
        (b"2026-01-12 11:15:58,5Z", utc(2026, 1, 12, 11, 15, 58) + 0.5, "a blank, and a comma"),
        (b"2026-01-12T11:15:58+0530", utc(2026, 1, 12, 5, 45, 58), "offset without its colon"),
        (b"2026-01-12T11:15:58-08", utc(2026, 1, 12, 19, 15, 58), "offset of hours alone"),
        (b"2026-01-12T11:15:58+2359", utc(2026, 1, 11, 11, 16, 58), "the largest offset"),
        (b"2026-01-12T11:15:58+24:00", None, "no offset"),
        (b"2026-01-12T11:15:58-00:60", None, "no offset"),
        (b"2026-01-12T11:15:58+" + b"9" * 400, None, "an offset that no float holds"),
        (b"2026-01-12T11:15:60Z", utc(2026, 1, 12, 11, 16, 0), "a leap second"),
        (b"2026-01-12T11:15:61Z", None, "no second"),
        (b"2026-13-12T11:15:58Z", None, "no month"),
        (b"2025-02-29T11:15:58Z", None, "no leap year"),
    ],
)
def test_stamps(stamp: bytes, expected: float | None, why: str) -> None:
    stamps = Stamps(NOW, utc_time)
    assert stamps.time_of(stamp) == (None if expected is None else pytest.approx(expected)), why
    assert stamps.time_of_line(stamp + b" host x: y") == stamps.time_of(stamp)


def test_local_time_is_the_zones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(f"Jan 12 11:15:58 host sshd[1]: {FAILED}\n")
    monkeypatch.setenv("TZ", "XYZ-5:30")
    time.tzset()
    try:
        with path.open("rb") as file:
            (event,) = read_log(file, False, NOW)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert event["time"] == utc(2026, 1, 12, 5, 45, 58)


# Clocks show a time twice when summer time ends: when it begins, in UTC, and again so many
# minutes later.
FOLDS = [
    ("CET-1CEST,M3.5.0,M10.5.0/3", (2026, 10, 25, 0, 0), 60, "Berlin"),
    ("EST5EDT,M3.2.0,M11.1.0", (2026, 11, 1, 5, 0), 60, "New York"),
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", (2026, 4, 4, 14, 30), 30, "Lord Howe"),
    ("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3", (2026, 10, 24, 23, 0), 120, "Troll"),
]
FORMS = ["%b %d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]


@pytest.fixture(params=FOLDS, ids=[fold[-1] for fold in FOLDS])
def fold(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[float, int, list[LocalTime]]]:
    """When a time begins that comes twice, after how many minutes again, and clocks that do so."""
    zone, began, apart, _ = request.param
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "localtime").write_bytes(decoders.zone(zone))
    yield float(timegm((*began, 0))), apart, [own_time, local_time(Paths(str(tmp_path)))]
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1, 7, 20])
def test_a_time_that_comes_twice_is_the_one_just_past(
    fold: tuple[float, int, list[LocalTime]], form: str, step: int
) -> None:
    """Each scan reads what is seconds old, one line or a few."""
    began, apart, clocks = fold
    for local in clocks:
        for minute in range(-step, 3 * apart, step):
            times = [began + 60 * minute + second for second in (1, 5, 59)]
            stamps = Stamps(times[-1] + 5, local)
            texts = [time.strftime(form, time.localtime(at)).encode() for at in times]
            assert [stamps.time_of(text) for text in texts] == times
            assert stamps.time_of_line(texts[0] + b" host x: y") == times[0]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1, 7, 20])
@pytest.mark.parametrize("later", [0, 3600, 30 * 86_400])
def test_a_time_that_comes_twice_is_told_by_what_stands_before(
    fold: tuple[float, int, list[LocalTime]], form: str, step: int, later: float
) -> None:
    """A backlog is read long after it was written."""
    began, apart, clocks = fold
    for local in clocks:
        times = [began + 60 * minute for minute in range(-30, 3 * apart, step)]
        stamps = Stamps(times[-1] + later, local)
        texts = [time.strftime(form, time.localtime(at)).encode() for at in times]
        assert [stamps.time_of(text) for text in texts] == times


@pytest.mark.parametrize("form", FORMS)
def test_a_time_that_comes_twice_is_searched_for_as_the_later(
    fold: tuple[float, int, list[LocalTime]], form: str
) -> None:
    """Where reading begins may be too early, never too late."""
    began, apart, clocks = fold
    for local in clocks:
        stamps = Stamps(began + 86_400, local)
        for minute in (0, 3 * apart, apart - 1, apart, 1):
            at = began + 60 * minute
            text = time.strftime(form, time.localtime(at)).encode()
            found = stamps.time_of_line(text + b" host x: y")
            assert found in (at, at + 60 * apart)


@given(st.floats(0, 4e9))
def test_the_calendar(when: float) -> None:
    assert utc_time(*time.gmtime(when)[:6]) == int(when)


ISO = "2026-01-12T11:15:58.792703+00:00"
MSG = FAILED.encode()


@pytest.mark.parametrize(
    ("line", "program", "pid", "why"),
    [
        (f"{ISO} host sshd[12]: {FAILED}", b"sshd", 12, "rsyslog"),
        (f"Jan 12 11:15:58 host sshd-session[12]: {FAILED}", b"sshd-session", 12, "OpenSSH 9.8"),
        (f"Jan 12 11:15:58 sshd[12]: {FAILED}", b"sshd", 12, "no host"),
        (f"Jan 12 11:15:58 2001:db8::1 sshd[12]: {FAILED}", b"sshd", 12, "an address as the host"),
        (f"Jan 12 11:15:58 host [sshd] {FAILED}", b"sshd", 0, "brackets, no colon"),
        (f"Jan 12 11:15:58 host [sshd]: {FAILED}", b"sshd", 0, "brackets"),
        (f"Jan 12 11:15:58 host sshd[12] {FAILED}", b"sshd", 12, "no colon"),
        (f"Jan 12 11:15:58 host sshd[12]:  {FAILED}", b"sshd", 12, "two blanks"),
        (f"Jan 12 11:15:58 host sshd[12]: [ID 800047 auth.info] {FAILED}", b"sshd", 12, "Solaris"),
        (f"<38>Jan 12 11:15:58 host sshd[12]: {FAILED}", b"sshd", 12, "with its priority"),
        (f"<38>1 {ISO} host sshd 12 - - {FAILED}", b"sshd", 12, "RFC 5424"),
        (f"<38>1 {ISO} host sshd - ID1 [a@1 b=\"c\"] {FAILED}", b"sshd", 0, "RFC 5424 with data"),
        (f"Jan 12 11:15:58 host gdm-password][12]: {FAILED}", b"gdm-password", 12, "gdm's bracket"),
        (f"Jan 12 11:15:58 host polkitd(authority=local)[12]: {FAILED}", b"polkitd", 12, "polkit"),
        (f"Jan 12 11:15:58 host su: {FAILED}", b"su", 0, "no pid"),
    ],
)  # fmt: skip
def test_forms_of_lines(line: str, program: bytes, pid: int, why: str) -> None:
    (found,) = parse_lines(line.encode() + b"\n")
    assert found[3:] == (program, pid, MSG), why
    assert found[:2] == (0, len(line) + 1)


@pytest.mark.parametrize(
    "line",
    [
        f"{ISO} host other[3]: sshd[4]: {FAILED}",
        f"{ISO} host other: sshd[4]: {FAILED}",
        f"{ISO} host other sshd[4]: {FAILED}",
        f"{ISO} other[3]: sshd[4]: {FAILED}",
        f"{ISO} other: sshd[4]: {FAILED}",
        f"{ISO} host sshdx[4]: {FAILED}",
        f"{ISO} host sshd: [4] x\u2028{ISO} host sshd[4]: {FAILED}".replace("sshd: ", "x: "),
        f"{ISO} host x[1]: a\r{ISO} host sshd[4]: {FAILED}",
        f"sshd[4]: {FAILED}",
        f"yesterday host sshd[4]: {FAILED}",
    ],
)
def test_what_other_programs_write_is_theirs(line: str) -> None:
    assert list(parse_lines(line.encode() + b"\n")) == []


def test_old_pams_tag() -> None:
    line = b"Jan 12 11:15:58 host su(pam_unix)[7]: session opened for user root by alice(uid=500)\n"
    ((*_, program, pid, message),) = parse_lines(line)
    assert (program, pid) == (b"su", 7)
    assert message == b"pam_unix(su:session): session opened for user root by alice(uid=500)"


@given(st.binary(max_size=400))
def test_any_bytes_are_lines(data: bytes) -> None:
    stamps = Stamps(NOW, utc_time)
    for start, end, stamp, *_ in parse_lines(data + b"\n"):
        assert 0 <= start < end <= len(data) + 1
        stamps.time_of(stamp)


@given(st.text(alphabet="0123456789-:.,TZ+ JanFeb", max_size=40))
def test_any_stamp_has_a_time_or_none(text: str) -> None:
    stamps = Stamps(NOW, utc_time)
    stamps.time_of_line(text.encode() + b" host x: y")


def test_events_prints_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "auth.log"
    lines = [
        f"{ISO} host sshd[12]: Invalid user x from 192.0.2.7 port 22",
        f"{ISO} host CRON[13]: pam_unix(cron:session): session closed for user root",
        f"{ISO} host sshd[12]: Failed password for invalid user x from 192.0.2.7 port 22 ssh2",
        f"{ISO} host sshd[14]: something new",
        f"{ISO} host sudo:  alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/x sshd[3]: {FAILED}",
        f"{ISO} host su[15]: pam_unix(su:session): session opened for user root by alice(uid=500)",
    ]  # fmt: skip
    path.write_text("\n".join(lines))  # the last one has no newline
    assert main(["events", str(path)]) == 0
    when = pytest.approx(utc(2026, 1, 12, 11, 15, 58) + 0.792703)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"line": 3, "time": when, "program": "sshd", "event": "failure", "method": "password",
         "user": "x", "account": "invalid", "ip": "192.0.2.7", "host": "", "port": 22, "count": 1},
        {"line": 5, "time": when, "program": "sudo", "event": "escalation", "user": "alice",
         "target": "root", "tty": "pts/0", "count": 1},
        {"line": 6, "time": when, "program": "su", "event": "escalation", "user": "alice",
         "target": "root", "count": 1},
    ]  # fmt: skip
    assert main(["events", "--unmatched", str(path), str(path)]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"file": str(path), "line": 4, "unmatched": lines[3]}
    ] * 2


def test_events_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.BytesIO(f"{ISO} host sshd[12]: {FAILED}\n".encode())
    assert [event["user"] for event in read_log(log, False, NOW)] == ["root"]


def test_events_of_a_file_that_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"textfile-users: {tmp_path}: is a directory, not a file\n"


def test_line_numbers_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("textfile_users.events.BLOCK", 100)
    log = b"".join(b"noise\n" * n + f"{ISO} h sshd[{n}]: {FAILED}\n".encode() for n in range(1, 9))
    numbers = [event["line"] for event in read_log(io.BytesIO(log), False, NOW)]
    assert numbers == [sum(range(2, n + 2)) for n in range(1, 9)]


_HEADS = st.sampled_from(
    [
        "2026-01-12T11:15:58.792703+00:00 host ",
        "2026-01-12T11:15:58.792703+00:00 2001:db8::1 ",
        "2026-01-12 11:15:58 host ",
        "2026-01-12T11:15:58Z ",
        "Jan 12 11:15:58 host ",
        "Jan  2 11:15:58 host ",
        "Jan 2 11:15:58 host ",
        "Jan 12 11:15:58 ",
        "<38>Jan 12 11:15:58 host ",
        "<38>1 2026-01-12T11:15:58Z host ",
        "2026-01-12T11:15:58Z 2026 ",
        "2026-01-12 11:15:58 +0100 host ",
        "2026-01-12 11:15:58 +0100 ",
        "Jan 12 11:15:58.123 host ",
        "Jan 12 11:15:58,x host ",
        "Jan 12 11:15:58 2026 host ",
        "Jan 12 11:15:58 2026 ",
        "Jan 12 11:15:58 <auth.info> host ",
        "Jan 12 11:15:58 host auth.info ",
        "Jan 12 11:15:58 auth.info auth.info ",
        "2026-01-12T11:15:58Z host auth.info ",
        "Mon Jan 12 11:15:58 2026 auth.info ",
        "Mon Jan 12 11:15:58 2026 authpriv.warn ",
        "Mon Jan 12 11:15:58 2026 auth.info auth.info ",
        "Mon Jan 12 11:15:58 2026 [1768216558.123] auth.info ",
        "Mon Jan 12 11:15:58 2026 ",
        "Mon 2026-01-12 11:15:58 CET host ",
        "Mon 2026-01-12 11:15:58 CET ",
        "Mon 2026-01-12 11:15:58 +03 host ",
        "2026-01-12T11:15:58.12345 auth.info: Jan 12 11:15:58 ",
        "1768216558.123456 host ",
        "[  123.456789] host ",
        "",
        " ",
        "host ",
    ]
)
_TAGS = st.sampled_from(
    [
        *("sshd[12]: ", "sshd: ", "sudo: ", "sudo:   ", "[sshd] ", "[sshd]: ", "sshd[12] "),
        *("sshd(pam_unix)[12]: ", "sshd[12]: [ID 800047 auth.info] ", "sshd[12]:  ", "sshd[]: "),
        *(
            "sshd[12345678901]: ",
            "sshd[1x]: ",
            "CRON[12]: ",
            "kernel: ",
            "kernel: [ 1.2] ",
            "host ",
        ),
        *("polkitd(authority=local)[1]: ", "systemd-logind[1]: ", "sshd 12 - - ", "sshd", "sshd["),
        *("sshd - - - ", "sshd 12 x1 - ", "cron 12 - - ", "sshd x - - ", 'sshd 1 - [a b="]"] '),
        *("/usr/sbin/sshd[1]: ", "ssh.service[1]: ", "sudo 1 - -  \ufeff"),
        *(
            "last message repeated 2 times",
            "message repeated 2 times: [ ",
            "x: sshd[12]: ",
            "su-l: ",
        ),
    ]
)
_MESSAGES = st.sampled_from(
    [
        *(
            "Failed password for root from 192.0.2.7 port 1 ssh2",
            "x: sshd[1]: Failed",
            "",
            " ",
            "[",
        ),
        *("pam_unix(sshd:auth): check pass; user unknown", " pam_unix(sshd:auth): x", "[ID 1 a] x"),
        *("session opened for user x by (uid=0)", "\r", "a\tb"),
    ]
)


@example(  # a level is a program here
    ["2026-01-12T11:15:58Z host auth.info sshd - - - Failed password for root from 192.0.2.7"]
)
@example(  # two levels are no tag
    ["Mon Jan 12 11:15:58 2026 auth.info auth.info sshd[12]: pam_unix(su:session): session opened"]
)
@given(st.lists(st.tuples(_HEADS, _TAGS, _MESSAGES).map("".join), max_size=6))
def test_lines_that_begin_as_usual_are_read_as_the_pattern_reads_them(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()
    expected: list[authlog.LogLine] = []
    start = 0
    for line in data.split(b"\n"):
        if len(line) >= authlog.MIN_LINE:
            found = authlog._unusual(line, start, True)
            expected += [(*of[:5], of[5][:-1] if of[5][-1:] == b"\r" else of[5]) for of in found]
        start += len(line) + 1
    assert list(parse_lines(data, strange=True)) == expected
    known = [line for line in expected if line[2]]
    assert list(parse_lines(data)) == known
