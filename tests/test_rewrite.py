"""What script/older makes of a module for Python 3.6, and what it has in place of newer things."""

from __future__ import annotations

import ast
import importlib
import io
import os
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROJECT = Path(__file__).parents[1]
OLDER = PROJECT / "script" / "older"
VERMIN = Path(sys.executable).with_name("vermin")


@pytest.fixture(autouse=True, scope="module")
def _on_path() -> Iterator[None]:
    sys.path.append(str(OLDER))
    yield
    sys.path.remove(str(OLDER))


def module(name: str) -> Any:
    return importlib.import_module(name)


def rewrite(source: str) -> str:
    made: bytes = module("rewrite").rewrite(source.encode(), "x.py")
    return made.decode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a: int, *b: str, c: x.y = 1, **d: 'z') -> None:  # why\n    pass\n",
         "def f(a, *b, c = 1, **d) :  # why\n    pass\n"),
        ("def f(\n    a: dict[\n        str, int\n    ] = {},\n) -> (\n    int | None\n"
         "):\n    pass\n",
         "def f(\n    a\\\n\\\n = {},\n) \\\n\\\n:\n    pass\n"),
        ("async def f() -> tuple[int, ...]: pass\n", "async def f() : pass\n"),
        ("class A(Record):\n    a: int | None = None\n    b: list[\n        str]\n",
         "class A(Record):\n    a: 'int | None' = None\n    b: 'list[str]'\\\n\n"),
        ("x: int\nself.y: dict[str, int] = {}  # é\nz = 'é'; q: int = 1\n",
         "x: 'int'\nself.y: 'dict[str, int]' = {}  # é\nz = 'é'; q: 'int' = 1\n"),
        ("from __future__ import annotations\n\nx = 1\n", "pass\n\nx = 1\n"),
        ('"""Doc."""\n\nfrom __future__ import annotations\n\nimport os\n\npid = os.fork()\n',
         '"""Doc."""\n\npass\n\nimport older_names; import os\n\npid = older_names.fork()\n'),
        ("from zoneinfo import ZoneInfo\n", "from older_zone import ZoneInfo as ZoneInfo\n"),
        ("from typing import Any, Literal as L\n",
         "from typing import Any; from older_names import Literal as L\n"),
        ("T = tuple[str, dict[int, 'list[str]']]\n", "T = tuple\n"),
        ("from collections.abc import Callable as C\nF = C[[C[[], None]], 'x']\n",
         "from collections.abc import Callable as C\nF = C\n"),
        ("a = [*b(), *(c), d, *e()]\n", "a = [*[*(b())], *([*(c)]), d, *e()]\n"),
        ("f(*a(), *b(*c), **d)\n", "f(*[*(a())], *b(*c), **d)\n"),
        ("a, *b, c = f(*d, e=1)\n", "a, *b, c = f(*d, e=1)\n"),
        ("set[0] = type[1]\n", "set[0] = type\n"),
        ("def f(list):\n    return list[0]\n", "def f(list):\n    return list[0]\n"),
        ("import x\nok = x.isascii() and (a + b).c.isascii()\n",
         "import older_names; import x\nok = older_names.isascii(x) and "
         "older_names.isascii((a + b).c)\n"),
        ("n = x.removeprefix('a').removesuffix('b')\n",
         "import older_names; n = older_names.removesuffix("
         "older_names.removeprefix(x, 'a'), 'b')\n"),
        ("x = next(reversed(y))\n", "import older_names; x = next(older_names.reversed_(y))\n"),
        ("class A(argparse.ArgumentParser):\n    pass\n",
         "import older_names\nclass A(older_names.argument_parser()):\n    pass\n"),
        ("if TYPE_CHECKING:\n    from typing import Literal as L\nelse:\n    p = os.fork\n",
         "import older_names\nif TYPE_CHECKING:\n    from typing import Literal as L\nelse:\n"
         "    p = older_names.fork\n"),
        ("run(sys.argv[1:])\n", "import older_names; run(older_names.argv()[1:])\n"),
        ("if a:\n    import os\n    os.fork()\n",
         "import older_names\nif a:\n    import os\n    older_names.fork()\n"),
        ("def __getattr__(name):\n    return 1",
         "import older_names\ndef __getattr__(name):\n    return 1\n"
         "older_names.call_getattr(__name__)\n"),
        ("def f():\n    while part := read(\n        9\n    ):\n        do(part)\n",
         "def f():\n    while True:\n        part = read(\n        9\n    )\n"
         "        if not (part): break\n        do(part)\n"),
        ("while (a := f()) and b:\n  c()\n",
         "while True:\n  a = f()\n  if not ((a) and b): break\n  c()\n"),
        ("if not (a := f()) > 1:\n    b()\nelse:\n    c()\n",
         "a = f()\nif not (a) > 1:\n    b()\nelse:\n    c()\n"),
        ("while a := f():\n    while b := g(x):\n        c()\n",
         "while True:\n    a = f()\n    if not (a): break\n    while True:\n        b = g(x)\n"
         "        if not (b): break\n        c()\n"),
    ],
)  # fmt: skip
def test_what_becomes_of_it(source: str, expected: str) -> None:
    made = rewrite(source)
    assert made == expected
    ast.parse(made, feature_version=(3, 6))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\nf(a := 1)\n", "x.py:2: this `:=` has no older form here"),
        ("if a and (b := c):\n    pass\n", "x.py:1: this `:=` has no older form here"),
        ("if a:\n    pass\nelif b := c:\n    pass\n", "x.py:3: this `:=` has no older form here"),
        ("while a := b:\n    pass\nelse:\n    c()\n", "x.py:1: this `:=` has no older form"),
        ("while a := b: c()\n", "x.py:1: a loop with `:=` on one line has no older form here"),
        ("def f(a, /): pass\n", "x.py:1: Positional-only parameters are only supported"),
        ("from sys import argv\n", "x.py:1: import sys alone, for its argv"),
        ("os.fork = None\n", "x.py:1: os.fork is given a value"),
    ],
)
def test_what_has_no_older_form_is_refused(source: str, says: str) -> None:
    """The build fails, rather than the program on the hosts."""
    with pytest.raises(module("rewrite").TooNew) as raised:
        rewrite(source)
    assert str(raised.value).startswith(says)


def test_nothing_newer_is_left_in_any_module(tmp_path: Path) -> None:
    """As vermin knows it, which knows more than syntax."""
    for path in (PROJECT / "textfile_users").rglob("*.py"):
        target = tmp_path / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        source = path.read_bytes()
        target.write_bytes(module("rewrite").rewrite(source, str(path)))
        lines = [data.count(b"\n") for data in (source, target.read_bytes())]
        assert lines[1] - lines[0] in range(2 * source.count(b":=") + 3)
    argv = [str(VERMIN), "--no-tips", "--target=3.6-", "--violations", str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# What is in place of the newer Python's.


def test_the_substitutes_do_what_the_newer_does() -> None:
    names = module("older_names")
    for text in ("", "a", "\x7f", "\x80", "é", "\udcc3", b"", b"\x7f", b"\x80"):
        assert names.isascii(text) == text.isascii()
    assert names.removeprefix("abc", "ab") == "c"
    assert names.removeprefix("abc", "b") == "abc"
    assert names.removesuffix("abc", "bc") == "a"
    assert names.removesuffix("abc", "") == "abc"
    assert list(names.reversed_({1: 2, 3: 4})) == [3, 1]
    assert names.shlex_join(["a b", "c"]) == "'a b' c"
    for status in (0, 256, 9, 0x8B):
        assert names.waitstatus_to_exitcode(status) == os.waitstatus_to_exitcode(status)
    done = names.subprocess_run(["echo", "é"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("é\n", "")


START = datetime(1890, 1, 1, tzinfo=timezone.utc)
AROUND = (-7200, -3601, -3600, -1800, -1, 0, 1, 1800, 3599, 3600, 7200)
REGIONS = (
    "Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian",
    "Pacific",
)  # fmt: skip


def _data(name: str) -> bytes:
    for directory in zoneinfo.TZPATH:
        path = Path(directory, name)
        if path.is_file():
            return path.read_bytes()
    return b""


def same_offsets(data: bytes, moments: list[datetime]) -> None:
    zones = [
        module("older_zone").ZoneInfo.from_file(io.BytesIO(data)),
        zoneinfo.ZoneInfo.from_file(io.BytesIO(data)),
    ]
    for moment in moments:
        for fold in (0, 1):
            of = [moment.replace(tzinfo=zone, fold=fold).utcoffset() for zone in zones]
            assert of[0] == of[1], (moment, fold)


@pytest.mark.parametrize("region", REGIONS)
def test_zones_are_those_of_zoneinfo(region: str) -> None:
    """At each change of each and around it, and in each month from 1890 to 2060."""
    names = [name for name in zoneinfo.available_timezones() if name.startswith(f"{region}/")]
    contents = {_data(name) for name in names} - {b""}  # of which many are links to others
    if not contents:
        pytest.skip("this machine has no time zones")
    for data in contents:
        same_offsets(data, _moments(data))


def _moments(data: bytes) -> list[datetime]:
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(data))
    months = [START + timedelta(days=number) for number in range(0, 170 * 366, 30)]
    moments = [month.replace(tzinfo=None) for month in months]
    for month, following in zip(months, months[1:]):
        low, high = month, following
        before = low.astimezone(zone).utcoffset()
        if before == high.astimezone(zone).utcoffset():
            continue
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) // 2
            is_low = middle.astimezone(zone).utcoffset() == before
            low, high = (middle, high) if is_low else (low, middle)
        shown = high.astimezone(zone).replace(tzinfo=None, microsecond=0)
        moments += [shown + timedelta(seconds=seconds) for seconds in AROUND]
    return moments


def footer_only(footer: str) -> bytes:
    header = b"TZif2" + bytes(15) + b"".join(n.to_bytes(4, "big") for n in (0, 0, 0, 0, 1, 4))
    block = header + bytes(6) + b"UTC\0"
    return block + block + b"\n" + footer.encode() + b"\n"


@pytest.mark.parametrize(
    "footer",
    [
        "UTC0", "<+0330>-3:30", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0",
        "IST-1GMT0,M10.5.0,M3.5.0/1", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "A3B,J60,J300/4:30",
        "EET-2EEST,M3.4.4/50,M10.4.4/50", "CRAZY4DST,M1.1.0/0,M12.5.6/24",
    ],
)  # fmt: skip
@given(seconds=st.integers(0, 4_000_000_000))
def test_rules_are_those_of_zoneinfo(footer: str, seconds: int) -> None:
    same_offsets(
        footer_only(footer), [datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None)]
    )


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2002, 2, 28), 3), ((2002, 3, 1), 4), ((2004, 2, 28), 3), ((2004, 2, 29), 4)],
)
def test_days_from_zero_are_those_of_glibc(day: tuple[int, int, int], hours: int) -> None:
    """The day 59 of a year; zoneinfo (3.11) changes a day before, which no real zone shows."""
    zone = module("older_zone").ZoneInfo.from_file(io.BytesIO(footer_only("A-3B,59/0,299")))
    noon = datetime(*day, 12)  # noqa: DTZ001 - the zone is added
    assert noon.replace(tzinfo=zone).utcoffset() == timedelta(hours=hours)


@given(data=st.data())
def test_damaged_zones_are_refused_as_by_zoneinfo(data: st.DataObject) -> None:
    """Or they are taken, and then are the same; nothing hangs or fails later."""
    footer = data.draw(
        st.from_regex(r"A[-+]?\d\d?B(,[MJ]?\d{1,3}(\.\d\.\d)?(/\d{1,3})?){2}", fullmatch=True)
    )
    whole = bytearray(footer_only(footer))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place:] = data.draw(st.binary(max_size=20))
    made = []
    for zone in (module("older_zone").ZoneInfo, zoneinfo.ZoneInfo):
        try:
            found = zone.from_file(Ending(bytes(whole)))
            made.append([found.utcoffset(moment) for moment in MOMENTS])
        except Exception:  # noqa: BLE001
            made.append([])
    assert made[0] in (made[1], [])


class Ending(io.BytesIO):
    """A file as textfile_users has it, which raises EOFError behind its end."""

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if len(found) < (size or 0):
            raise EOFError
        return found


MOMENTS = [datetime(year, month, 15) for year in (1970, 2026) for month in range(1, 13)]  # noqa: DTZ001


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_program_is_run_as_another_user() -> None:
    ids = {"user": 64321, "group": 64322, "extra_groups": [64323]}
    done = module("older_names").subprocess_run(
        ["sh", "-c", "id -u; id -g; id -G"], capture_output=True, text=True, check=True, **ids
    )
    assert done.stdout.split() == ["64321", "64322", "64322", "64323"]


SPAWN = """if True:
    import os, sys
    sys.path.insert(0, {older!r})
    names = __import__("older_names")
    out, end = os.pipe()
    actions = [(names.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
               (names.POSIX_SPAWN_DUP2, end, 1), (names.POSIX_SPAWN_DUP2, end, 2)]
    pid = names.posix_spawnp("sh", ["sh", "-c", "cat; echo $X; echo $X >&2; exit 3"],
                             {{**os.environ, "X": "y"}}, file_actions=actions)
    os.close(end)
    assert names.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    assert os.read(out, 99) == b"y\\ny\\n"
    before = os.listdir("/proc/self/fd")
    try:
        names.posix_spawnp("no-such-program", ["x"], os.environ, file_actions=[])
    except FileNotFoundError:
        assert os.listdir("/proc/self/fd") == before
        print("fine")
"""


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_programs_are_started_as_by_posix_spawn(version: str) -> None:
    from tests.pythons import find_python

    path = find_python(version)
    if not path:
        pytest.skip(f"no Python {version} on this machine, by $PATH or pyenv")
    argv = [path, "-I", "-c", SPAWN.format(older=str(OLDER))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("fine\n", "")
