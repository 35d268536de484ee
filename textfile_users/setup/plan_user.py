"""The steps that make our user and its groups, and remove them."""

from __future__ import annotations

import shlex

from textfile_users import product as places
from textfile_users.product import USER
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.plan_units import below, remove, root_flag
from textfile_users.setup.steps import (
    Step,
    command,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def user_steps(facts: HostFacts, share: Mapping[str, bytes]) -> Iterator[Step]:
    """Yield the steps that make our user, in the groups of the logs."""
    image = root_flag(facts)
    # Of an image nothing tells what the host will read.
    reads_btmp = facts.reads_btmp and not facts.awaits_boot
    wanted = (*places.GROUPS, places.BTMP_GROUP) if reads_btmp else places.GROUPS
    groups = [group for group in wanted if group in facts.groups]
    if "systemd-sysusers" in facts.tools:
        text = str(share["systemd-timer/textfile-users.sysusers"], "utf-8")
        lines = [line for line in text.splitlines() if line.startswith("u ")]
        # It would make groups that the host does not have.
        members = [f"m {USER} {group}" for group in groups]
        yield command("systemd-sysusers", *image, "--inline", *lines, *members)
    elif "useradd" in facts.tools:
        shell = ("--shell", "/usr/sbin/nologin", "--home-dir", places.STATE, "--no-create-home")
        if facts.uid < 0:
            yield command("useradd", *image, "--system", "--user-group", *shell, USER)
        if groups:
            yield command("usermod", *image, "-a", "-G", ",".join(groups), USER)
    elif "adduser" in facts.tools:
        yield from _busybox_user(facts, groups)
    yield from leave_btmp(facts)


def leave_btmp(facts: HostFacts) -> Iterator[Step]:
    """Yield what takes our user out of the group that can write btmp, where it reads a log.

    An install of before has put it there, and maybe a file that does so again at each boot.
    """
    yield from remove(facts, facts.joining)
    if facts.is_in_utmp and not facts.reads_btmp:
        image = () if facts.is_running else ("--root", facts.root)
        if "gpasswd" in facts.tools:
            yield command("gpasswd", *image, "--delete", USER, places.BTMP_GROUP)
        elif facts.is_running:
            yield command("delgroup", USER, places.BTMP_GROUP)


def _busybox_user(facts: HostFacts, groups: list[str]) -> Iterator[Step]:
    if facts.gid < 0:
        yield command("addgroup", "-S", USER)
    if facts.uid < 0:
        shell = ("-h", places.STATE, "-s", "/sbin/nologin")
        yield command("adduser", "-S", "-D", "-H", *shell, "-G", USER, USER)
    for group in groups:
        yield command("addgroup", USER, group)


def remove_user(facts: HostFacts) -> Iterator[Step]:
    """Yield the steps that remove our user."""
    image = root_flag(facts)
    group = shlex.quote(below(facts, "/etc/group"))
    if "userdel" in facts.tools:
        userdel: tuple[str, ...] = ("userdel", *image, USER)
        groupdel: tuple[str, ...] = ("groupdel", *image, USER)
    elif facts.is_running:
        userdel, groupdel = ("deluser", USER), ("delgroup", USER)
    else:
        return  # see find_image_faults()
    if facts.uid >= 0:
        yield command(*userdel)
    if facts.gid >= 0:
        # The user's own group may have gone with the user.
        test = f"! grep -q ^{USER}: {group} || {shlex.join(groupdel)}"
        yield command("sh", "-c", test)
