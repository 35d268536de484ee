"""A container as deploy/kubernetes/daemonset.yaml makes it, out of namespaces and mounts.

Nothing here speaks to Kubernetes or Docker: the mounts, rights and commands are read from the
manifest, and what sees no more than those sees what the host sees.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.parts import Box, run, samples

pytestmark = pytest.mark.e2e

PROJECT = Path(__file__).parents[2]
MANIFEST = PROJECT / "deploy" / "kubernetes" / "daemonset.yaml"
# The image is the box's programs; what else there is of the box comes by mounts.
IMAGE = """set -e
mount -t tmpfs -o mode=755 tmpfs {root}
cd {root}
mkdir -p dev opt proc run/textfile-users tmp var/lib/textfile-users textfile
for name in usr bin lib lib64 sbin; do
    [ ! -e /$name ] || {{ mkdir $name; mount --rbind -o ro /$name $name; }}
done
mkdir -p opt/textfile-users && mount --bind -o ro /opt/textfile-users opt/textfile-users
: >dev/null; mount --bind /dev/null dev/null
mount --bind {state} var/lib/textfile-users; mount --bind {textfile} textfile
mkdir -p secret etc/textfile-users
mount --bind -o ro {secret} secret; mount --bind {key} etc/textfile-users
install -D -m 755 {loop} tmp/every-5-seconds
chmod 1777 run/textfile-users
{mounts}
mount -t proc proc proc
exec /usr/sbin/chroot . setpriv {rights} -- "$@"
"""
USER = "--reuid=65532 --regid=65532 --groups={groups} --bounding-set=-all --no-new-privs"
RIGHTS = "--bounding-set=-all,{capabilities} --no-new-privs"


@pytest.fixture(scope="module")
def manifest() -> str:
    """The manifest with the mounts that not every node has."""
    return re.sub(r"^( *)# - \{", r"\1- {", MANIFEST.read_text(), flags=re.MULTILINE)


class Container:
    """The pod's containers on one box."""

    def __init__(self, box: Box, manifest: str) -> None:
        """Make the node's directories as the kubelet does, root's."""
        self.box = box
        self.manifest = manifest
        self.directory = box.directory / "node"
        for name in ("state", "textfile", "root", "secret", "key"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "key").chmod(0o777)  # as an emptyDir is
        self.make_log()

    def make_log(self) -> None:
        """Have a log that the container's groups can read; else it would be btmp, which is not."""
        log = "/var/log/auth.log"
        self.box.run("sh", "-c", f"touch {log}; chgrp adm {log}; chmod 640 {log}")

    def argv(self, rights: str, *argv: str) -> list[str]:
        """Return the command that runs `argv` in a container with these rights."""
        sources = dict(re.findall(r"name: (\w+), hostPath: \{path: ([\w/]+),", self.manifest))
        targets = re.findall(r"name: (\w+), mountPath: /(host/[\w/]+), readOnly", self.manifest)
        assert len(targets) == len(sources) == 9
        mounts = "\n".join(
            f"[ ! -e {sources[name]} ] || {{ mkdir -p $(dirname {target}); "
            f"if [ -d {sources[name]} ]; then mkdir {target}; else : >{target}; fi; "
            f"mount --rbind -o ro {sources[name]} {target}; }}"
            for name, target in targets
        )
        script = IMAGE.format(
            root=self.directory / "root", state=self.directory / "state",
            textfile=self.directory / "textfile", mounts=mounts, rights=rights,
            secret=self.directory / "secret", key=self.directory / "key",
            loop=PROJECT / "deploy" / "every-5-seconds",
        )  # fmt: skip
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--net"]
        environment = [
            "PATH=/opt/textfile-users/bin:/usr/bin:/bin", "TEXTFILE_DIRECTORY=/textfile",
            "STATE_DIRECTORY=/var/lib/textfile-users", "RUNTIME_DIRECTORY=/run/textfile-users",
        ]  # fmt: skip
        return self.box.argv("env", "-i", *environment, *unshare, "sh", "-c", script, "sh", *argv)

    def hand_over(self) -> None:
        """Run the init container: as root, with the capabilities that it adds."""
        names = re.findall(r"add: \[(.*)\]", self.manifest)[0].lower().split(", ")
        command = re.search(r"- \|\n((?: {14}.*\n)+)", self.manifest)
        assert command is not None
        rights = RIGHTS.format(capabilities=",".join(f"+{name}" for name in names))
        argv = self.argv(rights, "sh", "-e", "-c", command[1])
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def user(self) -> str:
        """Return the rights of the container itself."""
        groups = re.findall(r"supplementalGroups: \[(.*)\]", self.manifest)[0].replace(" ", "")
        return USER.format(groups=groups)

    def faults(self) -> list[tuple[str, str]]:
        """Return what doctor finds to be wrong within the container."""
        argv = self.argv(
            self.user(), "textfile-users", "doctor", "--root", "/host", "--timeout", "30", "--json"
        )
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        findings = json.loads(done.stdout or done.stderr)
        return [(one["check"], one["found"]) for one in findings if one["status"] == "FAULT"]

    def collect(self, *extra: str) -> dict[str, float]:
        """Scan once from within the container and return the samples."""
        argv = self.argv(
            self.user(), "textfile-users", "--root", "/host", "--timeout", "30", *extra
        )
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return samples((self.directory / "textfile" / "users.prom").read_text())


def of_people(found: dict[str, float]) -> dict[str, float]:
    """Return who is there, since when and from where, and who tried."""
    begin = ("users_session_info", "users_session_start", "users_sessions{", "users_auth_failures_")
    return {name: value for name, value in found.items() if value and name.startswith(begin)}


def test_a_container_sees_what_the_host_sees(box: Box, manifest: str) -> None:
    """The same sessions and refused passwords, idle time and processes; and it ends when told."""
    box.forget()
    container = Container(box, manifest)
    container.hand_over()
    output = box.directory / "native.prom"
    connections = 'users_remote_connections{protocol="ssh"}'
    of_host = container.collect()[connections]
    port = box.sshd("LogLevel=VERBOSE")
    with box.rsyslogd("RSYSLOG_FileFormat", reduce=False):
        login = box.ssh(port, "-tt", "tty; exec sleep 60")
        try:
            assert login.stdout is not None
            line = login.stdout.readline().decode().strip().replace("/dev/", "")
            box.collect(str(output))  # both begin to count at the log's end
            container.collect()
            refused = box.ssh(port, "-o", "NumberOfPasswordPrompts=1", "true", password="wrong")
            refused.communicate()
            assert box.collect(str(output)) == (0, "")
            native, inside = samples(output.read_text()), container.collect()
        finally:
            login.kill()
            login.communicate()
    assert of_people(inside) == of_people(native)
    assert (
        inside['users_auth_failures_total{method="password",program="sshd",user="tu-alice"}'] == 1
    )
    labels = f'{{session="{line}",user="tu-alice"}}'
    for name in ("last_activity_timestamp_seconds", "processes"):
        assert inside[f"users_session_{name}{labels}"] == native[f"users_session_{name}{labels}"]
    for name in ("sessions", "auth", "processes", "accounts", "history"):
        assert inside[f'users_collector_success{{collector="{name}"}}'] == 1
    assert inside[connections] - of_host == 1
    container.make_log()
    # The box has no init; else all is as it should be.
    found = "process 1 is sleep: not the host's processes"
    assert container.faults() == [("container", found)]

    loop = container.argv(container.user(), "/tmp/every-5-seconds", "--root", "/host")
    before = inside["users_run_timestamp_seconds"]
    with subprocess.Popen(loop) as process:
        while container_time(container) <= before:
            assert process.poll() is None
            time.sleep(0.1)
        first = child_of(child_of(process.pid))  # nsenter, unshare, and the container's pid 1
        run("kill", "-TERM", str(first))
        assert process.wait(timeout=30) == 0


def test_the_key_of_a_secret_becomes_the_users(box: Box, manifest: str) -> None:
    """The files of a secret are root's, and links; handing over again replaces the copy."""
    mounts = re.findall(r"\{name: (secret|key), mountPath: ([\w/-]+)", manifest)
    assert mounts == [
        ("secret", "/secret"),
        ("key", "/etc/textfile-users"),
        ("key", "/etc/textfile-users"),
    ]
    container = Container(box, manifest)
    secret = container.directory / "secret" / "redact.key"
    key = container.directory / "key" / "redact.key"
    secret.symlink_to("data")
    for content in (b"k" * 32, b"l" * 32):
        data = secret.with_name("data")
        data.unlink(missing_ok=True)
        data.write_bytes(content)
        data.chmod(0o400)
        container.hand_over()
        assert (key.lstat().st_mode, key.lstat().st_uid) == (0o100600, 65532)
        assert key.read_bytes() == content
    container.collect("--redact", "user")


def child_of(pid: int) -> int:
    """Return the pid of a process' only child."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def container_time(container: Container) -> float:
    """Return when the file in the textfile directory was made."""
    text = (container.directory / "textfile" / "users.prom").read_text()
    return samples(text)["users_run_timestamp_seconds"]
