"""The one file on each Python, from 3.6 on: it runs, says the same, installs and uninstalls.

A Python that is not on this machine is left out, and named.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import test_cases, test_golden, test_journal
from tests.hosts import BOOT, NOW, Host, Record, pack_all
from tests.pythons import ENVIRONMENT, VERSIONS, Installed, build, find_python, install
from tests.test_golden import FIXTURES, busy, compare, happen
from tests.test_older_memory import OLD_DURABLE
from textfile_users import deadline
from textfile_users import run as run_module
from textfile_users.accounts import nss
from textfile_users.events import read_log
from textfile_users.metrics import SETS
from textfile_users.older_memory import _end_of, parse_durable

TEXTFILE = "/var/lib/prometheus/node-exporter"
# Which a Python may have been built without.
OPTIONAL = ("sqlite3", "_sqlite3", "ssl", "_ssl", "bz2", "_bz2", "lzma", "_lzma", "zlib", "ctypes")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("build") / "textfile-users.pyz")


def path_of(version: str) -> str:
    path = find_python(version)
    if not path:
        pytest.skip(f"no Python {version} on this machine, by $PATH or pyenv")
    return path


@pytest.fixture(scope="module", params=VERSIONS)
def python(
    request: pytest.FixtureRequest, archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Installed:
    """The program as it is installed for a Python."""
    return install(archive, path_of(request.param), tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="module")
def ours(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The same for the Python that runs the tests."""
    return install(archive, os.path.realpath(sys.executable), tmp_path_factory.mktemp("ours"))


def scan(python: Installed, host: Host, state: Path, *flags: str, at: float = NOW) -> str:
    """Return what a scan writes, with the version of Python as this one's."""
    argv = ["--root", host.root, "--now", str(at), "--output", "-", "--timeout", "60"]
    argv += ["--state-directory", str(state), "--runtime-directory", str(state), *flags]
    key = (
        f"import {run_module.__name__} as module; module.REDACT_KEY = {str(state.parent / 'key')!r}"
    )
    text = python.run(*argv, before=key if "--redact" in flags else "")
    return text.replace(python.full_version, ".".join(map(str, sys.version_info[:3])))


def two_scans(python: Installed, directory: Path, *flags: str) -> str:
    host = Host(str(directory / "host"))
    busy(host)
    key = directory / "key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    scan(python, host, directory / "state", *flags, at=NOW - 60)
    happen(host)
    return scan(python, host, directory / "state", *flags)


@pytest.mark.parametrize("make", ["bookworm", "trixie", "arm", "empty", "nothing"])
def test_golden_files(python: Installed, tmp_path: Path, make: str) -> None:
    host = Host(str(tmp_path / "host"))
    getattr(test_golden, make)(host)
    compare(scan(python, host, tmp_path / "state"), FIXTURES / f"{make}.prom")


@pytest.mark.parametrize("sets", [*SETS[1:], ",".join(SETS)])
def test_golden_files_of_other_sets(python: Installed, tmp_path: Path, sets: str) -> None:
    text = two_scans(python, tmp_path, "--metrics", sets)
    compare(text, FIXTURES / "sets" / f"{'all' if ',' in sets else sets}.prom")


@pytest.mark.parametrize(("name", "flags"), test_golden.PRIVACY)
def test_golden_files_of_privacy(
    python: Installed, tmp_path: Path, name: str, flags: tuple[str, ...]
) -> None:
    compare(two_scans(python, tmp_path, *flags), FIXTURES / "privacy" / f"{name}.prom")


def test_cases_of_events(python: Installed, tmp_path: Path) -> None:
    """All in one process: what they are is test_cases' to say, here it is said again."""
    cases = test_cases.cases(test_cases.OWN)
    path = tmp_path / "lines.json"
    path.write_text(json.dumps([case["lines"] for case in cases]), encoding="utf-8")
    code = f"""if True:
        import json, sys
        from {read_log.__module__} import read_log
        for lines in json.load(open(sys.argv[1], encoding="utf-8")):
            log = "".join(line + "\\n" for line in lines).encode("utf-8", "surrogateescape")
            for unmatched in (False, True):
                events = [dict(event) for event in read_log([log], unmatched, {test_cases.NOW!r})]
                print(json.dumps(events))
    """
    found = [json.loads(line) for line in python.code(code, str(path)).splitlines()]
    assert found == [
        json.loads(json.dumps(test_cases.read(case, unmatched=unmatched)))
        for case in cases
        for unmatched in (False, True)
    ]


def commands(host: Host) -> dict[str, tuple[str, ...]]:
    """Return the commands that only read, and what they are asked."""
    root = ("--root", host.root)
    return {
        "show": ("show", *root, "--now", str(NOW)),
        "json": ("show", *root, "--now", str(NOW), "--json"),
        "events": ("events", host.path("var/log/auth.log")),
        "unmatched": ("events", "--unmatched", host.path("var/log/auth.log")),
        "records": ("records", host.path("run/utmp"), host.path("var/log/wtmp.gz")),
        "help": ("--help",),
    }


@pytest.fixture
def host(tmp_path: Path) -> Host:
    import gzip

    host = Host(str(tmp_path / "host"))
    busy(host)
    happen(host)
    host.write("var/log/wtmp.gz", gzip.compress(pack_all([Record(time=BOOT + 9)])))
    with open(host.path("var/log/auth.log"), "a", encoding="utf-8") as log:
        log.write(
            "2025-12-07T05:46:00+00:00 host sshd[9]: Accepted password for né from 192.0.2.7 "
        )
        log.write("port 2 ssh2\n2025-12-07T05:46:00+00:00 host sshd[9]: what nobody knows: né\n")
    return host


@pytest.mark.parametrize("command", ["show", "json", "events", "unmatched", "records"])
def test_commands_say_what_they_say_here(
    python: Installed, ours: Installed, host: Host, command: str
) -> None:
    argv = commands(host)[command]
    said = python.run(*argv)
    assert said == ours.run(*argv)
    assert len(said) > 90


def test_doctor_finds_what_it_finds_here(python: Installed, ours: Installed, host: Host) -> None:
    """But for where the program is, and the time."""
    ends_well = "import os; end = os._exit; os._exit = lambda status: end(0)"
    said, expected = (
        one.run("doctor", "--root", host.root, "--json", before=ends_well)
        .replace(one.python, "PYTHON")
        .replace(one.prefix, "PREFIX")
        for one in (python, ours)
    )
    of_time = re.compile(r"\d\d:\d\d:\d\d|in [\d.]+ s")
    assert json.loads(of_time.sub("", said)) == json.loads(of_time.sub("", expected))
    assert len(json.loads(said)) > 5


def test_what_argparse_takes_otherwise(python: Installed, host: Host, tmp_path: Path) -> None:
    """`-vv`, which Python before 3.8 does not take without abbreviations; these none takes."""
    said = python.run("--help")
    assert said.startswith("usage: textfile-users")
    assert "users_logged_in" in scan(python, host, tmp_path / "state", "-vv")
    with pytest.raises(AssertionError, match="'--verb' is no option"):
        scan(python, host, tmp_path / "state", "--verb")


def test_the_journal(python: Installed, ours: Installed, tmp_path: Path) -> None:
    """It is asked of a program, which older Pythons start in another way."""
    outputs = []
    for one in (python, ours):
        directory = tmp_path / os.path.basename(str(one.image.parent))
        directory.mkdir()
        fake = test_journal.Fake(directory)
        refused = {"MESSAGE": "Failed password for root from 192.0.2.7 port 2 ssh2"}
        fake.prints(*(test_journal.line(number, **refused) for number in range(3)))
        argv = ["--root", fake.host.root, "--output", "-", "--timeout", "60", "--backfill"]
        argv += ["--state-directory", str(directory), "--runtime-directory", str(directory)]
        argv += ["--now", str(test_journal.START + 60), "--auth-source", "journal"]
        text = one.run(*argv, PATH=f"{directory}/bin:{ENVIRONMENT['PATH']}")
        outputs.append([line for line in text.splitlines() if line.startswith("users_auth_")])
    assert outputs[0] == outputs[1]
    assert any(line.endswith('user="root"} 3.0') for line in outputs[0])


def test_nss_and_children(python: Installed) -> None:
    """Accounts are asked of a child, in which no thread of the parent's is waited for."""
    code = f"""if True:
        import os, time
        from {deadline.__name__} import _waiting, within
        from {nss.__name__} import ask
        within(60, lambda: None)
        assert len(_waiting) == 1
        print(list(map(tuple, ask([("user", "root"), ("uid", "0")], frozenset(), 1.0,
                                  time.monotonic() + 60).answers)))
    """
    assert "('user', 'root', 'root', 0, 0," in python.code(code)


def test_a_state_of_an_older_version(python: Installed, tmp_path: Path) -> None:
    """It is read by the types of the records' fields."""
    path = tmp_path / "durable"
    data = OLD_DURABLE + _end_of(OLD_DURABLE)
    path.write_bytes(data)
    parse = parse_durable
    code = f"import sys; from {parse.__module__} import {parse.__name__} as parse\n"
    code += "sys.stdout.buffer.write(repr(parse(open(sys.argv[1], 'rb').read())).encode())"
    assert python.code(code, str(path)) == repr(parse(data))


def test_what_python_may_be_built_without(
    python: Installed, tmp_path: Path, host: Host, archive: Path
) -> None:
    """No sqlite3, no ssl and no compression: all else works, installed and from the one file."""
    without = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL}))"
    bookworm = Host(str(tmp_path / "bookworm"))
    test_golden.bookworm(bookworm)
    argv = ["--root", bookworm.root, "--now", str(NOW), "--output", "-"]
    argv += ["--state-directory", str(tmp_path), "--runtime-directory", str(tmp_path)]
    text = python.run(*argv, before=without)
    text = text.replace(python.full_version, ".".join(map(str, sys.version_info[:3])))
    compare(text, FIXTURES / "bookworm.prom")
    asked = commands(host)
    for name in ("show", "json", "events", "unmatched", "help"):
        assert python.run(*asked[name], before=without) == python.run(*asked[name])
    start = f"{without}; sys.argv[0] = {str(archive)!r}; import runpy\n"
    start += f"runpy.run_path({str(archive)!r}, run_name='__main__')"
    said = subprocess.run(
        [python.python, "-I", "-c", start, *asked["show"]],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, b"")
    assert said.stdout.decode() == python.run(*asked["show"])


def test_the_one_file_itself(python: Installed, host: Host, archive: Path) -> None:
    argv = commands(host)["show"]
    done = subprocess.run(
        [python.python, "-I", str(archive), *argv],
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == python.run(*argv)


def test_words_that_are_not_ascii(python: Installed, tmp_path: Path, host: Host) -> None:
    """Without a locale, as the unit and cron start it, they are UTF-8 as well."""
    host.logind("99", USER="né", UID=1009, LEADER=1000)
    flags = ("--network", "büro=192.0.2.0/24", "--exclude-user", "né")
    text = scan(python, host, tmp_path / "stäte", *flags)
    assert 'remote_network="büro"' in text
    assert 'user="né"' not in text
    assert 'user="né"' in scan(python, host, tmp_path / "other")
    said = python.run("show", "--root", host.root, "--now", str(NOW))
    assert "né " in said


def test_the_collector_in_another_program(python: Installed, host: Host) -> None:
    code = "from textfile_users import Collector; from prometheus_client import CollectorRegistry"
    code += "\nregistry = CollectorRegistry(); registry.register(Collector())"
    code += "\nprint(sorted(metric.name for metric in registry.collect())[0])"
    assert python.code(code).startswith("users_")


@pytest.mark.skipif(os.geteuid() != 0, reason="install needs root")
@pytest.mark.parametrize("by", ["timer", "cron"])
def test_install_and_uninstall(
    python: Installed, tmp_path: Path, archive: Path, by: str, host: Host
) -> None:
    """By that Python, into an image that has it; twice, for the second is an update."""
    image = tmp_path / "image"
    for name in ("usr/bin", "usr/sbin", "opt", "etc/cron.d", "usr/lib/systemd", TEXTFILE[1:]):
        (image / name).mkdir(parents=True)
    (image / "usr/sbin/cron").touch(mode=0o755)
    (image / "usr/lib/systemd/systemd").touch(mode=0o755)
    os.symlink(python.python, image / "usr/bin/python3")
    for name in ("passwd", "group", "shadow", "gshadow", "login.defs"):
        shutil.copy(f"/etc/{name}", image / "etc")
    argv = [python.python, "-I", str(archive), "install", "--root", str(image)]
    argv += ["--cron"] if by == "cron" else []
    for _ in range(2):
        done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
    entry = (
        image / "etc/cron.d/textfile-users"
        if by == "cron"
        else image / "etc/systemd/system/textfile-users.service"
    )
    assert "/opt/textfile-users/bin/python3 -I -c" in entry.read_text()
    assert os.readlink(image / "opt/textfile-users/bin/python3") == python.python
    assert list((image / "opt/textfile-users/lib").rglob("*.pyc"))
    found = Installed(image, python.python, archive)
    assert "users_logged_in" in scan(found, host, tmp_path / "state")
    said = found.run("uninstall", "--root", str(image))
    assert said == "Removed, but for the program itself: rm -r /opt/textfile-users\n"
    assert not entry.exists()


def test_python_2_is_told_what_it_needs(archive: Path) -> None:
    path = path_of("2.7")
    done = subprocess.run([path, str(archive)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "textfile-users: this is Python 2.7, and 3.6 or later is needed (see docs/deploy.md)\n"
    )


def test_a_newer_python_reads_no_more(archive: Path, tmp_path: Path, host: Host) -> None:
    """It imports and opens what it does where the file has nothing for the older ones."""
    plain = tmp_path / "plain.pyz"
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(plain, "w") as target:
        for name in source.namelist():
            if name not in ("older.zip", "older_finder.py"):
                target.writestr(name, source.read(name))
    seen = [_opened(path, tmp_path, host) for path in (archive, plain)]
    assert seen[0] == seen[1]
    assert any("import textfile_users" in line for line in seen[0])
    assert "import older_finder" not in seen[0]


def _opened(archive: Path, directory: Path, host: Host) -> list[str]:
    """Return what the first scan of a host imports and opens."""
    state = directory / archive.stem
    state.mkdir()
    argv = [str(archive), "--root", host.root, "--now", str(NOW)]
    argv += ["--state-directory", str(state), "--runtime-directory", str(state)]
    argv += ["--output", str(state / "users.prom"), "--timeout", "60"]
    code = f"""if True:
        import os, sys, runpy
        def note(event, words):
            if event in ("import", "open"):
                seen.append(f"{{event}} {{words[0]}}")
        seen, end = [], os._exit
        def tell(status):
            end(os.write(1, "\\n".join(seen).encode()) * 0 + status)
        sys.argv, os._exit = {argv!r}, tell
        sys.addaudithook(note)
        runpy.run_path({str(archive)!r}, run_name="__main__")
    """
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode().replace(str(archive), "ARCHIVE").replace(str(state), "STATE")
    return sorted(re.sub(r"\.[0-9a-f]{16}\.", ".", text).split("\n"))


def test_an_environment_of_a_newer_python_has_nothing_for_the_older(ours: Installed) -> None:
    assert not list(Path(ours.prefix).rglob("older_*s.py"))
    assert not list(Path(ours.prefix).rglob("older.zip"))
