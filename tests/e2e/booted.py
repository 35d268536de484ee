"""A host that systemd has booted, in namespaces: for what needs process 1, logind and sessions."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.e2e.parts import Box, run

# A cgroup of its own, which its namespace takes for the whole tree.
OUTER = """set -e
mount -t tmpfs tmpfs {directory}/tree
mkdir {directory}/tree/cgroup
mount -t cgroup2 cgroup2 {directory}/tree/cgroup
mkdir {directory}/tree/cgroup/{name}
echo $$ >{directory}/tree/cgroup/{name}/cgroup.procs
umount {directory}/tree/cgroup
exec unshare --cgroup --uts --ipc --net --pid --fork --kill-child sh -c "$1"
"""
# What is written to the host's files stays in memory; what is the kernel's cannot be written.
INNER = """set -e
cd {directory}/tree
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
root={directory}/tree/root
mount -t proc proc $root/proc
for name in sys sysrq-trigger; do
    [ -e $root/proc/$name ] || continue
    mount --bind $root/proc/$name $root/proc/$name
    mount -o remount,bind,ro $root/proc/$name
done
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=755 tmpfs $root/dev
for name in null zero full random urandom tty; do
    : >$root/dev/$name
    mount --bind /dev/$name $root/dev/$name
done
mkdir $root/dev/pts $root/dev/shm $root/mnt/packages
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
ln -s /proc/self/fd $root/dev/fd
mount --bind {packages} $root/mnt/packages
ip link set lo up
cd $root
mkdir -p .host
pivot_root . .host
umount -l /.host
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=basic.target --show-status=no --log-target=journal </dev/null
"""
END = """mount -t cgroup2 cgroup2 /mnt
find /mnt/{name} -depth -type d -exec rmdir {{}} +
"""
PROGRAM = "/opt/textfile-users/bin/textfile-users"
# Where the tests' own host has it installed, its copy begins without.
WITHOUT = f"""set -e
[ ! -e {PROGRAM} ] || {PROGRAM} uninstall
rm -rf /opt/textfile-users /var/lib/textfile-users /etc/default/textfile-users"""
INSTALL = """cd /mnt/packages/source
PIP_NO_INDEX=1 PIP_FIND_LINKS=/mnt/packages/wheels script/install
"""


class Booted(Box):
    """This host as systemd boots it, on a copy in memory of its files, with no service started."""

    def __init__(self, directory: Path, packages: Path) -> None:
        """Use ``directory`` for the host's files; ``packages`` is at /mnt/packages there."""
        super().__init__(directory)
        self.packages = packages
        self.name = directory.name

    def __enter__(self) -> Booted:
        """Boot; the first process ends all others when it ends."""
        (self.directory / "tree").mkdir()
        outer = OUTER.format(directory=self.directory, name=self.name)
        inner = INNER.format(directory=self.directory, packages=self.packages)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private",
             "sh", "-c", outer, "sh", inner],
            stdout=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        end = time.monotonic() + 300
        while not self._is_up():
            assert self._process.poll() is None, "the host did not start"
            assert time.monotonic() < end, "the host does not come up"
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            self._init = children.read_text().strip()
            if Path(f"/proc/{self._init}/comm").read_text() != "systemd\n":
                return False
        except OSError:  # it has no child yet, or has ended
            return False
        return self.run("systemctl", "is-active", "basic.target", check=False).returncode == 0

    def __exit__(self, *error: object) -> None:
        """End the host and all that runs in it."""
        super().__exit__(*error)
        script = END.format(name=self.name)
        for _ in range(50):  # until the kernel has done away with the processes
            done = run("unshare", "--mount", "sh", "-c", script, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.1)

    def argv(self, *argv: str) -> list[str]:
        """Return the command that runs `argv` on the host."""
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
        environment = ["env", "-i", f"PATH={os.defpath}:/usr/sbin:/sbin", "LC_ALL=C.UTF-8"]
        return ["nsenter", "--target", self._init, *namespaces, "--", *environment, *argv]

    def sh(self, script: str, *, check: bool = True) -> str:
        """Run a script on the host as root."""
        return self.run("sh", "-c", script, check=check).stdout
