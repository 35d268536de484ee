"""Which new series of counters get a place: names that others chose must not fill the files."""

from __future__ import annotations

from textfile_users.collecting import MAX_SERIES, MAX_USERS, ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Series = tuple[str, ...]

MAX_SIZE = 600 << 10
# Of series and bytes so much is left for those without a user, and as much for root's.
SPARE_SERIES = 100
SPARE_SIZE = 16 << 10
FOR_ALL = 0.5  # of a family's places; the others are for who has an account


class Admission:
    """Gives new series a place among the ``counters``, as far as their families have one.

    ``users`` says where a series of a family has its users, ``is_known`` whether anybody has a
    name. Names that nobody has may be invented, so they get half of the places at most.
    """

    def __init__(
        self,
        counters: dict[Series, float],
        users: Mapping[str, tuple[int, ...]],
        is_known: Callable[[str], bool],
    ) -> None:
        """Take the counters, which may be changed between calls."""
        self._counters, self._users, self._is_known = counters, users, is_known
        self._taken: dict[str, _Taken] = {}
        self._full: set[str] = set()  # families without a place for names that nobody has

    def admitted(self, new: Series) -> Series:
        """Return a new series, or what counts in its stead where its family has no place for it.

        That is the series without whom it is aimed at, else the one without users.
        """
        series = new
        is_full = new[0] in self._full
        for place in reversed(self._users.get(new[0], ())):
            if is_full and not self._is_known(series[place]):
                series = (*series[:place], "", *series[place + 1 :])  # at once: it may be a flood
            if series in self._counters or self._takes_place(series):
                break
            series = (*series[:place], "", *series[place + 1 :])
        return series

    def bound(self) -> dict[str, int]:
        """Leave out what an older version counted beyond the bounds; return how much by family."""
        families: dict[str, list[Series]] = {family: [] for family in self._users}
        for series in self._counters:
            if series[0] in families:
                families[series[0]].append(series)
        dropped = {}
        for family, found in families.items():
            if len(found) > MAX_SERIES or len(set(map(self._who, found))) > MAX_USERS + 1:
                self._taken[family] = _Taken()
                ranked = sorted(found, key=self._rank)
                first = next(
                    (n for n, one in enumerate(ranked) if not self._takes_place(one)), len(found)
                )
                for series in ranked[first:]:
                    del self._counters[series]
                dropped[family] = len(ranked) - first

        return dropped

    def _takes_place(self, series: Series) -> bool:
        """Take a place in the family for a new series; return False where there is none."""
        family, who = series[0], self._who(series)
        if family in self._full and not all(map(self._is_known, who)):
            return False
        taken, size = self._taken_by(family), _size(series)
        # Half of the places are for all: mostly passwd need not be read.
        if not any(who) or taken.leaves(who, size, FOR_ALL):
            taken.add(who, size)
            return True
        share = self._share(who)
        if share > FOR_ALL and taken.leaves(who, size, share):
            taken.add(who, size)
            return True
        if share == FOR_ALL:
            self._full.add(family)
        return False

    def _taken_by(self, family: str) -> _Taken:
        if family not in self._taken:
            self._taken[family] = taken = _Taken()
            for series in self._counters:
                if series[0] == family:
                    taken.add(self._who(series), _size(series))
        return self._taken[family]

    def _share(self, who: Series) -> float:
        """Return which share of the places a user's new series may find taken up, or a pair's.

        Nobody but root is the user or the target of more pairs than there are names.
        """
        if not all(map(self._is_known, who)):
            return FOR_ALL
        return 1.0 if len(who) == 1 or ROOT in who else 0.75

    def _rank(self, series: Series) -> float:
        """Return what orders series by whose they are: nobody's in particular, root's, others'."""
        who = self._who(series)
        if not any(who):
            return -3.0
        return -2.0 if ROOT in who else -self._share(who)

    def _who(self, series: Series) -> Series:
        """Return the users of a series: one, or a pair."""
        return tuple([series[place] for place in self._users[series[0]]])


class _Taken:
    """What the series of a family take up of its bounds."""

    def __init__(self) -> None:
        self._who: set[Series] = set()
        self._series = self._size = 0

    def add(self, who: Series, size: int) -> None:
        """Take a place for a series of the users ``who`` and of ``size`` bytes."""
        if any(who):
            self._who.add(who)
        self._series += 1
        self._size += size

    def leaves(self, who: Series, size: int, share: float) -> bool:
        """Return whether a ``share`` of the bounds leaves a place for such a series."""
        others = ROOT not in who
        spare = 1 + others
        return (
            len(self._who) + (who not in self._who) <= min(share * MAX_USERS, MAX_USERS - others)
            and self._series < min(share * MAX_SERIES, MAX_SERIES - spare * SPARE_SERIES)
            and self._size + size <= min(share * MAX_SIZE, MAX_SIZE - spare * SPARE_SIZE)
        )


def _size(series: Series) -> int:
    """Return how many bytes a series has in a file, about."""
    text = ",".join(series)
    size = 45 + len(text.encode("utf-8", "surrogatepass")) + text.count('"') + text.count("\\")
    return size if text.isprintable() else size + 5 * sum(char < " " for char in text)


def most_failing(failures: dict[str, dict[int, int]], count: int) -> dict[str, dict[int, int]]:
    """Return ``count`` of the addresses, whose last is the one that failed last.

    One half are those with most failures, the other those of the rest that failed last. By
    numbers alone one that is rarely refused would begin anew each time; so it does not, unless
    half as many others are refused in between.
    """
    numbers = {address: sum(minutes.values()) for address, minutes in failures.items()}
    most = set(sorted(numbers, key=lambda one: -numbers[one])[: count // 2])
    rest = [address for address in failures if address not in most]
    kept = most.union(rest[len(most) - count :])
    return {address: minutes for address, minutes in failures.items() if address in kept}


def coarser(
    failures: Mapping[str, dict[int, int]], exact_addresses: int, coarse: int
) -> dict[str, dict[int, int]]:
    """Return the numbers by ``coarse`` minutes, but for those addresses that failed most.

    They then count for up to nine minutes longer.
    """
    numbers = {address: sum(minutes.values()) for address, minutes in failures.items()}
    exact = set(sorted(numbers, key=lambda one: -numbers[one])[:exact_addresses])
    result = {}
    for address, minutes in failures.items():
        result[address] = sums = dict(minutes) if address in exact else {}
        if address not in exact:
            for minute, n in minutes.items():
                last = minute - minute % coarse + coarse - 1
                sums[last] = sums.get(last, 0) + n
    return result
