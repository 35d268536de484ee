"""The real parts that the tests here start, each of which ends with them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SECONDS = 14_400  # after which a box ends by itself

PASSWORD = "correct horse"  # of every user of a box

# A mount and a pid namespace: /etc and /dev of its own, a fresh /run with a utmp, logs, homes
# and accounts. /dev has no log socket: the host's would take what is said in the box.
# Of /etc and /usr/local the host's people stay outside, and this program: no name and no
# uid of the box is taken. So does what keeps people out.
SETUP = """set -e
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /home
for name in /var/log /opt /home /var/lib/wtmpdb /var/lib/lastlog; do
    [ ! -d $name ] || mount -t tmpfs -o mode=755 tmpfs $name
done
mkdir {directory}/etc {directory}/dev {directory}/local
mount -t tmpfs -o mode=755 tmpfs {directory}/local
mkdir {directory}/local/upper {directory}/local/work
layers=lowerdir=/usr/local,upperdir={directory}/local/upper,workdir={directory}/local/work
mount -t overlay -o $layers overlay /usr/local
rm -f /usr/local/bin/textfile-users /usr/local/share/man/man1/textfile-users.1
mount -t tmpfs -o mode=755 tmpfs {directory}/etc
cp -a /etc/. {directory}/etc
mount --move {directory}/etc /etc
sed -Ei '/^textfile-users:/d; /^[^:]*:[^:]*:[1-9][0-9]{{3,}}:/{{ /^[^:]*:[^:]*:65534:/!d }}' \\
    /etc/passwd /etc/group
sed -Ei 's/([:,])textfile-users(,|$)/\\1\\2/; s/:,/:/; s/,,/,/; s/,$//' /etc/group /etc/gshadow
for pair in passwd:shadow group:gshadow; do
    kept=$(awk -F: 'NR == FNR {{ kept[$1]; next }} $1 in kept' /etc/${{pair%:*}} /etc/${{pair#*:}})
    echo "$kept" >/etc/${{pair#*:}}
done
sed -Ei 's/^((passwd|group|shadow|gshadow):).*/\\1 files/' /etc/nsswitch.conf
find /etc -name 'textfile-users*' -prune -exec rm -r {{}} +
cp --remove-destination /usr/share/zoneinfo/UTC /etc/localtime  # no link into the host
rm -f /etc/subuid /etc/subgid /etc/nologin /etc/hosts.deny
mount -t tmpfs -o mode=755 tmpfs {directory}/dev
for name in null zero full random urandom tty; do
    : >{directory}/dev/$name
    mount --bind /dev/$name {directory}/dev/$name
done
mkdir {directory}/dev/pts
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts {directory}/dev/pts
ln -s pts/ptmx {directory}/dev/ptmx
ln -s /proc/self/fd {directory}/dev/fd
mount --move {directory}/dev /dev
mkdir -m 755 /run/sshd
: >/run/utmp; : >/var/log/wtmp; : >/var/log/btmp; : >/var/log/lastlog
chown root:utmp /run/utmp /var/log/*; chmod 664 /run/utmp; chmod 660 /var/log/btmp
ssh-keygen -q -t ed25519 -N '' -f {directory}/key
ssh-keygen -q -t ed25519 -N '' -f {directory}/host_key
id=20001
for name in tu-alice tu-bob tu-carol; do
    useradd --uid $id --user-group --shell /bin/sh --create-home $name
    echo "$name:{password}" | chpasswd
    mkdir -m 700 /home/$name/.ssh
    cp {directory}/key.pub /home/$name/.ssh/authorized_keys
    chown -R $name: /home/$name/.ssh
    id=$((id + 1))
done
sed -i 's/pam_unix\\.so/& nodelay/' /etc/pam.d/common-auth; echo FAIL_DELAY 0 >>/etc/login.defs
printf '#!/bin/sh\\necho "$PASSWORD"\\n' >{directory}/askpass
chmod 755 {directory}/askpass
touch {directory}/ready
exec sleep {seconds}
"""
SSHD_CONFIG = """ListenAddress 127.0.0.1
HostKey {directory}/host_key
PidFile none
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
"""
# As Debian has it: 12 with ISO stamps, 11 with traditional ones.
RSYSLOG_CONFIG = """module(load="imuxsock" SysSock.Name="/dev/log")
$ActionFileDefaultTemplate {template}
$RepeatedMsgReduction {reduce}
$FileOwner root
$FileGroup adm
$FileCreateMode 0640
$WorkDirectory /run
auth,authpriv.* /var/log/auth.log
"""
# The box shares the host's mail spool, and what notes whom sudo has lectured.
SUDOERS = """Defaults !mail_badpass, !mail_no_user, !lecture
root ALL=(ALL) ALL
tu-alice ALL=(ALL) NOPASSWD: ALL
tu-bob ALL=(tu-alice) ALL
"""
LOGROTATE_CONFIG = """/var/log/auth.log {{
    rotate 99
    {words}
    postrotate
        kill -HUP $(cat /run/rsyslogd.pid)
    endscript
}}
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


def samples(text: str) -> dict[str, float]:
    """Return the samples of a page or a .prom file by name and labels."""
    pairs = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in pairs}


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
        return samples(text)


@contextmanager
def serving(directory: Path, program: str = "prometheus-node-exporter") -> Iterator[NodeExporter]:
    """Run a real node_exporter on a loopback port that reads `directory`."""
    directory.mkdir()
    port = free_port()
    with subprocess.Popen(
        [
            program,
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={directory}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        exporter = NodeExporter(directory, f"http://127.0.0.1:{port}/metrics")
        try:
            for _ in range(100):
                try:
                    exporter.scrape()
                    break
                except urllib.error.URLError:
                    time.sleep(0.1)
            yield exporter
        finally:
            process.terminate()


class Box:
    """Namespaces in which real servers run without touching the host."""

    def __init__(self, directory: Path) -> None:
        """Use `directory`, which the box shares with the host, for files."""
        self.directory = directory
        self.state = directory / "state"

    def __enter__(self) -> Box:
        """Start the box; its first process ends all others in it when it ends."""
        script = SETUP.format(directory=self.directory, password=PASSWORD, seconds=SECONDS)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
             "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while not (self.directory / "ready").exists():
            if self._process.poll() is not None:
                raise AssertionError(f"the box did not start: {self._process.communicate()[1]}")
            time.sleep(0.05)
        children = f"/proc/{self._process.pid}/task/{self._process.pid}/children"
        self._init = Path(children).read_text().split()[0]
        self.root = Path(f"/proc/{self._init}/root")
        return self

    def __exit__(self, *error: object) -> None:
        """End the box and all that runs in it."""
        self._process.kill()
        self._process.communicate()

    def argv(self, *argv: str) -> list[str]:
        """Return the command that runs `argv` in the box."""
        # --root: these tests may themselves run in a chroot.
        enter = ["nsenter", "--target", self._init, "--mount", "--pid", "--root", "--wd"]
        return [*enter, "--", *argv]

    def run(
        self, *argv: str, check: bool = True, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the box."""
        return run(*self.argv(*argv), check=check, **options)

    def run_as(self, user: str, *argv: str, password: str = "") -> int:
        """Run a command in the box as `user`, `password` on its stdin; return its status."""
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return self.run(*as_user, *argv, check=False, input=f"{password}\n" * 3).returncode

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

    def forget(self) -> None:
        """Empty what other tests have left: logins that were recorded, and what was counted."""
        records = " ".join(f"/var/log/{name}" for name in ("wtmp", "btmp", "lastlog"))
        self.run("sh", "-c", f"rm -rf {self.state}-*; truncate -s 0 {records}")

    def sshd(self, *options: str) -> int:
        """Start sshd on a loopback port with `options` (`Name=value`) and return the port."""
        config = self.directory / "sshd_config"
        config.write_text(SSHD_CONFIG.format(directory=self.directory))
        argv = ["/usr/sbin/sshd", "-f", str(config)]
        # Since 9.8 sshd locks out who fails often; before it does not know the word.
        if self.run(*argv, "-t", "-o", "PerSourcePenalties=no", check=False).returncode == 0:
            options = (*options, "PerSourcePenalties=no")
        port = free_port()
        self.run(*argv, "-p", str(port), *_each("-o", options))
        return port

    def ssh(
        self, port: int, *argv: str, user: str = "tu-alice", password: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start an ssh client on the host that logs in with the key, or with `password`."""
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "IdentitiesOnly=yes"]  # fmt: skip
        environ = dict(os.environ)
        if password:
            options.append("PubkeyAuthentication=no")
            environ["SSH_ASKPASS"] = str(self.directory / "askpass")
            environ["SSH_ASKPASS_REQUIRE"] = "force"
            environ["PASSWORD"] = password
        return subprocess.Popen(
            ["ssh", "-F", "/dev/null", "-i", str(self.directory / "key"), "-p", str(port),
             *argv[:-1], *_each("-o", options), "-l", user, "127.0.0.1", argv[-1]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ,
        )  # fmt: skip

    @contextmanager
    def rsyslogd(self, template: str, *, reduce: bool) -> Iterator[None]:
        """Have rsyslogd write auth.log; with `reduce` repeated messages become one line."""
        config = RSYSLOG_CONFIG.format(template=template, reduce="on" if reduce else "off")
        (self.root / "etc/rsyslog.conf").write_text(config)
        self.run("/usr/sbin/rsyslogd")
        try:
            yield
        finally:
            # It removes the pid file when it ends.
            wait = "while [ -e rsyslogd.pid ]; do sleep 0.05; done"
            self.run("sh", "-c", f"cd /run; kill $(cat rsyslogd.pid); {wait}")
            self.run("sh", "-c", "rm /var/log/auth.log*")

    def logrotate(self, *words: str) -> None:
        """Rotate auth.log now, in the mode that `words` of logrotate's language make."""
        config = self.root / "etc/logrotate.d/auth"
        config.write_text(LOGROTATE_CONFIG.format(words="\n    ".join(words)))
        self.run("/usr/sbin/logrotate", "--force", "--state", "/run/logrotate",
                 "/etc/logrotate.d/auth")  # fmt: skip


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
