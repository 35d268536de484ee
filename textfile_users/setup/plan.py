"""The steps that install and uninstall: from facts alone."""

from __future__ import annotations

import os
import re
import shlex

from textfile_users import product as places
from textfile_users.product import USER
from textfile_users.setup.entry import DIRECTORY, FILE, LINK, FoundEntry
from textfile_users.setup.facts import HostFacts
from textfile_users.setup.install_record import Before, format_record
from textfile_users.setup.plan_packaged import compile_steps, start_packaged, stop_packaged
from textfile_users.setup.plan_units import (
    below,
    give,
    remove,
    remove_units,
    rendered,
    start_steps,
    unit_path,
    unit_steps,
)
from textfile_users.setup.plan_user import remove_user, user_steps
from textfile_users.setup.settings import TEXTFILE_DIRECTORY
from textfile_users.setup.steps import (
    AS_USER,
    END,
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
from textfile_users.setup.wish import (
    Wish,
    is_busybox,
    is_own,
    is_own_link,
    lacks_link,
    link_target,
    target_of,
    uses_link,
    uses_timer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHARED_MODE = 0o1775
TEMPORARY = f".{places.OUTPUT_NAME}.*.tmp"
EACH_MINUTE = " --repeat 12 --interval 5"  # of cron's entries
SETTINGS_TEXT = """\
# Settings of textfile-users: NAME=value lines, which systemd and a shell read the same way. Use
# neither $, ` nor \\, and put a value that has blanks in double quotes. `textfile-users doctor`
# says what is wrong here.
#
# Flags of each scan (textfile-users --help), divided by blanks:
#OPTIONS="--network office=192.0.2.0/24 --exclude-user nagios"
#
# node_exporter's textfile directory, where it is not the distribution's:
{line}
"""


def install_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    """Yield what installs the program, or brings it up to date."""
    if facts.archive:
        yield Step((UNPACK, facts.archive, facts.root, facts.prefix))
    yield from compile_steps(facts) if facts.is_packaged else _quiet(facts)
    yield from user_steps(facts, share)
    yield from _leave_old_directory(facts)
    yield from _directory_steps(facts)
    if not uses_link(facts, wish):
        yield from _in_place_steps(facts)
    if facts.is_running and not is_busybox(facts, wish):
        yield from _run_steps(facts, wish)
    # What a package takes over from has links to its program.
    yield from _unlink_steps(facts) if facts.is_packaged else _link_steps(facts)
    yield from _setting_steps(facts)
    if uses_timer(facts, wish):
        yield from remove(facts, places.CRON_ENTRIES)
        yield from unit_steps(facts, wish, share)
    else:
        yield from stop_packaged(facts) if facts.is_packaged else ()
        yield from remove_units(facts, places.UNIT_FILES)
        yield from _cron_steps(facts, wish, share)
    if uses_link(facts, wish):
        yield from _output_link_steps(facts)
    if facts.is_selinux and "restorecon" in facts.tools:
        kept = (facts.prefix, places.STATE, places.UNIT_DIRECTORY, facts.directory)
        yield command("restorecon", "-R", *filter(None, kept))
    if uses_timer(facts, wish):
        yield from start_packaged(facts) if facts.is_packaged else start_steps(facts)


def resume_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what starts the scans again that ran before an install that has failed."""
    if facts.active:
        yield command("systemctl", "daemon-reload")  # some units may be new by now
        yield command("systemctl", "start", *facts.active)


def uninstall_steps(facts: HostFacts, *, packaged: bool = False) -> Iterator[Step]:
    """Yield what removes all that install has put in place, of what is there.

    With ``packaged`` state, settings, user and key stay, for the package's purge to remove.
    """
    yield from stop_packaged(facts) if packaged else _quiet(facts)
    own = () if packaged else (places.PTRACE,)
    yield from remove_units(facts, (*places.UNIT_FILES, *own))
    yield from remove(facts, places.CRON_ENTRIES)
    yield from _end_scans(facts)
    for before, entry, output in _textfile_directories(facts):
        if _is_behind_link(entry, output) and entry.uid == 0:
            path = f"{before.directory}/{places.OUTPUT_NAME}"
            yield Step((REMOVE_LINK, path, output.target))
        yield from _restore(facts, before, entry, output)
    yield from _unlink_steps(facts)
    if packaged:
        yield command("rm", "-rf", places.RUN, places.RECORD)
        return
    yield from remove(facts, places.OTHER_FILES)
    for tree in places.OWN_TREES:
        if tree in facts.present:
            yield command("rm", "-rf", below(facts, tree))
    yield from remove_user(facts)


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
    """Yield what stops the scans while things change."""
    units = [
        unit for unit in (*places.STARTERS, places.SERVICE) if unit_path(unit) in facts.present
    ]
    if units and facts.is_systemd and facts.is_running:
        yield command("systemctl", "stop", *units)


def _end_scans(facts: HostFacts) -> Iterator[Step]:
    """Yield what ends a minute of scans that cron began: it would write the file once more."""
    if facts.uid > 0 and facts.is_running:
        yield Step((END, USER))


def _leave_old_directory(facts: HostFacts) -> Iterator[Step]:
    """Yield what clears the textfile directory of before, where it is another one now."""
    if facts.before and facts.before.directory != facts.directory:
        yield from _end_scans(facts)
        yield from _restore(facts, facts.before, facts.old_entry, facts.old_output)


def _restore(
    facts: HostFacts, before: Before, entry: FoundEntry, output: FoundEntry
) -> Iterator[Step]:
    """Yield what takes our files out of a textfile directory and gives it its old rights."""
    if entry.kind != DIRECTORY:
        return
    if _is_ours(facts, before, output):
        yield command("rm", "-f", f"{below(facts, before.directory)}/{places.OUTPUT_NAME}")
    yield from _rights_back(facts, before, entry)


def _is_ours(facts: HostFacts, before: Before, output: FoundEntry) -> bool:
    """Return whether what has the file's name in a textfile directory is ours to remove."""
    # Root's own scans may have written it, or somebody else a file of that name.
    is_roots = output.uid == 0 and (before == facts.before or facts.is_output_ours)
    is_ours = output.kind == FILE and (output.uid == facts.uid or is_roots)
    return is_ours or is_own_link(output.target)


def _rights_back(facts: HostFacts, before: Before, entry: FoundEntry) -> Iterator[Step]:
    """Yield what removes leftovers of runs from a textfile directory, and sets its rights back."""
    directory = below(facts, before.directory)
    yield command("find", directory, "-maxdepth", "1", "-name", TEMPORARY, "-delete")
    if entry.gid == facts.gid:
        yield give(before.directory, "", str(before.gid), before.mode)


def _directory_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what makes the state directory, and writes down what is there."""
    state, record = below(facts, places.STATE), below(facts, places.RECORD)
    yield command("mkdir", "-p", state, record.rpartition("/")[0])
    if facts.state.kind and facts.state.uid == 0:
        # What root's own scans have left there is the user's from now on.
        yield Step((GIVE_FILES, places.STATE))
    yield give(places.STATE, USER, USER, 0o700)
    yield from _record_steps(facts, record)


def _in_place_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what gives our user its part of the textfile directory."""
    yield give(facts.directory, "", USER, SHARED_MODE)
    if facts.output.kind == LINK or (facts.output.kind and facts.output.uid != facts.uid):
        # Not given away: it may be another name of any file of root's. The scan writes it anew.
        yield command("rm", "-f", f"{below(facts, facts.directory)}/{places.OUTPUT_NAME}")
    if facts.is_running and places.PUBLIC in facts.present:
        yield command("rm", "-rf", places.PUBLIC)


def _output_link_steps(facts: HostFacts) -> Iterator[Step]:
    """Yield what puts the link into the textfile directory, which is not ours any more.

    The directory goes back first: then nobody whom root does not trust can write there.
    """
    if facts.entry.gid == facts.gid:
        yield from _rights_back(facts, _rights_before(facts), facts.entry)
    if facts.is_running and facts.is_booted and "systemd-tmpfiles" in facts.tools:
        if facts.linked.kind not in ("", FILE):
            # Our user could put it there to hinder updates: systemd-tmpfiles would fail.
            yield command("rm", "-rf", places.PUBLIC)
        # Until the first scan the file is empty: a link to nothing is a fault for node_exporter.
        # By its name systemd finds a package's too.
        name = os.path.basename(places.TMPFILES) if facts.is_packaged else places.TMPFILES
        yield command("systemd-tmpfiles", "--create", name)
    if facts.directory and lacks_link(facts):
        yield Step((PUT_LINK, f"{facts.directory}/{places.OUTPUT_NAME}", link_target(facts)))


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
    if not facts.directory:
        return
    before, prefixes, made = _rights_before(facts), facts.prefixes, facts.made
    if facts.is_environment and not facts.is_packaged:
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
    path = below(facts, places.SETTINGS)
    line = f"{TEXTFILE_DIRECTORY}={facts.directory}"
    if places.SETTINGS not in facts.present:
        if facts.is_packaged and facts.is_default:
            return  # an administrator has removed the package's
        yield command("mkdir", "-p", path.rpartition("/")[0])
        text = default_settings() if facts.is_default else SETTINGS_TEXT.format(line=line)
        yield write(path, text)
    elif not facts.is_default and TEXTFILE_DIRECTORY not in dict(facts.settings):
        yield command("sh", "-c", f"printf '\\n{line}\\n' >>{shlex.quote(path)}")


def default_settings() -> str:
    """Return the settings file in which nothing is set."""
    line = f"#{TEXTFILE_DIRECTORY}=/var/lib/prometheus/node-exporter"
    return SETTINGS_TEXT.format(line=line)


def _cron_steps(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> Iterator[Step]:
    others = tuple(path for path in places.CRON_ENTRIES if path != f"{facts.cron}/{USER}")
    yield from remove(facts, others)
    yield write(below(facts, f"{facts.cron}/{USER}"), _cron_entry(facts, wish, share))


def _cron_entry(facts: HostFacts, wish: Wish, share: Mapping[str, bytes]) -> str:
    name = f"cron/{USER}.crontab" if is_busybox(facts, wish) else f"cron/{USER}"
    return rendered(facts, share[name])


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
