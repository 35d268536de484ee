"""Metric families as plain records, with the attributes of prometheus_client's.

Importing prometheus_client's own costs as much as starting Python does; the public collector
makes them of these (collector.py), and render() makes the text of either.
"""

from __future__ import annotations

from textfile_users.collecting import MAX_USERS
from textfile_users.reading.text import label as label
from textfile_users.record import Record, quick

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client.metrics_core import Metric
    from prometheus_client.samples import Sample as TheirSample

    from textfile_users.sessions.session import Session


GAUGE = "gauge"
COUNTER = "counter"
HISTOGRAM = "histogram"


class Sample(Record):
    """A value with its labels by name; ``name`` is the family's, with what the type adds."""

    name: str
    labels: dict[str, str]
    value: float


class Family(Record):
    """A family and its samples; the ``name`` of a counter is without `_total`, as theirs is."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


def family(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Family:
    """Return a gauge, or a counter where ``name`` ends in _total, with the samples sorted."""
    made = gauge(name, documentation, labels, samples)
    if name.endswith("_total"):
        return made._replace(name=name[: -len("_total")], type=COUNTER)
    return made


def gauge(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Family:
    """Return a gauge with the samples sorted, whatever its ``name`` ends in."""
    made = [
        quick(Sample, (name, dict(zip(labels, values)), value)) for values, value in sorted(samples)
    ]
    return Family(name, documentation, GAUGE, made)


def info(
    name: str, documentation: str, labels: Sequence[str], rows: Iterable[tuple[str, ...]]
) -> Family:
    """Return a gauge that is 1 for each of the rows of label values, however often it is there."""
    return gauge(name, documentation, labels, dict.fromkeys(rows, 1.0).items())


def uid_label(uid: int) -> str:
    """Return a uid as a label value, '' where it is not to be known (-1)."""
    return str(uid) if uid >= 0 else ""


def count_by(keys: Iterable[tuple[str, ...]]) -> list[tuple[tuple[str, ...], float]]:
    """Return a sample for each of ``keys``, made label values, with how often it is there."""
    counts: dict[tuple[str, ...], float] = {}
    for key in keys:
        labels = tuple(map(label, key))
        counts[labels] = counts.get(labels, 0.0) + 1.0
    return list(counts.items())


def by_user(
    values: Mapping[str, float], root: str
) -> tuple[list[tuple[tuple[str, ...], float]], int]:
    """Return a sample a user, and how many users were left out: those with least, never root.

    First of all those without a name, of whom a user may have 65,536, see subuid(5).
    """
    names = sorted(values, key=lambda user: (user != root, user.isdigit(), -values[user]))
    by_label: dict[tuple[str, ...], float] = {}
    for user in names[:MAX_USERS]:
        by_label[(label(user),)] = by_label.get((label(user),), 0.0) + values[user]
    return list(by_label.items()), max(0, len(names) - MAX_USERS)


def histogram(
    name: str,
    documentation: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], Sequence[tuple[str, float]], float]],
) -> Family:
    """Return a histogram of (label values, cumulated buckets by their bounds, sum), sorted."""
    made = []
    for values, buckets, total in sorted(samples):
        of = dict(zip(labels, values))
        bucket = f"{name}_bucket"
        made += [quick(Sample, (bucket, {**of, "le": le}, count)) for le, count in buckets]
        made.append(Sample(f"{name}_count", of, buckets[-1][1]))
        made.append(Sample(f"{name}_sum", of, total))
    return Family(name, documentation, HISTOGRAM, made)


# Of a file over its limit so many bytes are for telling what is left out.
SPARE = 16 << 10
_UNTYPED = {"unknown": "untyped"}


def render(families: Iterable[Family | Metric]) -> str:
    """Return the families, ours or prometheus_client's, in the Prometheus text format 0.0.4."""
    lines = []
    for family in families:
        name = family.name + "_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {_escape(family.documentation)}\n")
        lines.append(f"# TYPE {name} {_UNTYPED.get(family.type, family.type)}\n")
        lines.append(_text_of(family.samples))
    return "".join(lines)


def render_within(families: Iterable[Family], limit: int, told_by: str = "") -> bytes:
    """Return the text of families as UTF-8, at most ``limit`` bytes.

    Where it would be more, all families have the same share; what one leaves goes to the others.
    Of one over its share the samples with the longest labels are left out: who wants to fill the
    file has to write long ones. How many is added to the family ``told_by``, by `family`, and
    to the sum of all, whose `family` is empty.
    """
    texts: list[bytes] = []
    tells = None
    for one in families:
        if one.name == told_by:
            tells, place = one, len(texts)
        texts.append(render((one,)).encode())
    if sum(map(len, texts)) <= limit:
        return b"".join(texts)
    share = _equal_share(list(map(len, texts)), limit - SPARE)
    dropped = {}
    for index, text in enumerate(texts):
        if len(text) > share:
            texts[index], count = _shortest(text, share)
            dropped[text.split(b" ", 3)[2].decode()] = float(count)
    if tells:
        texts[place] = render((_telling(tells, dropped),)).encode()
    return b"".join(texts)


def _telling(family: Family, dropped: dict[str, float]) -> Family:
    """Return a family by `family` with the numbers in ``dropped`` added."""
    counts = {sample.labels["family"]: sample.value for sample in family.samples}
    total = {"": sum(dropped.values())}
    for name, count in (*dropped.items(), *total.items()):
        counts[name] = counts.get(name, 0.0) + count
    samples = [
        quick(Sample, (family.name, {"family": name}, counts[name])) for name in sorted(counts)
    ]
    return family._replace(samples=samples)


def _equal_share(sizes: Sequence[int], limit: int) -> int:
    """Return the most bytes that each of ``sizes`` may have, so that all have ``limit``."""
    left = limit
    for index, size in enumerate(sorted(sizes)):
        count = len(sizes) - index
        if size * count > left:
            return left // count
        left -= size
    return limit


def _shortest(text: bytes, share: int) -> tuple[bytes, int]:
    """Return of a family's text what fits into ``share``, and how many samples do not.

    A sample's value, whose length changes, does not decide.
    """
    help_line, type_line, *lines = text[:-1].split(b"\n")
    left = share - len(help_line) - len(type_line) - 2
    kept = set()
    for index in sorted(range(len(lines)), key=lambda one: lines[one].rfind(b" ")):
        left -= len(lines[index]) + 1
        if left < 0:
            break
        kept.add(index)
    rest = [lines[index] for index in sorted(kept)]
    return b"\n".join([help_line, type_line, *rest, b""]), len(lines) - len(rest)


def _text_of(samples: Sequence[Sample | TheirSample]) -> str:
    """Return a line a sample; whether label values need escapes is asked once for all of them."""
    text = "".join([_line(sample, sample.labels) for sample in samples])
    quotes = 2 * sum([len(sample.labels) for sample in samples])
    if "\\" in text or text.count('"') > quotes or text.count("\n") > len(samples):
        text = "".join([_line(sample, _escaped(sample.labels)) for sample in samples])
    return text


def _line(sample: Sample | TheirSample, labels: dict[str, str]) -> str:
    if not labels:
        return f"{sample.name} {_number(sample.value)}\n"
    names = tuple(labels)
    if names not in _templates:
        _templates[names] = ",".join([f'{name}="%({name})s"' for name in sorted(names)])
    return f"{sample.name}{{{_templates[names] % labels}}} {_number(sample.value)}\n"


# The text of labels, by their names.
_templates: dict[tuple[str, ...], str] = {}


def _escaped(labels: dict[str, str]) -> dict[str, str]:
    return {name: _escape(value).replace('"', '\\"') for name, value in labels.items()}


def _number(value: float) -> str:
    """Return a number as prometheus_client prints it: in exponents sooner than Python, as Go."""
    if value < 1e6:
        text = repr(float(value))
        return text if text != "-inf" else "-Inf"
    text = repr(float(value))
    whole, dot, rest = text.partition(".")
    if not dot or "e" in rest:  # from 1e16 on as in Go
        return {"inf": "+Inf", "nan": "NaN"}.get(text, text)
    mantissa = f"{whole[0]}.{whole[1:]}{rest}".rstrip("0.")
    return f"{mantissa}e+{len(whole) - 1:02d}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def sessions_by_user(
    sessions: tuple[Session, ...], recent: tuple[tuple[str, str], ...], root: str
) -> tuple[list[tuple[tuple[str, str], float]], int]:
    """Return the number of sessions by (user, type), and how many such pairs were left out.

    Of too many users root and those with the newest sessions are kept.
    """
    counts: dict[tuple[str, str], int] = {}
    for session in sessions:
        pair = label(session.user), session.type
        counts[pair] = counts.get(pair, 0) + 1
    for user, type_ in recent:
        counts.setdefault((label(user), type_), 0)
    newest_first = dict.fromkeys(label(session.user) for session in reversed(sessions))
    newest_first.update(dict.fromkeys(user for user, _ in counts))
    kept = set(sorted(newest_first, key=lambda user: user != root)[:MAX_USERS])
    samples = [(pair, float(count)) for pair, count in counts.items() if pair[0] in kept]
    return samples, len(counts) - len(samples)
