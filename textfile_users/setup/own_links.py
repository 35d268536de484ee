"""The links to the program and its page below /usr/local, and whether one is ours."""

from __future__ import annotations

import os

from textfile_users import product as places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textfile_users.setup.entry import FoundEntry
    from textfile_users.setup.facts import HostFacts


def target_of(facts: HostFacts, entry: FoundEntry) -> str:
    """Return what the link ``entry`` is to lead to."""
    return f"{facts.prefix}/{places.LINKS[entry.path]}"


def is_own(facts: HostFacts, entry: FoundEntry) -> bool:
    """Return whether ``entry`` leads to the program, where it is now or was installed before."""
    name = places.LINKS[entry.path]
    leads_to = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.target))
    own = {f"{prefix}/{name}" for prefix in (facts.prefix, *facts.prefixes)}
    return bool(entry.target) and leads_to in own
