"""What Python 3.6 to 3.8 lack, for the modules that rewrite.py makes, which import this.

Each is what a newer Python has, as far as the program uses it. Python 3.6 reads this file.
"""

import os
import sys

HAS_3_7 = sys.version_info >= (3, 7)
HAS_3_8 = sys.version_info >= (3, 8)
UTF_8 = "C.UTF-8"
Protocol = object


class _Type:
    """A type that is written with what it holds."""

    def __getitem__(self, held):
        return object


Literal = _Type()


def argv():
    """Return the command line; have it and the streams in UTF-8 where the locale is C's.

    So Python does from 3.7 on (PEP 538, PEP 540), and cron and units set no locale. What 3.6 has
    read in ASCII by then it reads again: the program is started anew, if need be.
    """
    if HAS_3_7 or sys.getfilesystemencoding() != "ascii":
        return sys.argv
    if any(max(word, default="") > "\x7f" for word in sys.argv):
        _restart()
    for name, errors in (("stdout", "surrogateescape"), ("stderr", "backslashreplace")):
        _reopen(name, "utf-8", errors)
    return sys.argv


def _restart():
    """Run the same command in a UTF-8 locale; return where that is tried, or cannot be."""
    if os.environ.get("LC_ALL") == UTF_8:
        return
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")[:-1]
        os.execve(sys.executable, words, {**os.environ, "LC_ALL": UTF_8})
    except OSError:
        return


def _reopen(name, encoding, errors):
    """Write the stream sys.``name`` in another way; the old one is kept, or it would close."""
    stream = getattr(sys, name)
    if stream is not None:
        from io import TextIOWrapper

        stream.flush()
        is_by_line = stream.line_buffering
        _streams.append(stream)
        new = TextIOWrapper(stream.buffer, encoding, errors, line_buffering=is_by_line)
        setattr(sys, name, new)


_streams = []


def reconfigure(stream, errors):
    """Do what TextIOWrapper.reconfigure does, of 3.7, with sys.stdout."""
    if HAS_3_7:
        stream.reconfigure(errors=errors)
    elif stream is sys.stdout:
        _reopen("stdout", stream.encoding, errors)


def isascii(text):
    """Return whether all of a text, or of bytes, is ASCII; a method from 3.7 on."""
    if HAS_3_7:
        return text.isascii()
    try:
        text.encode("ascii") if isinstance(text, str) else text.decode("ascii")
    except UnicodeError:
        return False
    return True


def removeprefix(text, prefix):
    """Return ``text`` without ``prefix``; a method from 3.9 on."""
    return text[len(prefix) :] if text.startswith(prefix) else text


def removesuffix(text, suffix):
    """Return ``text`` without ``suffix``; a method from 3.9 on."""
    return text[: len(text) - len(suffix)] if text.endswith(suffix) else text


def reversed_(values):
    """Return what goes through ``values`` backwards: through a dict from 3.8 on."""
    return reversed(list(values) if isinstance(values, dict) else values)


def call_getattr(name):
    """Have a module's __getattr__ called for what it lacks (PEP 562, from 3.7 on)."""
    if HAS_3_7:
        return
    module = sys.modules[name]

    class Module(type(module)):
        def __getattr__(self, attribute):
            return vars(self)["__getattr__"](attribute)

    module.__class__ = Module


if HAS_3_7:
    fork, register_at_fork = os.fork, os.register_at_fork
else:
    _in_children = []

    def register_at_fork(after_in_child):
        """Have a function called in each child that fork() makes."""
        _in_children.append(after_in_child)

    def fork():
        """Fork, and have the child call what was registered."""
        pid = os.fork()
        if not pid:
            for function in _in_children:
                function()
        return pid


if HAS_3_8:
    posix_spawnp = os.posix_spawnp
    POSIX_SPAWN_OPEN, POSIX_SPAWN_DUP2 = os.POSIX_SPAWN_OPEN, os.POSIX_SPAWN_DUP2
else:
    POSIX_SPAWN_OPEN, POSIX_SPAWN_DUP2 = "open", "dup2"

    def posix_spawnp(path, argv, env, file_actions):
        """Start a program of $PATH and return its pid. Raises OSError where that cannot be."""
        error, error_end = os.pipe()  # a program that starts closes it
        pid = os.fork()
        if not pid:
            _be_spawned(path, argv, env, file_actions, error_end)
        os.close(error_end)
        number = os.read(error, 16)
        os.close(error)
        if number:
            os.waitpid(pid, 0)
            raise OSError(int(number), os.strerror(int(number)), path)
        return pid


def _be_spawned(path, argv, env, file_actions, error_end):
    try:
        for kind, descriptor, *rest in file_actions:
            if kind == POSIX_SPAWN_OPEN:
                os.dup2(os.open(*rest), descriptor)
            else:
                os.dup2(descriptor, *rest)
        os.execvpe(path, argv, env)
    except OSError as fault:
        os.write(error_end, b"%d" % fault.errno)
    finally:
        os._exit(127)


def argument_parser():
    """Return argparse.ArgumentParser, with `-vv` for `-v -v` also where nothing is abbreviated."""
    import argparse

    if HAS_3_8:
        return argparse.ArgumentParser

    class ArgumentParser(argparse.ArgumentParser):
        def __init__(self, *args, allow_abbrev=True, **named):
            super().__init__(*args, **named)
            self._has_abbreviations = allow_abbrev

        def _get_option_tuples(self, option_string):
            if option_string.startswith("--") and not self._has_abbreviations:
                return []
            return super()._get_option_tuples(option_string)

    return ArgumentParser


def waitstatus_to_exitcode(status):
    """Return the exit status of a process that has ended, -N for signal N."""
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def shlex_join(words):
    """Return words as a shell takes them."""
    import shlex

    return " ".join(map(shlex.quote, words))


def subprocess_run(*args, capture_output=False, **named):
    """Run a command, as subprocess.run does."""
    import subprocess

    if capture_output:
        named.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ids = {name: named.pop(name) for name in ("extra_groups", "group", "user") if name in named}
    if ids:
        named["preexec_fn"] = lambda: _become(**ids)
    if "text" in named:
        named["universal_newlines"] = named.pop("text")
    try:
        return subprocess.run(*args, **named)
    except OSError as error:  # whose words name the file twice in 3.6
        raise type(error)(error.errno, os.strerror(error.errno), error.filename) from None


def _become(extra_groups=None, group=None, user=None):
    """Take these ids for good, as subprocess has it from 3.9 on; numbers alone."""
    if extra_groups is not None:
        os.setgroups(extra_groups)
    if group is not None:
        os.setregid(group, group)
    if user is not None:
        os.setreuid(user, user)


class PycInvalidationMode:
    """The modes of py_compile by their names; 3.6 has but one, and no name for it."""

    TIMESTAMP = "TIMESTAMP"


def compile_dir(directory, invalidation_mode=None, **named):
    """Compile a directory's modules, as compileall.compile_dir does."""
    import compileall
    import py_compile

    if HAS_3_7 and invalidation_mode is not None:
        named["invalidation_mode"] = getattr(py_compile.PycInvalidationMode, invalidation_mode)
    return compileall.compile_dir(directory, **named)
