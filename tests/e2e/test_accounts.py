"""Accounts through a real NSS source that does not enumerate, hangs, crashes and recovers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.debian import leave_out
from tests.e2e.parts import Box, run

pytestmark = pytest.mark.e2e

# As LDAP's: it has no setpwent(3). Of what it is asked it keeps a note with the pid, and it does
# what a file of that name in its directory says.
MODULE = r"""
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "/run/nss-test/"
static struct { uid_t uid; gid_t gid; char *name, *gecos; } accounts[] = {
    {70001, 70100, "dora", "Dora D\xc3\xb6rr,Room 1,,"},
    {70002, 100, "emil", "&"},
    {70003, 70100, "j\xfcrgen", "J\xfcrgen"},
};

static void note(const char *kind, const char *key) {
    char line[99];
    int file = open(DIRECTORY "asked", O_WRONLY | O_APPEND);
    int size = snprintf(line, sizeof line, "%d %s %s\n", (int)getpid(), kind, key);
    if (write(file, line, size) != size || close(file)) abort();
    write(2, "noise\n", 6);
    if (!access(DIRECTORY "crashes", F_OK)) abort();
    while (!access(DIRECTORY "hangs", F_OK)) pause();
}

static enum nss_status fill(size_t i, struct passwd *p, char *buffer, size_t size) {
    snprintf(buffer, size, "%s%c%s", accounts[i].name, 0, accounts[i].gecos);
    p->pw_name = buffer;
    p->pw_gecos = buffer + strlen(buffer) + 1;
    p->pw_passwd = p->pw_dir = p->pw_shell = "";
    p->pw_uid = accounts[i].uid;
    p->pw_gid = accounts[i].gid;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_test_getpwuid_r(uid_t uid, struct passwd *p, char *b, size_t n, int *e) {
    char key[11];
    snprintf(key, sizeof key, "%u", uid);
    note("uid", key);
    for (size_t i = 0; i < 3; i++)
        if (accounts[i].uid == uid) return fill(i, p, b, n);
    *e = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_test_getpwnam_r(const char *user, struct passwd *p, char *b, size_t n,
                                     int *e) {
    note("user", user);
    for (size_t i = 0; i < 3; i++)
        if (!strcmp(accounts[i].name, user)) return fill(i, p, b, n);
    *e = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_test_getgrgid_r(gid_t gid, struct group *g, char *b, size_t n, int *e) {
    static char *nobody[] = {NULL};
    char key[11];
    snprintf(key, sizeof key, "%u", gid);
    note("gid", key);
    *e = ENOENT;
    if (gid != 70100) return NSS_STATUS_NOTFOUND;
    g->gr_name = "domain users";
    g->gr_passwd = "";
    g->gr_gid = gid;
    g->gr_mem = nobody;
    return NSS_STATUS_SUCCESS;
}
"""
# One scan with what the last one left: arguments are time, seconds, users and uids.
LOOK = """
import json, os, sys, time
from textfile_users.accounts.account import Answer, Known, Pause, accounts_of, questions
from textfile_users.paths import Paths
from textfile_users.memory import record_of
from textfile_users.accounts.collect_accounts import look_up
file, now, seconds, users, uids = sys.argv[1:]
users, uids = users.split(), list(map(int, uids.split()))
answers, signature, pause = json.load(open(file))
answers = [record_of(Answer, one) for one in answers]
known = Known({one.question: one for one in answers}, signature, record_of(Pause, pause))
began, cpu = time.monotonic(), time.process_time()
deadline = began + float(seconds)
known, report = look_up(Paths(), questions(users, uids), known, float(now), deadline)
took = time.monotonic() - began
rows = list(known.answers.values())
json.dump([rows, known.signature, known.pause], open(file, "w"))
accounts = [list(one) for one in accounts_of(users, uids, known)]
print(json.dumps({"accounts": accounts, "took": took, "faults": report.faults,
                  "status": report.status, "pause": known.pause.seconds}))
"""
NOW = 1_765_000_000.0
DORA = ["dora", 70001, "domain users", "Dora Dörr"]
EMIL = ["emil", 70002, "users", "&"]
DEADLINE = 2.0


class Looks:
    """Looks in the box, each of a process of its own."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.directory = box.root / "run/nss-test"
        self.library = box.directory / "nss"
        self.state = box.directory / "accounts.json"
        self.state.write_text(json.dumps([[], "", ["", "", 0.0, 0.0]]))
        self.state.chmod(0o666)

    def env(self, *argv: str) -> list[str]:
        """Return the command that runs `argv` where libc finds the module."""
        return ["env", f"LD_LIBRARY_PATH={self.library}", *argv]

    def does(self, what: str) -> None:
        """Have the module do `what` from now on, '' for nothing but answering."""
        for name in ("hangs", "crashes"):
            (self.directory / name).unlink(missing_ok=True)
        if what:
            (self.directory / what).touch()

    def look(
        self,
        after: float,
        users: str,
        uids: str,
        seconds: float = DEADLINE,
        as_user: tuple[str, ...] = (),
    ) -> tuple[dict[str, Any], list[str]]:
        """Look `after` the first time; return what was found and what the module was asked."""
        (self.directory / "asked").write_text("")
        python = ["/opt/textfile-users/bin/python3", "-I", "-c", LOOK]
        words = [str(self.state), str(NOW + after), str(seconds), users, uids]
        done = self.box.run(*as_user, *self.env(*python, *words))
        assert done.stderr == ""
        asked = [line.split() for line in (self.directory / "asked").read_text().splitlines()]
        for pid, _, _ in asked:
            # On a slow machine the program ends before it could reap; nobody else in the box does.
            stat = self.box.root / "proc" / pid / "stat"
            assert not stat.exists() or ") Z " in stat.read_text(), "the child is still there"
        found: dict[str, Any] = json.loads(done.stdout)
        return found, [" ".join(words) for _, *words in asked]


@pytest.fixture
def looks(box: Box) -> Iterator[Looks]:
    """Give looks in a box whose libc asks the module for what files lack."""
    if not (shutil.which("gcc") and os.path.exists("/usr/include/nss.h")):
        leave_out("needs Debian's gcc, libc6-dev")
    library = box.directory / "nss"
    library.mkdir(exist_ok=True)
    (library / "test.c").write_text(MODULE)
    built = str(library / "libnss_test.so.2")
    run("gcc", "-Wall", "-Wno-unused-result", "-shared", "-fPIC", "-o", built,
        str(library / "test.c"))  # fmt: skip
    switch = box.root / "etc/nsswitch.conf"
    before = switch.read_text()
    switch.write_text("passwd: files test\ngroup: files test\n")
    box.run("mkdir", "-m", "777", "/run/nss-test")
    box.run("install", "-m", "666", "/dev/null", "/run/nss-test/asked")
    try:
        yield Looks(box)
    finally:
        switch.write_text(before)
        box.run("rm", "-r", "/run/nss-test")


def test_accounts_of_a_source_that_does_not_enumerate(looks: Looks) -> None:
    enumerated = looks.box.run(*looks.env("getent", "passwd")).stdout
    assert "tu-alice:" in enumerated
    assert "dora:" not in enumerated
    one = looks.box.run(*looks.env("getent", "passwd", "70001")).stdout.split(":")
    assert [one[0], int(one[2]), one[4].partition(",")[0]] == [DORA[0], DORA[1], DORA[3]]

    found, asked = looks.look(0, "tu-alice dora", "20001 70001 70002 70003 70009")
    assert asked == ["user dora", *(f"uid {uid}" for uid in (70001, 70002, 70003, 70009)),
                     "gid 70100"]  # fmt: skip
    accounts = found["accounts"]
    assert accounts[0][:2] == ["tu-alice", 20001]
    assert accounts[1:] == [
        DORA,
        EMIL,
        ["j\\xfcrgen", 70003, "domain users", "J\\xfcrgen"],
        ["70009", 70009, "", ""],
    ]
    assert (found["status"], found["faults"]) == ("ok", [])

    again, asked = looks.look(5, "tu-alice dora", "20001 70001 70002 70003 70009")
    assert asked == []
    assert again["accounts"] == accounts


def test_a_new_line_of_passwd_is_seen_at_once(looks: Looks) -> None:
    """NSS has said that there is no such account, for ten minutes."""
    found, asked = looks.look(0, "tu-frida", "70007")
    assert (found["accounts"], asked) == (
        [["70007", 70007, "", ""]],
        ["user tu-frida", "uid 70007"],
    )
    looks.box.run(
        "useradd", "--uid", "70007", "--comment", "Frieda F,,", "--user-group", "tu-frida"
    )
    try:
        found, asked = looks.look(5, "tu-frida", "70007")
        assert (found["accounts"], asked) == ([["tu-frida", 70007, "tu-frida", "Frieda F"]], [])
    finally:
        looks.box.run("userdel", "tu-frida")
    found, asked = looks.look(10, "", "70007")
    assert found["accounts"] == [["70007", 70007, "", ""]]


@pytest.mark.parametrize("fault", ["hangs", "crashes"])
@pytest.mark.parametrize("user", ["root", "tu-bob"])
def test_a_fault_costs_its_time_once(looks: Looks, fault: str, user: str) -> None:
    as_user = () if user == "root" else ("setpriv", f"--reuid={user}", "--clear-groups")
    looks.look(0, "", "70001", as_user=as_user)
    looks.does(fault)
    times = (10, 15, 20, 65, 70, 75, 185, 190, 195)
    tries = (10, 70, 190)  # after 60 s, then 120 s; there would be 240 s
    for after in times:
        found, asked = looks.look(after, "emil", "70001", as_user=as_user)
        assert asked == (["user emil"] if after in tries else [])
        assert found["accounts"] == [DORA], "what is known stays"
        assert found["status"] == "broken"
        assert len(found["faults"]) == 1
        waited = after in tries and fault == "hangs"
        assert (found["took"] >= DEADLINE) == waited
    assert found["pause"] == 240
    looks.does("")
    found, asked = looks.look(425, "emil", "70001", as_user=as_user)
    assert (found["accounts"], asked) == ([DORA], [])
    found, asked = looks.look(430, "emil", "70001", as_user=as_user)
    assert (found["accounts"], asked) == ([DORA, EMIL], ["user emil"])
    assert (found["status"], found["faults"], found["pause"]) == ("ok", [], 0)


def test_an_account_outlives_its_server(looks: Looks) -> None:
    """A refresh after an hour hangs; the name stays, and is refreshed when the server is back."""
    looks.look(0, "", "70001")
    looks.does("hangs")
    found, asked = looks.look(3600, "", "70001")
    assert (found["accounts"], asked) == ([DORA], ["uid 70001"])
    looks.does("")
    found, asked = looks.look(3660, "", "70001")
    assert (found["accounts"], asked) == ([DORA], ["uid 70001", "gid 70100"][::-1])
    found, asked = looks.look(3665, "", "70001")
    assert (found["accounts"], asked) == ([DORA], [])
