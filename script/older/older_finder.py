"""In the one file: has Python 3.6 to 3.8 find the modules that were rewritten for it.

They lie in the file as one entry, for Python reads the names of all entries at each start.
"""

import io
import sys
import zipfile
from importlib.abc import SourceLoader
from importlib.util import spec_from_loader

SOURCES = "older.zip"


class Module(SourceLoader):
    """Loads one module."""

    def __init__(self, archive, sources, name):
        """Take the one file's path, what it holds, and the name of the module's file."""
        self.archive = archive  # as zipimport's loaders have it
        self._sources = sources
        self._name = name

    def get_filename(self, fullname):
        """Return the module's path, as zipimport would have it."""
        return f"{self.archive}/{SOURCES}/{self._name}"

    def get_data(self, path):
        """Return the module's source; nothing else is asked for that is there."""
        if path != self.get_filename(""):
            raise OSError(path)
        return self._sources.read(self._name)


class Finder:
    """Finds the modules."""

    def __init__(self, archive, data):
        """Take the one file's path, and the entry in it."""
        self._archive = archive
        self._sources = zipfile.ZipFile(io.BytesIO(data))
        self._names = set(self._sources.namelist())

    def find_spec(self, fullname, path=None, target=None):
        """Return the spec of a module that is there."""
        stem = fullname.replace(".", "/")
        for name in (stem + "/__init__.py", stem + ".py"):
            if name in self._names:
                return spec_from_loader(fullname, Module(self._archive, self._sources, name))
        return None


def use(loader):
    """Find modules in the one file, whose loader has loaded __main__."""
    path = f"{loader.archive}/{SOURCES}"
    sys.meta_path.insert(0, Finder(loader.archive, loader.get_data(path)))
