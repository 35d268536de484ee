"""Our records behave as typing.NamedTuple's do, as far as they are used."""

from __future__ import annotations

import pytest

from textfile_users.record import Record


class Point(Record):
    """A record with a default."""

    x: int
    y: int = 2
    z: tuple[int, ...] = ()


def test_fields_defaults_and_equality() -> None:
    point = Point(1)
    assert (point.x, point.y, point.z) == point == (1, 2, ())
    assert Point(y=5, x=4, z=(6,)) == Point(4, 5, (6,))
    assert Point(1)._replace(x=9) == Point(9)
    assert Point(1)._asdict() == {"x": 1, "y": 2, "z": ()}
    assert repr(Point(1)) == "Point(x=1, y=2, z=())"
    assert len({Point(1), Point(1), Point(2)}) == 2
    x, *_ = Point(7)
    assert x == 7


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1, 2, (), 4), {}), ((1,), {"w": 1}), ((), {"y": 1})]
)
def test_wrong_fields_are_refused(values: tuple[int, ...], named: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="Point has the fields x, y, z"):
        Point(*values, **named)  # type: ignore[arg-type]


def test_records_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Point(1).x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Point(1).w = 3  # type: ignore[attr-defined]
