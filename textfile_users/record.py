"""Immutable records: typing.NamedTuple at a fifth of its cost at import.

typing's compiles a constructor for each class, which for the dozen here costs as much as a
fifth of a bare interpreter's start, in each of 17,280 runs a day. Type checkers see typing's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple as Record
else:
    try:
        from _collections import _tuplegetter as _getter  # NamedTuple's own, twice as fast
    except ImportError:  # another implementation of Python
        from operator import itemgetter

        def _getter(index, _):
            return property(itemgetter(index))

    class _RecordType(type):
        """Makes the annotated names of a class the fields of a tuple."""

        def __new__(mcs, name, bases, namespace):
            fields = tuple(namespace.get("__annotations__", ()))
            defaults = {field: namespace[field] for field in fields if field in namespace}
            for index, field in enumerate(fields):
                namespace[field] = _getter(index, None)
            places = {field: place for place, field in enumerate(fields)}
            namespace.update(__slots__=(), _fields=fields, _defaults=defaults, _places=places)
            return super().__new__(mcs, name, bases, namespace)

    class Record(tuple, metaclass=_RecordType):
        """A tuple with named fields; what typing.NamedTuple makes, as far as it is used here."""

        def __new__(cls, *values, **named):
            """Take the fields in their order, by name, or from the defaults."""
            fields = cls._fields
            if named or len(values) != len(fields):
                named = {**cls._defaults, **dict(zip(fields, values)), **named}
                if len(values) > len(fields) or named.keys() != set(fields):
                    raise TypeError(f"{cls.__name__} has the fields {', '.join(fields)}")
                values = [named[field] for field in fields]
            return tuple.__new__(cls, values)

        def _asdict(self):
            return dict(zip(self._fields, self))

        def _replace(self, **named):
            values = list(self)
            for name, value in named.items():
                values[self._places[name]] = value
            return tuple.__new__(type(self), values)

        def __repr__(self):
            values = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
            return f"{type(self).__name__}({values})"


# Makes a record of a tuple of all its fields, at a third of what its class takes for it.
quick = tuple.__new__

__all__ = ["Record", "quick"]
