"""Draw a picture of `show` as the program prints it on a terminal; see script/picture."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time

from tests.hosts import BOOT, NOW, TICKS, Host

COLUMNS = 100
OPTIONS = "--session-command --network office=192.0.2.0/24 --network vpn=2001:db8:7::/48"
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
alice:x:1000:100:Alice:/home/alice:/bin/bash
bob:x:1001:100:Bob:/home/bob:/bin/bash
carol:x:1002:100:Carol:/home/carol:/bin/bash
"""
MIB_PAGES = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
PTS = 136 << 8  # tty_nr of pts/0, see proc(5)


def session(
    host: Host,
    ident: int,
    user: str,
    uid: int,
    origin: str,
    ago: int,
    cpu: float,
    mib: int,
    tty: int = -1,
    idle: int = 0,
    command: str = "",
) -> None:
    """Add an ssh session of logind's and its process; with a ``tty`` that is ``idle`` seconds."""
    pid = 1000 + ident
    scope = f"/user.slice/user-{uid}.slice/session-{ident}.scope"
    host.process(pid, (command or "sftp-server").split()[0], title=command, cgroup=scope, uid=uid)
    terminal = PTS + tty if tty >= 0 else 0
    ticks = int((NOW - ago - BOOT) * TICKS)
    host.write(
        f"proc/{pid}/stat",
        f"{pid} (x) S 1 {pid} {pid} {terminal} {pid if terminal else -1} 0 0 0 0 0 "
        f"{int(cpu * TICKS)} 0 0 0 20 0 1 0 {ticks} 1000 {mib * MIB_PAGES}\n",
    )
    host.write(f"proc/{pid}/statm", f"1000 {mib * MIB_PAGES} 100 1 0 10 0\n")
    host.logind(
        str(ident), USER=user, UID=uid, LEADER=pid, REMOTE_HOST=origin,
        REALTIME=int(NOW - ago) * 1_000_000, TTY=f"pts/{tty}" if terminal else None,
    )  # fmt: skip
    if terminal:
        path = host.path(f"dev/pts/{tty}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mknod(path, 0o600 | 0o020000, os.makedev(136, tty))
        os.utime(path, (NOW - idle, NOW - idle))


def refused(ago: int, user: str, ip: str) -> str:
    """Return a line of sshd's about a wrong password."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(NOW - ago))
    return f"{stamp} host sshd[{ago}]: Failed password for {user} from {ip} port 4022 ssh2\n"


def make_host(directory: str) -> Host:
    """Return a host with people at work, and others who try to get in."""
    host = Host(directory)
    host.write("etc/passwd", PASSWD)
    session(host, 3, "root", 0, "192.0.2.4", 90_000, 2.4, 9, 0, 86_400 + 1_200, "-bash")
    session(host, 14, "alice", 1000, "192.0.2.7", 7_500, 312, 486, 1, 3, "cargo build --release")
    session(host, 15, "alice", 1000, "192.0.2.7", 7_200, 0.6, 14, 2, 1_700, "vim notes.txt")
    session(host, 19, "bob", 1001, "2001:db8:7::2c", 1_500, 41, 73)
    session(host, 21, "carol", 1002, "198.51.100.20", 240, 0.2, 11, 3, 20, "less /var/log/syslog")
    bots = (("203.0.113.66", 64, ("root", "invalid user oracle", "invalid user git")),
            ("2001:db8:bad::1", 23, ("root", "alice")), ("203.0.113.9", 7, ("invalid user pi",)),
            ("192.0.2.7", 1, ("alice",)))  # fmt: skip
    tries = [
        (40 * n + 17 * place, users[n % len(users)], ip)
        for place, (ip, times, users) in enumerate(bots)
        for n in range(times)
    ]
    host.write("var/log/auth.log", "".join(refused(*one) for one in sorted(tries, reverse=True)))
    return host


def run(*argv: str) -> str:
    """Return what the program prints on a terminal with colours."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", "TZ": "UTC", "PYTHONUTF8": "1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "textfile_users", *argv], stdout=slave, env=environment
    )
    os.close(slave)
    output = b""
    try:
        while data := os.read(master, 65_536):
            output += data
    except OSError:  # EIO: the program has ended
        pass
    if child.wait():
        raise SystemExit(f"{argv}: {child.returncode}")
    return output.decode().replace("\r\n", "\n")


def show(directory: str) -> str:
    """Return what `show` prints of the host, which is made in ``directory``."""
    root = make_host(directory).root
    return run("show", "--root", root, "--now", str(NOW), *OPTIONS.split())


def main(path: str) -> None:
    """Draw what `show` prints."""
    from rich.console import Console  # the tests do without
    from rich.text import Text

    with tempfile.TemporaryDirectory() as directory:
        printed = show(directory).rstrip("\n")
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(f"$ textfile-users show {OPTIONS}", style="bold", highlight=False)
    console.print(Text.from_ansi(printed), soft_wrap=True)
    svg = console.export_svg(title="textfile-users show", unique_id="show")
    svg = svg.replace("Fira Code, monospace", "monospace")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing is fetched
    with open(path, "w", encoding="utf-8") as file:
        file.write(svg)


if __name__ == "__main__":
    main(sys.argv[1])
