"""What is asked of install, and the ways it comes to: timer or cron, link or file; its links."""

from __future__ import annotations

import os

from textfile_users import product as places
from textfile_users.paths import LINKED_OUTPUT, leads_to_linked, link_text
from textfile_users.record import Record
from textfile_users.setup.entry import LINK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.setup.entry import FoundEntry
    from textfile_users.setup.facts import HostFacts


# The first with StateDirectory= and RuntimeDirectoryPreserve= (its NEWS): before, a unit has no
# state that outlives a run.
OLDEST_SYSTEMD = 235


class Wish(Record):
    """What is asked of install: cron though systemd is there, the file itself and no link to it."""

    cron: bool = False
    in_place: bool = False


def as_before(facts: HostFacts) -> Wish:
    """Return what an upgrade of a package is to keep: cron, and the file in place."""
    by_cron = places.ENABLED not in facts.present and any(
        path in facts.present for path in places.CRON_ENTRIES
    )
    return Wish(by_cron, places.DROP_IN in facts.present)


def uses_timer(facts: HostFacts, wish: Wish) -> bool:
    """Return whether systemd's timer runs the program, not cron."""
    return facts.is_systemd and facts.systemd >= OLDEST_SYSTEMD and not wish.cron


def uses_link(facts: HostFacts, wish: Wish) -> bool:
    """Return whether the file lies in /run, and only a link of root's in the textfile directory."""
    return uses_timer(facts, wish) and not (wish.in_place or facts.blind)


def is_own_link(target: str) -> bool:
    """Return whether the text of a link is install's, or that of an install of before."""
    return leads_to_linked(target) or target == places.OLD_OUTPUT


def lacks_link(facts: HostFacts) -> bool:
    """Return whether the link is to be put, for it is not there as it should be."""
    output = facts.output
    return (output.kind, output.uid, output.target) != (LINK, 0, link_target(facts))


def link_target(facts: HostFacts) -> str:
    """Return what the link says: relative, so that it is true in a container and an image too."""
    return link_text(facts.real or facts.directory, LINKED_OUTPUT)


def is_busybox(facts: HostFacts, wish: Wish) -> bool:
    """Return whether busybox's cron runs the program: no users, variables or @reboot in entries."""
    return not uses_timer(facts, wish) and facts.cron in places.CRONTABS


def target_of(facts: HostFacts, entry: FoundEntry) -> str:
    """Return what ``entry``, a link to the program or its page, is to lead to."""
    return f"{facts.prefix}/{places.LINKS[entry.path]}"


def is_own(facts: HostFacts, entry: FoundEntry) -> bool:
    """Return whether ``entry`` leads to the program, where it is now or was installed before."""
    name = places.LINKS[entry.path]
    leads_to = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.target))
    own = {f"{prefix}/{name}" for prefix in (facts.prefix, *facts.prefixes)}
    return bool(entry.target) and leads_to in own
