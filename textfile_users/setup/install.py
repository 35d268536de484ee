"""`install` and `uninstall`: facts about the host, then faults, or steps that are done."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import contextmanager
from zipfile import BadZipFile

from textfile_users import product as places
from textfile_users.console import ERROR, WARNING, put, say
from textfile_users.paths import Paths
from textfile_users.reading.files import reason
from textfile_users.setup.entry import FILE
from textfile_users.setup.facts import HostFacts, read_facts
from textfile_users.setup.faults import (
    find_faults,
    find_image_faults,
    find_notes,
    find_removal_faults,
)
from textfile_users.setup.fixes import program
from textfile_users.setup.links import try_link
from textfile_users.setup.plan import (
    find_leftovers,
    install_steps,
    resume_steps,
    scan_step,
    uninstall_steps,
)
from textfile_users.setup.plan_packaged import compile_steps
from textfile_users.setup.steps import WRITE, Step, StepFailed, do, shell
from textfile_users.setup.unpack import share_files
from textfile_users.setup.wish import (
    Wish,
    as_before,
    lacks_link,
    link_target,
    uses_link,
    uses_timer,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


LOCK = "/run/textfile-users.lock"


def install(
    root: str,
    textfile_directory: str,
    cron: bool,
    in_place: bool,
    dry_run: bool,
    packaged: bool = False,
) -> int:
    """Put timer or cron entry in place and scan once; return 0, or 1 where one of these fails.

    All that can be seen to be wrong is said first, and then nothing is changed. What doctor finds
    at the end does not change the status: it may be node_exporter's, which is installed later.
    With ``packaged``, for a package's script, a host that lacks something is no failure either.
    """
    with _alone(dry_run) as is_alone:
        if not is_alone:
            return 1
        if packaged:
            return _install_packaged(read_facts(root, textfile_directory), dry_run)
        return _install(root, textfile_directory, Wish(cron, in_place), dry_run)


def _install(root: str, textfile_directory: str, wish: Wish, dry_run: bool) -> int:
    facts = read_facts(root, textfile_directory)
    if dry_run and not facts.is_root:
        say(WARNING, "not as root, who may find another node_exporter, and other faults")
    if dry_run:
        # script/install asks before it makes the environment.
        facts = facts._replace(is_root=True, python=facts.python._replace(kind=FILE))
    faults = find_faults(facts, wish) or tuple(_link_faults(facts, wish, dry_run))
    for note in find_notes(facts, wish):
        say(WARNING, note)
    for fault in faults:
        say(ERROR, fault)
    if faults:
        say(ERROR, "nothing was changed")
        return 1
    try:
        share = share_files()
        steps, scan = tuple(install_steps(facts, wish, share)), scan_step(facts, wish, share)
    except (OSError, KeyError, BadZipFile) as error:
        say(ERROR, f"units and cron entries are missing: {error}; run script/install again")
        return 1
    if not carry_out(steps, facts.root, "install", dry_run):
        carry_out(resume_steps(facts), facts.root, "install", dry_run)
        return 1
    if not dry_run:
        return _finish(facts, wish, scan)
    if facts.is_running:
        put(shell(scan))
    return 0


def _install_packaged(facts: HostFacts, dry_run: bool) -> int:
    """Do what a package leaves to do, as it was done before; return 0, or 1 where a step failed.

    Faults of the host are said. What ran before an upgrade runs on.
    """
    wish = as_before(facts)
    faults = find_faults(facts, wish) or tuple(_link_faults(facts, wish, dry_run))
    for fault in faults:
        say(WARNING, f"not set up: {fault}; then run: {program()} install")
    for note in () if faults else find_notes(facts, wish):
        say(WARNING, note)
    steps = (*compile_steps(facts), *resume_steps(facts)) if facts.is_packaged else ()
    if not faults:
        steps = tuple(install_steps(facts, wish, share_files()))
    return 0 if carry_out(steps, facts.root, "install", dry_run) else 1


def _link_faults(facts: HostFacts, wish: Wish, dry_run: bool) -> Iterator[str]:
    """Yield why no link can be made in the textfile directory: its step would fail half-way."""
    if dry_run or not (uses_link(facts, wish) and lacks_link(facts)):
        return
    try:
        try_link(facts.root, f"{facts.directory}/{places.OUTPUT_NAME}", link_target(facts))
    except OSError as error:
        yield f"{facts.directory}: no link can be made there: {reason(error)}; give --in-place"


def uninstall(root: str, textfile_directory: str, dry_run: bool, packaged: bool = False) -> int:
    """Remove what install has put in place; return 0, or 1 where something could not be."""
    with _alone(dry_run) as is_alone:
        return _uninstall(root, textfile_directory, dry_run, packaged) if is_alone else 1


def _uninstall(root: str, textfile_directory: str, dry_run: bool, packaged: bool) -> int:
    facts = read_facts(root, textfile_directory)
    if not (facts.is_root or dry_run):
        say(ERROR, "needs root's rights: run it as root")
        return 1
    faults = (*find_image_faults(facts), *find_removal_faults(facts, packaged=packaged))
    for fault in faults:
        say(ERROR, fault)
    if faults:
        return 1
    if not carry_out(
        tuple(uninstall_steps(facts, packaged=packaged)), facts.root, "uninstall", dry_run
    ):
        return 1
    if not (dry_run or packaged):
        _say_what_stays(facts)
    return 0


def _say_what_stays(facts: HostFacts) -> None:
    for path in find_leftovers(facts):
        why = f"for {os.path.dirname(path)} is a link now"
        say(WARNING, f"{path}: stays, {why}; if it is not in use, run: rm {path}")
    if places.DROP_INS in read_facts(facts.root, "").present:
        say(WARNING, f"{places.DROP_INS}: stays, for it holds a drop-in of yours")
    if facts.is_environment:
        put(f"Removed, but for the program itself: rm -r {facts.prefix}")
    if places.REDACT_KEY in facts.present:
        say(WARNING, f"{places.REDACT_KEY} was removed too: another key makes other hashes")


@contextmanager
def _alone(dry_run: bool) -> Iterator[bool]:
    """Yield whether no other install or uninstall changes something on this host meanwhile."""
    if dry_run or os.geteuid() != 0 or not os.path.isdir(os.path.dirname(LOCK)):
        yield True  # nothing is changed, or the host does not run
        return
    while True:
        descriptor = os.open(LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.stat(LOCK), os.fstat(descriptor)):
                break
        except BlockingIOError:
            os.close(descriptor)
            say(ERROR, "another install or uninstall is at work: nothing was changed")
            yield False
            return
        except FileNotFoundError:
            pass  # the other one has ended, and removed it
        os.close(descriptor)
    try:
        yield True
    finally:
        os.unlink(LOCK)
        os.close(descriptor)


def carry_out(steps: Iterable[Step], root: str, what: str, dry_run: bool) -> bool:
    """Do the steps, or print them; return whether all were done."""
    paths = Paths(root)
    os.umask(0o022)  # what is made is for all to see, whatever root's is
    for step in steps:
        if dry_run:
            put(shell(step, root))
            continue
        try:
            _require_inside(paths, step)
            do(step, root)
        except StepFailed as error:
            why = str(error)
        except OSError as error:
            why = f"{error.filename}: {reason(error)}"
        else:
            continue
        name = f"write {step.words[1]}" if step.words[0] == WRITE else shell(step, root)
        say(ERROR, f"failed: {name}: {why}; mend that and {what} again, which goes on from there")
        return False
    return True


def _require_inside(paths: Paths, step: Step) -> None:
    """Raise OSError where a link leads from what the step changes in an image to this host."""
    if paths.is_own_host:
        return
    for path in places.BY_TOOLS:
        paths.require_inside(paths.below(path))
    for word in step.words:
        if word.startswith(f"{paths.root}/"):
            paths.require_inside(os.path.dirname(word) + "/.")


def _finish(facts: HostFacts, wish: Wish, scan: Step) -> int:
    """Do the first scan on the host that runs, and print doctor's verdict; return the status."""
    from textfile_users.setup.first_scan import describe, scan_first

    is_timer, is_link = uses_timer(facts, wish), uses_link(facts, wish)
    print(describe(facts, is_timer=is_timer, is_link=is_link), flush=True)
    if not facts.is_running:
        return 0
    is_scanned = scan_first(scan)
    print(f"Settings are in {places.SETTINGS}. {program()} doctor finds:", flush=True)
    subprocess.run(  # noqa: S603 - the program that was installed
        [f"{facts.prefix}/bin/python3", "-I", "-m", "textfile_users", "doctor"], check=False
    )
    return 0 if is_scanned else 1
