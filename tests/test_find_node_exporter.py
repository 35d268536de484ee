"""A running node_exporter tells where root writes: only one that cannot be an ordinary user's."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from textfile_users.paths import SERVICE_USER, Paths
from textfile_users.setup import node_exporter as module
from textfile_users.setup.node_exporter import (
    MAX_COMMAND_LINE,
    Launch,
    NodeExporter,
    expand,
    find_blind,
    find_node_exporters,
    parse_flags,
    why_not_trusted,
)

USER = (990, 990, 990, 990)
PROGRAM = "/usr/bin/node_exporter"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ((), ()),
        (("--collector.textfile.directory=/a",), ("/a",)),
        (("--collector.textfile.directory", "/a"), ("/a",)),
        (("-collector.textfile.directory", "/a", "--x"), ("/a",)),
        (("-collector.textfile.directory=/a=b",), ("/a=b",)),
        (("--collector.textfile.directory=/a", "--collector.textfile.directory", "/b"),
         ("/a", "/b")),
        (("--collector.textfile.directory",), ()),
        (("--collector.textfile.directory=",), ()),
        (("--no-collector.textfile.directory=/a",), ()),
        (("--", "--collector.textfile.directory=/a"), ()),
        (("collector.textfile.directory=/a",), ()),
    ],
)  # fmt: skip
def test_flags(words: tuple[str, ...], values: tuple[str, ...]) -> None:
    assert parse_flags(words, "collector.textfile.directory") == values


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        (Launch(USER, PROGRAM), ""),
        (Launch((0, 0, 0, 0), "/opt/prometheus-node-exporter"), ""),
        (Launch((1000,) * 4, PROGRAM), "it is an ordinary user's (uid 1000)"),
        # A setuid program may have any first word and any flags.
        (Launch((1000, 0, 0, 0), PROGRAM), "it is an ordinary user's (uid 1000)"),
        (Launch((33, 0, 0, 0), PROGRAM), "its real user is not the one whose rights it has"),
        (Launch((), PROGRAM), "it has ended"),
        (Launch(USER, ""), "only root sees what it runs"),
        (Launch(USER, "/bin/sleep"), "what it runs is /bin/sleep"),
        (Launch(USER, PROGRAM, owner=990), f"others than root can write {PROGRAM}"),
        (Launch(USER, PROGRAM, mode=0o775), f"others than root can write {PROGRAM}"),
        (Launch(USER, PROGRAM, mode=0o757), f"others than root can write {PROGRAM}"),
        (Launch(USER, PROGRAM, same_root=False),
         "it has another root directory, as in a container"),
        (Launch(USER, PROGRAM, elsewhere="/srv"), "/srv is another directory in its view"),
    ],
)  # fmt: skip
def test_who_is_trusted(origin: Launch, why: str) -> None:
    assert why_not_trusted(origin) == why


class Proc:
    """A root with a /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.program = root / "usr/bin/node_exporter"
        self.program.parent.mkdir(parents=True)
        self.program.touch(0o755)
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text("prometheus:x:990:990::/:/bin/false\n")

    def add(self, pid: int, *words: str, uid: int = 990, program: str = "", root: str = "") -> None:
        path = self.root / f"proc/{pid}"
        path.mkdir(parents=True)
        (path / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        (path / "status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        (path / "exe").symlink_to(program or str(self.program))
        (path / "root").symlink_to(root or str(self.root))

    def find(self) -> tuple[NodeExporter, ...]:
        return find_node_exporters(Paths(str(self.root)))


def test_find(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    (tmp_path / "srv").mkdir()
    proc.add(9, "/usr/bin/node_exporter", "--collector.textfile.directory=/srv",
             "--web.listen-address", "127.0.0.1:9101")  # fmt: skip
    proc.add(10, "/usr/bin/node_exporter")
    proc.add(11, "node_exporter", "--collector.textfile.directory=/srv", uid=1000)
    proc.add(12, "exporter")  # by what it runs
    proc.add(13, "bash", program="/bin/sh")
    proc.add(14)  # of the kernel
    (tmp_path / "proc/15").mkdir()  # ended meanwhile
    found = proc.find()
    assert [exporter.pid for exporter in found] == [9, 10, 11, 12]
    assert found[0][1:5] == ("prometheus", 990, ("/srv",), "127.0.0.1:9101")
    assert found[1][1:5] == ("prometheus", 990, (), ":9100")
    assert found[2][1:7] == (
        "1000", 1000, (), "", False, "it is an ordinary user's (uid 1000)",
    )  # fmt: skip
    if os.getuid() == 0:  # else the test's program is another's
        assert [exporter.trusted for exporter in found] == [True, True, False, True]
        assert found[0].why == ""


@pytest.mark.skipif(os.getuid() != 0, reason="needs a program of root's")
def test_what_others_could_have_made_is_not_trusted(tmp_path: Path) -> None:
    proc = Proc(tmp_path / "host")
    other = tmp_path / "container"
    (other / "srv").mkdir(parents=True)
    flag = "--collector.textfile.directory=/srv"
    proc.add(1, "node_exporter", flag, root=str(other))
    proc.add(2, "node_exporter", flag, program="/bin/sleep")
    proc.add(3, "node_exporter", flag, program="/nonexistent/node_exporter (deleted)")
    (proc.root / "srv").mkdir()
    assert [exporter.why for exporter in proc.find()] == [
        "it has another root directory, as in a container",
        "what it runs is /bin/sleep",
        "only root sees what it runs",
    ]
    proc.program.chmod(0o777)
    proc.add(4, "node_exporter", flag)
    assert proc.find()[-1].why == f"others than root can write {proc.program}"


def test_a_directory_that_is_another_one_for_it(tmp_path: Path) -> None:
    """With the host's root directory, but a mount of its own over the textfile directory."""
    from textfile_users.setup.node_exporter import _is_same

    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert _is_same(f"{tmp_path}/one", f"{tmp_path}/one/")
    assert not _is_same(f"{tmp_path}/one", f"{tmp_path}/two")
    assert not _is_same(f"{tmp_path}/one", f"{tmp_path}/none")
    assert _is_same(f"{tmp_path}/none", f"{tmp_path}/neither"), "said when it is asked for"


def test_no_proc(tmp_path: Path) -> None:
    assert find_node_exporters(Paths(str(tmp_path))) == ()


def test_nothing_is_looked_at_that_an_ordinary_users_process_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path may hang root, and words of a megabyte from each of many leave no room for others."""
    proc = Proc(tmp_path)
    flag = "--collector.textfile.directory"
    long = "x" * (MAX_COMMAND_LINE - 1000)
    for pid in range(20):
        proc.add(pid + 1, "node_exporter", f"{flag}=/srv/dead", f"--web.listen-address={long}",
                 uid=65_534 if pid else 1000)  # fmt: skip
    monkeypatch.setattr(module, "_is_same", lambda *_: pytest.fail("it is looked at"))
    found = proc.find()
    assert len(found) == 20
    assert {(one.directories, one.listen, one.trusted) for one in found} == {((), "", False)}
    assert found[1].why == "it is an ordinary user's (uid 65534)"


def test_a_hostile_command_line(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.add(1, "node_exporter", *["--collector.textfile.directory"] * 20_000)
    (tmp_path / "proc/1/cmdline").open("ab").write(b"\xff\x00no end")
    (found,) = proc.find()
    assert set(found.directories) == {"--collector.textfile.directory"}


def test_globs_are_directories(tmp_path: Path) -> None:
    """node_exporter takes them since 1.9; each scrape reads what they match then."""
    for name in ("srv/a/prom", "srv/b/prom", "usr/lib/x/prom"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "srv/c").mkdir()
    (tmp_path / "srv/c/prom").touch()
    root = Paths(str(tmp_path))
    for pattern, found in (
        ("/srv/*/prom", ("/srv/a/prom", "/srv/b/prom")),
        ("/srv/a*/prom", ("/srv/a/prom",)),
        ("/srv/a/prom", ("/srv/a/prom",)),
        ("/srv/x*", ("/srv/x*",)),  # nothing yet
        ("/*/a/prom", ("/*/a/prom",)),  # no walk through the system
        ("/usr/lib/*/prom", ("/usr/lib/*/prom",)),
        ("/srv/*/*/*", ("/srv/*/*/*",)),
        ("srv/*", ("srv/*",)),
    ):
        assert expand(root, (pattern,)) == found
    assert expand(root, ("/srv/b/prom", "/srv/*/prom")) == ("/srv/b/prom", "/srv/a/prom")
    many = tmp_path / "srv/many"
    for number in range(100):
        (many / str(number)).mkdir(parents=True)
    assert len(expand(root, ("/srv/many/*",))) == module.MAX_MATCHES


CONFIG = 'prometheus.exporter.unix "x" { textfile { directory = "/srv" } }'


@pytest.mark.skipif(os.getuid() != 0, reason="needs a program of root's")
def test_grafana_alloy_is_one(tmp_path: Path) -> None:
    proc = Proc(tmp_path)
    proc.program = tmp_path / "usr/bin/alloy"
    proc.program.touch(0o755)
    (tmp_path / "srv").mkdir()
    config = tmp_path / "etc/config.alloy"
    config.write_text(CONFIG)
    proc.add(1, "/usr/bin/alloy", "run", "--storage.path=/x", "/etc/config.alloy")
    proc.add(2, "/usr/bin/alloy", "fmt", "/etc/config.alloy")
    proc.add(3, "/usr/bin/alloy", "run", "/etc/none.alloy")
    found = proc.find()
    assert [one.pid for one in found] == [1, 3]
    assert found[0][3:] == (("/srv",), "", True, "", "/etc/config.alloy")
    assert found[1].why == "its configuration /etc/none.alloy: No such file or directory"
    for mode, uid, text, why in (
        (0o664, 0, CONFIG, "others than root can write /etc/config.alloy"),
        (0o644, 990, CONFIG, "others than root can write /etc/config.alloy"),
        (0o644, 0, "logging {}", "has no textfile block in prometheus.exporter.unix"),
        (0o644, 0, CONFIG.replace("/srv", "/etc"), "/etc is the system's own directory"),
    ):
        config.write_text(text)
        config.chmod(mode)
        os.chown(config, uid, 0)
        assert why in proc.find()[0].why
        assert not proc.find()[0].trusted


FLAG = "--collector.textfile.directory"
# A process with the words of node_exporter, which makes mounts and may change its root directory.
PROCESS = """
import ctypes, os, subprocess, sys, time
if ctypes.CDLL(None).unshare(0x20000):  # CLONE_NEWNS
    sys.exit("no namespace for mounts")
script, root, uid = sys.argv[1:4]
subprocess.run(["sh", "-ec", "mount --make-rprivate /\\n" + script], check=True)
os.chroot(root)
os.setresuid(*[int(uid)] * 3)
print(flush=True)
time.sleep(60)
"""
VIEWS = [
    ("", "/", "{directory}", False, "the host's own root directory"),
    ("mount --bind /run /run; mount -o remount,bind,ro /run", "/", "{directory}", False,
     "a unit has a mount namespace of its own, and /run is the same"),
    ("mount -t tmpfs tmpfs /run", "/", "{directory}", True, "a unit whose /run is hidden"),
    ("mkdir {root}/host; mount --rbind / {root}/host", "{root}", "/host{directory}", False,
     "-v /:/host: a relative link leads to /host/run"),
    ("mkdir {root}/host; mount --rbind / {root}/host; mount -t tmpfs tmpfs {root}/host/run",
     "{root}", "/host{directory}", True, "the host without what is mounted on it"),
    ("mkdir {root}/textfile {root}/run; mount --bind {directory} {root}/textfile",
     "{root}", "/textfile", True, "-v of the textfile directory alone"),
    ("mkdir {root}/textfile {root}/run; mount --bind {directory} {root}/textfile;"
     " mount --rbind /run {root}/run", "{root}", "/textfile", False, "-v of /run too"),
    ("mkdir {root}/textfile {root}/run", "{root}", "/textfile", False, "it serves another one"),
]  # fmt: skip


@pytest.fixture
def served_in_run() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tu-", dir="/run"))
    yield path
    path.rmdir()


@pytest.mark.skipif(os.getuid() != 0, reason="makes mounts")
def test_a_directory_below_run_that_is_elsewhere_in_a_container(
    tmp_path: Path, served_in_run: Path
) -> None:
    """The link climbs to / and goes down by run/, which is there in the container too."""
    sees = VIEWS[-2]
    assert sees[3] is False
    check_view(served_in_run, tmp_path, *sees)


@pytest.mark.skipif(os.getuid() != 0, reason="makes mounts")
@pytest.mark.parametrize(("script", "root", "flag", "is_blind", "why"), VIEWS)
def test_who_would_not_see_where_a_link_leads(
    tmp_path: Path, script: str, root: str, flag: str, is_blind: bool, why: str
) -> None:
    served, other = tmp_path / "textfile", tmp_path / "root"
    served.mkdir()
    other.mkdir()
    check_view(served, other, script, root, flag, is_blind, why)


def check_view(
    served: Path, other: Path, script: str, root: str, flag: str, is_blind: bool, why: str
) -> None:
    names = {"directory": str(served), "root": str(other)}
    for uid in (0, 990, 65_534):
        for path in other.iterdir():
            path.rmdir()
        argv = ["node_exporter", "-IS", "-c", PROCESS, script.format(**names),
                root.format(**names), str(uid), f"{FLAG}={flag.format(**names)}"]  # fmt: skip
        child = subprocess.Popen(argv, executable="/usr/bin/python3", stdout=subprocess.PIPE)
        try:
            assert child.stdout
            assert child.stdout.readline() == b"\n"
            found = find_blind(Paths(), str(served))
            assert (child.pid in found) == is_blind, why
        finally:
            child.kill()
            child.communicate()


@pytest.mark.skipif(os.getuid() != 0, reason="makes mounts")
@pytest.mark.parametrize(
    ("uid", "hidden", "is_heard", "is_told", "why"),
    [
        (990, True, True, False, "a system's user: else this test shows nothing"),
        (1000, True, False, True, "an ordinary user may run what they like"),
        (165_534, True, False, True, "nobody of a container with userns-remap"),
        (165_534, False, False, False, "a container that has the host's /run"),
        (991, True, False, False,
         "the service's own: a link keeps it from other names in the directory"),
    ],
)  # fmt: skip
def test_whose_process_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, hidden: bool, is_heard: bool,
    is_told: bool, why: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(module, "_name", lambda _, uid: SERVICE_USER if uid == 991 else str(uid))
    served = tmp_path / "textfile"
    served.mkdir()
    script = "mount -t tmpfs tmpfs /run" if hidden else ""
    argv = ["node_exporter", "-IS", "-c", PROCESS, script, "/", str(uid), f"{FLAG}={served}"]
    child = subprocess.Popen(argv, executable="/usr/bin/python3", stdout=subprocess.PIPE)
    try:
        assert child.stdout
        assert child.stdout.readline() == b"\n"
        assert (child.pid in find_blind(Paths(), str(served))) == is_heard, why
        assert (child.pid in find_blind(Paths(), str(served), ordinary=True)) == is_told, why
    finally:
        child.kill()
        child.communicate()


def test_nothing_is_looked_at_that_an_ordinary_user_s_process_in_our_view_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = Proc(tmp_path)
    for name in ("self", "1", "2"):
        (tmp_path / "proc" / name / "ns").mkdir(parents=True)
        (tmp_path / "proc" / name / "ns/mnt").touch()
    monkeypatch.setattr(module, "_directories", lambda *_: pytest.fail("it is looked at"))
    for pid in (3, 4):
        proc.add(pid, "node_exporter", f"{FLAG}=/srv", uid=1000)
        (tmp_path / f"proc/{pid}/ns").mkdir()
        os.link(tmp_path / "proc/self/ns/mnt", tmp_path / f"proc/{pid}/ns/mnt")
    assert find_blind(Paths(str(tmp_path)), "/srv", ordinary=True) == ()
    (tmp_path / "proc/4/ns/mnt").unlink()
    assert find_blind(Paths(str(tmp_path)), "/srv", ordinary=True) == (), "it has ended"
    (tmp_path / "proc/4/ns/mnt").touch()
    with pytest.raises(pytest.fail.Exception):
        find_blind(Paths(str(tmp_path)), "/srv", ordinary=True)
