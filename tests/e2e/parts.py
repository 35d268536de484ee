"""The real parts that the tests here start, each of which ends with them."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType

SECONDS = 600  # after which a box ends by itself

# A mount and a pid namespace: a fresh /run with a utmp, logs, homes and accounts of its own.
SETUP = """set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mount -t tmpfs -o mode=755 tmpfs /opt
mkdir -p /home && mount -t tmpfs -o mode=755 tmpfs /home
mkdir -m 755 /run/sshd /home/alice
: >/run/utmp; : >/var/log/wtmp; : >/var/log/btmp; : >/var/log/lastlog
chown root:utmp /run/utmp /var/log/*; chmod 664 /run/utmp
for name in passwd shadow group; do cp -p /etc/$name {directory}/$name; done
echo 'alice:x:20001:20001:Alice:/home/alice:/bin/sh' >>{directory}/passwd
echo 'alice:*:19000:0:99999:7:::' >>{directory}/shadow
echo 'alice:x:20001:' >>{directory}/group
for name in passwd shadow group; do mount --bind {directory}/$name /etc/$name; done
ssh-keygen -q -t ed25519 -N '' -f {directory}/key
ssh-keygen -q -t ed25519 -N '' -f {directory}/host_key
mkdir -m 700 /home/alice/.ssh
cp {directory}/key.pub /home/alice/.ssh/authorized_keys
chown -R alice:alice /home/alice
touch {directory}/ready
exec sleep {seconds}
"""
SSHD_CONFIG = """ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile none
UsePAM no
PasswordAuthentication no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
"""


def run(*argv: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed; where it fails its stderr is in the error."""
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        argv, capture_output=True, text=True, check=False, timeout=300, **options
    )
    if check and done.returncode:
        raise AssertionError(f"{argv}: {done.returncode}: {done.stdout}{done.stderr}")
    return done


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class NodeExporter:
    """A running node_exporter: its textfile directory and its page."""

    def __init__(self, directory: Path, url: str) -> None:
        """Remember where it is."""
        self.directory = directory
        self.url = url

    def scrape(self) -> dict[str, float]:
        """Return the samples of its page by name and labels."""
        with urllib.request.urlopen(self.url, timeout=10) as response:
            text = response.read().decode()
        pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in pairs}


class Box:
    """Namespaces in which real servers run without touching the host."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which the box shares with the host, for files."""
        self.directory = directory
        self.state = directory / "state"

    def __enter__(self) -> Box:
        """Start the box; its first process ends all others in it when it ends."""
        script = SETUP.format(directory=self.directory, seconds=SECONDS)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
             "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
        )  # fmt: skip
        while not (self.directory / "ready").exists():
            assert self._process.poll() is None, "the box did not start"
            os.sched_yield()
        children = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        self._init = Path(children).read_text().split()[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the box and all that runs in it."""
        self._process.kill()
        self._process.wait()

    def argv(self, *argv: str) -> list[str]:
        """Return the command that runs `argv` in the box."""
        # --root: these tests may themselves run in a chroot.
        enter = ["nsenter", "--target", self._init, "--mount", "--pid", "--root", "--wd"]
        return [*enter, "--", *argv]

    def run(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the box."""
        return run(*self.argv(*argv), check=check)

    def collect(self, output: str, *argv: str, user: str = "root") -> tuple[int, str]:
        """Run the program in the box as `user`; return its status and stderr."""
        state = f"{self.state}-{user}"
        os.makedirs(state, exist_ok=True)
        self.run("chown", user, state)
        as_user = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
        done = self.run(
            *(as_user if user != "root" else []),
            "/opt/textfile-users/bin/textfile-users", "--output", output,
            "--state-directory", state, "--runtime-directory", state, "--timeout", "30", *argv,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stderr

    def sshd(self) -> int:
        """Start sshd on a loopback port and return the port."""
        config = self.directory / "sshd_config"
        config.write_text(SSHD_CONFIG.format(directory=self.directory))
        port = free_port()
        self.run("/usr/sbin/sshd", "-f", str(config), "-p", str(port))
        return port

    def ssh(self, port: int, *argv: str) -> subprocess.Popen[bytes]:
        """Start an ssh client on the host that logs in as alice."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR"]
        return subprocess.Popen(
            ["ssh", "-F", "/dev/null", "-i", str(self.directory / "key"), "-p", str(port),
             *[word for option in options for word in ("-o", option)],
             *argv[:-1], "alice@127.0.0.1", argv[-1]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
