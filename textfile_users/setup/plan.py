"""The steps that install and uninstall: from facts alone."""

from __future__ import annotations

import re
import shlex

from textfile_users import product as places
from textfile_users.paths import leads_to_linked, link_text
from textfile_users.product import LINKED_OUTPUT, USER
from textfile_users.record import Record
from textfile_users.setup.facts import (
    DIRECTORY,
    FILE,
    LINK,
    Before,
    FoundEntry,
    HostFacts,
    format_record,
)
from textfile_users.setup.links import is_own, target_of
from textfile_users.setup.settings import TEXTFILE_DIRECTORY
from textfile_users.setup.steps import (
    AS_USER,
    END,
    GIVE,
    GIVE_FILES,
    MAKE_LINK,
    PUT_LINK,
    REMOVE_EMPTY,
    REMOVE_LINK,
    UNPACK,
    Step,
    command,
    write,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED_MODE = 0o1775
TEMPORARY = f".{places.OUTPUT_NAME}.*.tmp"
EACH_MINUTE = " --repeat 12 --interval 5"  # of cron's entries
FIXED_DELAY = 247  # the systemd that knows FixedRandomDelay=
SETTINGS_TEXT = """\
# Settings of textfile-users: NAME=value lines, which systemd and a shell read the same way. Use
# neither $, ` nor \\, and put a value that has blanks in double quotes. `textfile-users doctor`
# says what is wrong here.
#
# Flags of each look (textfile-users --help), divided by blanks:
#OPTIONS="--network office=192.0.2.0/24 --exclude-user nagios"
#
# node_exporter's textfile directory, where it is not the distribution's:
{line}
"""


class Wish(Record):
    """What is asked of install: cron though systemd is there, the file itself and no link to it."""

    cron: bool = False
    in_place: bool = False


def give(directory: str, owner: str, group: str, mode: int) -> Step:
    """Return the step that gives a directory away, see Step."""
    return Step((GIVE, directory, owner, group, f"{mode:04o}"))


def uses_timer(facts: HostFacts, wish: Wish) -> bool:
    """Return whether systemd's timer runs the program, not cron."""
    return facts.is_systemd and not wish.cron


def uses_link(facts: HostFacts, wish: Wish) -> bool:
    """Return whether the file lies in /run, and only a link of root's in the textfile directory."""
    return uses_timer(facts, wish) and not (wish.in_place or facts.blind)


def is_own_link(target: str) -> bool:
    """Return whether the text of a link is install's, or that of an install of before."""
    return leads_to_linked(target) or target == places.OLD_OUTPUT


def install_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    """Yield what installs the program, or brings it up to date."""
    if facts.archive:
        yield Step((UNPACK, facts.archive, facts.root, facts.prefix))
    yield from _quiet(facts)
    yield from _user_steps(facts, share)
    yield from _leave_old_directory(facts)
    yield from _directory_steps(facts)
    if not uses_link(facts, wish):
        yield from _in_place_steps(facts)
    if facts.is_running and not is_busybox(facts, wish):
        yield from _run_steps(facts, wish)
    yield from _link_steps(facts)
    yield from _setting_steps(facts)
    if uses_timer(facts, wish):
        yield from _remove(facts, places.CRON_ENTRIES)
        yield from _unit_steps(facts, wish, share)
    else:
        yield from _remove_units(facts, places.UNIT_FILES)
        yield from _cron_steps(facts, wish, share)
    if uses_link(facts, wish):
        yield from _output_link_steps(facts)
    if facts.is_selinux and "restorecon" in facts.tools:
        kept = [facts.prefix, places.STATE, places.UNIT_DIRECTORY, facts.directory]
        yield command("restorecon", "-R", *kept)
    if uses_timer(facts, wish):
        yield from _start_steps(facts)


def resume_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what starts the looks again that ran before an install that has failed."""
    if facts.active:
        yield command("systemctl", "daemon-reload")  # some units may be new by now
        yield command("systemctl", "start", *facts.active)


def uninstall_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what removes all that install has put in place, of what is there."""
    yield from _quiet(facts)
    yield from _remove_units(facts, (*places.UNIT_FILES, places.PTRACE))
    yield from _remove(facts, places.CRON_ENTRIES)
    yield from _end_looks(facts)
    for before, entry, output in _textfile_directories(facts):
        if _is_behind_link(entry, output) and entry.uid == 0:
            path = f"{before.directory}/{places.OUTPUT_NAME}"
            yield Step((REMOVE_LINK, path, output.target))
        yield from _restore(facts, before, entry, output)
    yield from _unlink_steps(facts)
    yield from _remove(facts, places.OTHER_FILES)
    for tree in places.OWN_TREES:
        if tree in facts.present:
            yield command("rm", "-rf", _below(facts, tree))
    yield from _remove_user(facts)


def find_leftovers(facts: HostFacts) -> Iterator[str]:
    """Yield what uninstall leaves of ours: a link of another's has the directory's place by now."""
    for before, entry, output in _textfile_directories(facts):
        is_removed = _is_behind_link(entry, output) and entry.uid == 0
        if entry.kind == LINK and not is_removed and _is_ours(facts, before, output):
            yield f"{before.directory}/{places.OUTPUT_NAME}"


def _textfile_directories(facts: HostFacts) -> Iterator[tuple[Before, FoundEntry, FoundEntry]]:
    """Yield the textfile directories of before and of now, each with itself and the file in it."""
    if facts.before:
        yield facts.before, facts.old_entry, facts.old_output
    if not facts.before or facts.before.directory != facts.directory:
        # Nothing tells what it was: as distributions have it.
        yield Before(facts.directory, 0, 0o755), facts.entry, facts.output


def _is_behind_link(entry: FoundEntry, output: FoundEntry) -> bool:
    """Return whether install's link is behind a link in the place of the directory ``entry``."""
    return entry.kind == LINK and is_own_link(output.target)


def _quiet(facts: HostFacts) -> Iterator[Step]:
    """Yield what stops the looks while things change."""
    units = [unit for unit in (*places.STARTERS, places.SERVICE) if _unit(unit) in facts.present]
    if units and facts.is_systemd and facts.is_running:
        yield command("systemctl", "stop", *units)


def _end_looks(facts: HostFacts) -> Iterator[Step]:
    """Yield what ends a minute of looks that cron began: it would write the file once more."""
    if facts.uid > 0 and facts.is_running:
        yield Step((END, USER))


def _unit(name: str) -> str:
    return f"{places.UNIT_DIRECTORY}/{name}"


def _below(facts: HostFacts, path: str) -> str:
    return path if facts.root == "/" else facts.root + path


def _remove(facts: HostFacts, paths: tuple[str, ...]) -> Iterator[Step]:
    there = [_below(facts, path) for path in paths if path in facts.present]
    if there:
        yield command("rm", "-f", *there)


def _systemctl(facts: HostFacts, *words: str) -> Step:
    root = () if facts.is_running else (f"--root={facts.root}",)
    return command("systemctl", *root, *words)


def _user_steps(facts: HostFacts, share: Mapping[str, bytes]) -> Iterator[Step]:
    image = () if facts.is_running else (f"--root={facts.root}",)
    wanted = (*places.GROUPS, places.BTMP_GROUP) if facts.reads_btmp else places.GROUPS
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
    yield from _leave_btmp(facts)


def _leave_btmp(facts: HostFacts) -> Iterator[Step]:
    """Yield what takes our user out of the group that can write btmp, where it reads a log.

    An install of before has put it there, and maybe a file that does so again at each boot.
    """
    yield from _remove(facts, facts.joining)
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


def _remove_user(facts: HostFacts) -> Iterator[Step]:
    image = () if facts.is_running else (f"--root={facts.root}",)
    group = shlex.quote(_below(facts, "/etc/group"))
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


def _leave_old_directory(facts: HostFacts) -> Iterator[Step]:
    """Yield what clears the textfile directory of before, where it is another one now."""
    if facts.before and facts.before.directory != facts.directory:
        yield from _end_looks(facts)
        yield from _restore(facts, facts.before, facts.old_entry, facts.old_output)


def _restore(
    facts: HostFacts, before: Before, entry: FoundEntry, output: FoundEntry
) -> Iterator[Step]:
    """Yield what takes our files out of a textfile directory and gives it its old rights."""
    if entry.kind != DIRECTORY:
        return
    if _is_ours(facts, before, output):
        yield command("rm", "-f", f"{_below(facts, before.directory)}/{places.OUTPUT_NAME}")
    yield from _rights_back(facts, before, entry)


def _is_ours(facts: HostFacts, before: Before, output: FoundEntry) -> bool:
    """Return whether what has the file's name in a textfile directory is ours to remove."""
    # Root's own looks may have written it, or somebody else a file of that name.
    is_roots = output.uid == 0 and (before == facts.before or facts.is_output_ours)
    is_ours = output.kind == FILE and (output.uid == facts.uid or is_roots)
    return is_ours or is_own_link(output.target)


def _rights_back(facts: HostFacts, before: Before, entry: FoundEntry) -> Iterator[Step]:
    """Yield what removes leftovers of runs from a textfile directory, and sets its rights back."""
    directory = _below(facts, before.directory)
    yield command("find", directory, "-maxdepth", "1", "-name", TEMPORARY, "-delete")
    if entry.gid == facts.gid:
        yield give(before.directory, "", str(before.gid), before.mode)


def _directory_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what makes the state directory, and writes down what is there."""
    state, record = _below(facts, places.STATE), _below(facts, places.RECORD)
    yield command("mkdir", "-p", state, record.rpartition("/")[0])
    if facts.state.kind and facts.state.uid == 0:
        # What root's own looks have left there is the user's from now on.
        yield Step((GIVE_FILES, places.STATE))
    yield give(places.STATE, USER, USER, 0o700)
    yield from _record_steps(facts, record)


def _in_place_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what gives our user its part of the textfile directory."""
    yield give(facts.directory, "", USER, SHARED_MODE)
    if facts.output.kind == LINK or (facts.output.kind and facts.output.uid != facts.uid):
        # Not given away: it may be another name of any file of root's. The scan writes it anew.
        yield command("rm", "-f", f"{_below(facts, facts.directory)}/{places.OUTPUT_NAME}")
    if facts.is_running and places.PUBLIC in facts.present:
        yield command("rm", "-rf", places.PUBLIC)


def _output_link_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what puts the link into the textfile directory, which is not ours any more.

    The directory goes back first: then nobody whom root does not trust can write there.
    """
    if facts.entry.gid == facts.gid:
        yield from _rights_back(facts, _rights_before(facts), facts.entry)
    if facts.is_running and "systemd-tmpfiles" in facts.tools:
        if facts.linked.kind not in ("", FILE):
            # Our user could put it there to hinder updates: systemd-tmpfiles would fail.
            yield command("rm", "-rf", places.PUBLIC)
        # Until the first scan the file is empty: a link to nothing is a fault for node_exporter.
        yield command("systemd-tmpfiles", "--create", places.TMPFILES)
    if lacks_link(facts):
        yield Step((PUT_LINK, f"{facts.directory}/{places.OUTPUT_NAME}", link_target(facts)))


def lacks_link(facts: HostFacts) -> bool:
    """Return whether the link is to be put, for it is not there as it should be."""
    output = facts.output
    return (output.kind, output.uid, output.target) != (LINK, 0, link_target(facts))


def link_target(facts: HostFacts) -> str:
    """Return what the link says: relative, so that it is true in a container and an image too."""
    return link_text(facts.real or facts.directory, LINKED_OUTPUT)


def _rights_before(facts: HostFacts) -> Before:
    """Return what the textfile directory was before install has given it to our group.

    Where nothing tells: as distributions have it. Never our group's, which would get it back.
    """
    if facts.entry.gid != facts.gid:
        return Before(facts.directory, facts.entry.gid, facts.entry.mode)
    if facts.before and facts.before.directory == facts.directory:
        return facts.before
    return Before(facts.directory, 0, 0o755)


def _record_steps(facts: HostFacts, path: str) -> Iterator[Step]:
    """Yield what writes down what uninstall must know, where that has changed."""
    before, prefixes, made = _rights_before(facts), facts.prefixes, facts.made
    if facts.is_environment:
        prefixes = tuple(dict.fromkeys((*prefixes, facts.prefix)))
        made = tuple(dict.fromkeys((*made, *facts.missing)))
    if (before, prefixes, made) != (facts.before, facts.prefixes, facts.made):
        yield write(path, format_record(before, prefixes, made))


def _link_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what makes the links, or leads those of before to where the program is now.

    What is no link of ours stays, see find_notes(). Without an environment pip has put the
    program into the system's own places.
    """
    for entry in facts.links if facts.is_environment else ():
        target = target_of(facts, entry)
        if not entry.kind or (is_own(facts, entry) and entry.target != target):
            yield Step((MAKE_LINK, entry.path, target, entry.target))


def _unlink_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what removes our links, and the directories that were made for them."""
    for entry in facts.links:
        if is_own(facts, entry):
            yield Step((REMOVE_LINK, entry.path, entry.target))
    for path in sorted(set(facts.made) - set(facts.missing), reverse=True):
        yield Step((REMOVE_EMPTY, path))


def _run_steps(facts: HostFacts, wish: Wish) -> Iterator[Step]:
    """Yield what makes the directories in /run, as far as systemd does not with each run."""
    run, private = places.RUN, places.PRIVATE
    if facts.run.kind and facts.run.uid:
        # An install of before has given it to our user: what is in it becomes the private part.
        words = (f"mkdir -m 755 {run}.new", f"mv {run} {run}.new/private", f"mv {run}.new {run}")
        yield command("sh", "-c", " && ".join((f"rm -rf {run}.new", *words)))
        yield command("rm", "-f", f"{private}/{places.OUTPUT_NAME}")
    elif facts.run.kind and facts.run.mode & 0o777 != 0o755:
        yield give(run, "0", "0", 0o755)
    if not uses_timer(facts, wish):
        yield command("mkdir", "-p", private)
        yield give(private, USER, USER, 0o700)


def _setting_steps(facts: HostFacts) -> Iterator[Step]:
    path = _below(facts, places.SETTINGS)
    line = f"{TEXTFILE_DIRECTORY}={facts.directory}"
    if places.SETTINGS not in facts.present:
        yield command("mkdir", "-p", path.rpartition("/")[0])
        default = f"#{TEXTFILE_DIRECTORY}=/var/lib/prometheus/node-exporter"
        yield write(path, SETTINGS_TEXT.format(line=default if facts.is_default else line))
    elif not facts.is_default and TEXTFILE_DIRECTORY not in dict(facts.settings):
        yield command("sh", "-c", f"printf '\\n{line}\\n' >>{shlex.quote(path)}")


def _rendered(facts: HostFacts, data: bytes) -> str:
    return data.decode().replace(places.PREFIX, facts.prefix)


def _unit_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    yield command("mkdir", "-p", _below(facts, places.UNIT_DIRECTORY))  # a small image lacks it
    for name in (places.SERVICE, *places.STARTERS):
        text = _rendered(facts, share[f"systemd-timer/{name}"])
        if facts.systemd < FIXED_DELAY:
            # It would draw another delay for each look.
            delay = r"^(# A delay|RandomizedDelaySec=|FixedRandomDelay=).*\n"
            text = re.sub(delay, "", text, flags=re.M)
        yield write(_below(facts, _unit(name)), text)
    if uses_link(facts, wish):
        yield from _remove(facts, (places.DROP_IN,))
        yield from _remove_empty_drop_ins(facts)
        tmpfiles = _below(facts, places.TMPFILES)
        yield command("mkdir", "-p", tmpfiles.rpartition("/")[0])
        yield write(tmpfiles, _tmpfiles(facts))
        return
    yield from _remove(facts, (places.TMPFILES,))
    yield command("mkdir", "-p", _below(facts, places.DROP_INS))
    lines = ["# Of `textfile-users install`, which writes it anew.", "[Service]"]
    lines.append(f"ReadWritePaths=-{facts.directory}")
    yield write(_below(facts, places.DROP_IN), "\n".join([*lines, ""]))


def _tmpfiles(facts: HostFacts) -> str:
    """Return what systemd-tmpfiles makes at boot, see tmpfiles.d(5)."""
    both = f"{USER} {USER} -"
    lines = [
        "# Of `textfile-users install`: the link in the textfile directory leads to an empty file",
        "# until the first scan, for node_exporter counts a link to nothing as an error.",
        f"d {places.RUN} 0755 root root -",
        f"d {places.PUBLIC} 0755 {both}",
        f"f {LINKED_OUTPUT} 0644 {both}",
    ]
    if facts.is_in_memory:
        lines.append(f"L {facts.real}/{places.OUTPUT_NAME} - - - - {link_target(facts)}")
    return "\n".join([*lines, ""])


def _start_steps(facts: HostFacts) -> Iterator[Step]:
    if facts.is_running:
        yield command("systemctl", "daemon-reload")
        yield command("systemctl", "enable", "--now", *places.STARTERS)
    else:
        yield _systemctl(facts, "enable", *places.STARTERS)


def _remove_units(facts: HostFacts, files: tuple[str, ...]) -> Iterator[Step]:
    """Yield what removes the units, which no longer run: their ``files``."""
    starters = [name for name in places.STARTERS if _unit(name) in facts.present]
    if starters and "systemctl" in facts.tools:
        yield _systemctl(facts, "disable", *starters)
    yield from _remove(facts, files)
    yield from _remove_empty_drop_ins(facts)
    if set(places.UNITS) & facts.present and facts.is_systemd and facts.is_running:
        yield command("systemctl", "daemon-reload")
        yield command("systemctl", "reset-failed", f"{USER}.*")


def _remove_empty_drop_ins(facts: HostFacts) -> Iterator[Step]:
    """Yield what removes the directory; what the administrator has put there stays."""
    if places.DROP_INS in facts.present:
        directory = _below(facts, places.DROP_INS)
        yield command("find", directory, "-maxdepth", "0", "-empty", "-delete")


def _cron_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    others = tuple(path for path in places.CRON_ENTRIES if path != f"{facts.cron}/{USER}")
    yield from _remove(facts, others)
    yield write(_below(facts, f"{facts.cron}/{USER}"), _cron_entry(facts, wish, share))


def _cron_entry(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> str:
    name = f"cron/{USER}.crontab" if is_busybox(facts, wish) else f"cron/{USER}"
    return _rendered(facts, share[name])


def scan_step(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Step:
    """Return the step that scans once: as the timer starts a scan, or as cron's entry does."""
    if uses_timer(facts, wish):
        return command("systemctl", "start", places.SERVICE)
    lines = _cron_entry(facts, wish, share).splitlines()
    variables = [line for line in lines if re.match("[A-Z_]+=", line)]
    (entry,) = [line for line in lines if line.startswith("* ")]
    line = entry.split(None, 5 if is_busybox(facts, wish) else 6)[-1].replace(EACH_MINUTE, "")
    variables += [f"HOME={places.STATE}", f"LOGNAME={USER}"]
    return Step((AS_USER, "env", "-i", *variables, "/bin/sh", "-c", line))


def is_busybox(facts: HostFacts, wish: Wish) -> bool:
    """Return whether busybox's cron runs the program: no users, variables or @reboot in entries."""
    return not uses_timer(facts, wish) and facts.cron in places.CRONTABS
