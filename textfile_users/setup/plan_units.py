"""The steps that put units in place, start them, and remove them."""

from __future__ import annotations

import re

from textfile_users import product as places
from textfile_users.product import LINKED_OUTPUT, USER
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.steps import (
    GIVE,
    Step,
    command,
    write,
)
from textfile_users.setup.wish import Wish, link_target, uses_link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


FIXED_DELAY = 247  # the systemd that knows FixedRandomDelay=


def give(directory: str, owner: str, group: str, mode: int) -> Step:
    """Return the step that gives a directory away, see Step."""
    return Step((GIVE, directory, owner, group, f"{mode:04o}"))


def unit_path(name: str) -> str:
    """Return where a unit of ours lies."""
    return f"{places.UNIT_DIRECTORY}/{name}"


def below(facts: HostFacts, path: str) -> str:
    """Return a path of the host as this process reaches it."""
    return path if facts.root == "/" else facts.root + path


def remove(facts: HostFacts, paths: tuple[str, ...]) -> Iterator[Step]:
    """Yield the steps that remove files."""
    there = [below(facts, path) for path in paths if path in facts.present]
    if there:
        yield command("rm", "-f", *there)


def root_flag(facts: HostFacts) -> tuple[str, ...]:
    """Return what has a tool work on an image, nothing on the host that runs."""
    return () if facts.is_running else (f"--root={facts.root}",)


def systemctl(facts: HostFacts, *words: str) -> Step:
    """Return the step that runs systemctl, on an image below its root."""
    flag = ("--root=/",) if facts.awaits_boot else root_flag(facts)
    return command("systemctl", *flag, *words)


def rendered(facts: HostFacts, data: bytes) -> str:
    """Return a unit or cron entry with the environment's path in it."""
    return data.decode().replace(places.PREFIX, facts.prefix)


def unit_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    """Yield the steps that put units in place; a package has its own, and takes over from ours."""
    if facts.is_packaged:
        yield from remove_units(facts, places.UNITS)
        yield from _old_systemd_steps(facts)
        yield from _writing_steps(facts, wish)
        return
    yield command("mkdir", "-p", below(facts, places.UNIT_DIRECTORY))  # a small image lacks it
    for name in (places.SERVICE, *places.STARTERS):
        text = rendered(facts, share[f"systemd-timer/{name}"])
        if facts.systemd < FIXED_DELAY:
            # It would draw another delay for each scan.
            delay = r"^(# A delay|RandomizedDelaySec=|FixedRandomDelay=).*\n"
            text = re.sub(delay, "", text, flags=re.M)
        yield write(below(facts, unit_path(name)), text)
    yield from _writing_steps(facts, wish)


def _old_systemd_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what has a package's timer draw no delay where systemd would draw one for each scan."""
    if facts.systemd >= FIXED_DELAY:
        yield from remove(facts, (places.TIMER_DROP_IN,))
        return
    yield command("mkdir", "-p", below(facts, places.TIMER_DROP_INS))
    yield write(below(facts, places.TIMER_DROP_IN), "[Timer]\nRandomizedDelaySec=0\n")


def _writing_steps(facts: HostFacts, wish: Wish) -> Iterator[Step]:
    """Yield what lets the unit write: into /run, where a link leads, or in place."""
    if uses_link(facts, wish):
        yield from remove(facts, (places.DROP_IN,))
        yield from remove_empty_drop_ins(facts)
        tmpfiles = below(facts, places.TMPFILES)
        if facts.is_packaged and not facts.is_in_memory:
            yield from remove(facts, (places.TMPFILES,))  # it has its own
            return
        yield command("mkdir", "-p", tmpfiles.rpartition("/")[0])
        yield write(tmpfiles, _tmpfiles(facts))
        return
    yield from remove(facts, (places.TMPFILES,))
    yield command("mkdir", "-p", below(facts, places.DROP_INS))
    lines = ["# Of `textfile-users install`, which writes it anew.", "[Service]"]
    lines.append(f"ReadWritePaths=-{facts.directory}")
    yield write(below(facts, places.DROP_IN), "\n".join([*lines, ""]))


def tmpfiles_lines() -> list[str]:
    """Return what systemd-tmpfiles makes at boot, see tmpfiles.d(5)."""
    both = f"{USER} {USER} -"
    return [
        "# Of `textfile-users install`: the link in the textfile directory leads to an empty file",
        "# until the first scan, for node_exporter counts a link to nothing as an error.",
        f"d {places.RUN} 0755 root root -",
        f"d {places.PUBLIC} 0755 {both}",
        f"f {LINKED_OUTPUT} 0644 {both}",
    ]


def _tmpfiles(facts: HostFacts) -> str:
    lines = tmpfiles_lines()
    if facts.is_in_memory:
        lines.append(f"L {facts.real}/{places.OUTPUT_NAME} - - - - {link_target(facts)}")
    return "\n".join([*lines, ""])


def start_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield the steps that start the units."""
    if facts.is_running:
        yield command("systemctl", "daemon-reload")
        yield command("systemctl", "enable", "--now", *places.STARTERS)
    else:
        yield systemctl(facts, "enable", *places.STARTERS)


def remove_units(facts: HostFacts, files: tuple[str, ...]) -> Iterator[Step]:
    """Yield what removes the units, which no longer run: their ``files``."""
    starters = [name for name in places.STARTERS if unit_path(name) in facts.present]
    if starters and "systemctl" in facts.tools:
        yield systemctl(facts, "disable", *starters)
    yield from remove(facts, files)
    yield from remove_empty_drop_ins(facts)
    if set(places.UNITS) & facts.present and facts.is_running and facts.is_systemd:
        yield command("systemctl", "daemon-reload")
        yield command("systemctl", "reset-failed", f"{USER}.*")


def remove_empty_drop_ins(facts: HostFacts) -> Iterator[Step]:
    """Yield what removes the directories; what the administrator has put there stays."""
    for path in filter(facts.present.__contains__, (places.DROP_INS, places.TIMER_DROP_INS)):
        directory = below(facts, path)
        yield command("find", directory, "-maxdepth", "0", "-empty", "-delete")
