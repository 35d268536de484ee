"""What people run by hand: with the settings that the service has, and without harm to it."""

from __future__ import annotations

import os

from textfile_users.console import ERROR, WARNING, say
from textfile_users.options import COLLECT_OPTIONS, WRONG_USAGE, Values, WrongUsage, parse_plain
from textfile_users.parsers import NOBODY_OPTIONS, parse, parse_collect
from textfile_users.paths import Paths
from textfile_users.product import SETTINGS
from textfile_users.reading.files import reason
from textfile_users.setup.service import Service, become, find_account, find_service
from textfile_users.setup.settings import OPTIONS, TEXTFILE_DIRECTORY, read_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textfile_users.run import Options

STDOUT = "-"
# Of the service's options these are of its own runs alone.
OWN = ("repeat", "interval", "verbose", "now", "root")
# What the settings of another root may decide: it may be a container's, whose owner must not
# choose what is read or written here.
OF_OTHER_ROOTS = ("auth_source", "exclude_user", "ssh_port", "network", "session_command")
ENVIRONMENT_OF_OTHER_ROOTS = ("EXCLUDE_USERS", "SSH_PORTS")
DIRECTORIES = ("state_directory", "runtime_directory")
FILES = ("utmp", "wtmp", "btmp", "textfile_directory", "runtime_directory")


def parse_by_hand(command: str, argv: list[str]) -> Values:
    """Return the values of a command's arguments, added to those that the service is given."""
    given = parse(command, argv)
    return parse(command, argv, _without(service_values(given.root)[0], OWN))


def parse_for_nobody(argv: list[str], root: str) -> Values:
    """Return the values of nobody's arguments, added to what the service of ``root`` is given.

    Raises WrongUsage for a mistake in the settings: they may say where somebody is to be seen.
    """
    by_settings, is_faulty = service_values(root)
    if is_faulty:
        raise WrongUsage("not known whether anyone is on: the settings have a mistake")
    start = _without(by_settings, OWN)
    return parse_plain(argv, NOBODY_OPTIONS, start) or parse("nobody", argv, start)


def parse_for_doctor(argv: list[str]) -> Values:
    """Return the values of doctor's arguments, added to all that the service is given.

    Faults of the settings are not said: doctor has a check of them.
    """
    given = parse("doctor", argv)
    values, _ = service_values(given.root, says_faults=False)
    service = _find_service(values) if given.root == "/" else None
    if service:
        values = _changed(values, state_directory=service.state, runtime_directory=service.runtime)
    return parse("doctor", argv, values)


def service_values(root: str, *, says_faults: bool = True) -> tuple[Values, bool]:
    """Return what the settings of the host below ``root`` make of the options of `collect`.

    What they say of variables is put into the environment, unless it has them. What is faulty
    does not count; the second value is whether anything is.
    """
    paths = Paths(root)
    values, faults = read_settings(paths)
    for fault in faults if says_faults else ():
        say(WARNING, f"{paths.below(SETTINGS)}: {fault}")
    options = parse_collect(values.pop(OPTIONS, "").split())
    if not paths.is_own_host:
        values = {name: values[name] for name in ENVIRONMENT_OF_OTHER_ROOTS if name in values}
        names = [option.name for option in COLLECT_OPTIONS]
        options = _without(options, [name for name in names if name not in OF_OTHER_ROOTS])
    for name, value in values.items():
        os.environ.setdefault(name, value)
    return options, bool(faults)


def collect_by_hand(argv: list[str], options_of: Callable[[Values], Options]) -> int:
    """Scan as `collect` does; root's run leaves the service's file and state the service's."""
    from textfile_users.run import collect

    given = parse_collect(argv)
    directory = os.environ.pop(TEXTFILE_DIRECTORY, "")  # the caller's, not the service's
    by_settings, is_faulty = service_values(given.root)
    service = _find_service(by_settings)
    output = options_of(by_settings).output
    if directory:
        os.environ[TEXTFILE_DIRECTORY] = directory
    if given.textfile_directory:  # it comes before what the settings say of the file
        by_settings = _without(by_settings, ("output",))
    values = parse("collect", argv, _without(by_settings, (*OWN, *DIRECTORIES)))
    options = options_of(values)
    uid, service_ids = os.geteuid(), _ids_of(service.user) if service else (-1, -1)
    if service and _is_same(options.output, output):
        if is_faulty:  # it may be what is to be hidden that is not known
            say(ERROR, f"{output}: not written: it is the service's, whose settings have a mistake")
            return WRONG_USAGE
        if uid not in (0, service_ids[0]) and not os.access(os.path.dirname(output), os.W_OK):
            say(ERROR, f"{output}: not written: it is the service's; use sudo, or give --output")
            return 1
        options = options._replace(heir=service_ids)
    if given.state_directory or not (uid == 0 or (service and uid == service_ids[0])):
        return collect(options)
    if uid == 0 and _only_looks(options, output, service):
        return collect(_of_service(options, service)._replace(saves=False, says_all=True))
    if service and uid == 0:
        options = options_of(_absolute(values))._replace(output=output)
        if not _give_up_root(service):
            return 1
    return collect(_of_service(options, service))


def _find_service(by_settings: Values) -> Service | None:
    """Return the service of this host; OPTIONS may name other directories than unit and crontab."""
    service = find_service()
    return service and service._replace(
        state=by_settings.state_directory or service.state,
        runtime=by_settings.runtime_directory or service.runtime,
    )


def _changed(values: Values, **changes: object) -> Values:
    found = Values()
    vars(found).update(vars(values), **changes)
    return found


def _without(values: Values, names: Iterable[str]) -> Values:
    """Return the values with those of ``names`` as they are where nothing is given."""
    defaults = parse_collect([])
    return _changed(values, **{name: getattr(defaults, name) for name in names})


def _only_looks(options: Options, service_output: str, service: Service | None) -> bool:
    """Return whether root's run neither writes the service's file nor has a state of its own."""
    if options.output == STDOUT or not options.paths.is_own_host:
        return True
    return service is not None and not _is_same(options.output, service_output)


def _is_same(output: str, service_output: str) -> bool:
    if output == service_output or STDOUT in (output, service_output):
        return output == service_output
    return os.path.realpath(_whole(output)) == os.path.realpath(service_output)


def _of_service(options: Options, service: Service | None) -> Options:
    if not service:
        return options
    return options._replace(
        state_directory=service.state, runtime_directory=service.runtime, says_all=True
    )


def _absolute(values: Values) -> Values:
    """Return the values with whole paths: the directory that they are relative to is left."""
    paths = {name: getattr(values, name) for name in FILES}
    whole = {name: path and _whole(path) for name, path in paths.items()}
    return _changed(values, auth_log=[_whole(path) for path in values.auth_log], **whole)


def _whole(path: str) -> str:
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise WrongUsage(f"{path}: the current directory is gone; give the whole path") from None


def _ids_of(user: str) -> tuple[int, int]:
    """Return uid and gid of a user, -1 for one who is not there."""
    try:
        account = find_account(user)
    except KeyError:
        return -1, -1
    return account.pw_uid, account.pw_gid


def _give_up_root(service: Service) -> bool:
    """Become the service's user; say why and return False where that cannot be."""
    try:
        become(service.user)
    except KeyError:
        why = "there is no such user; run: textfile-users install"
    except (OSError, ImportError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
    else:
        try:
            os.listdir(os.path.dirname(os.path.abspath(__file__)))
        except OSError:
            why = "that user cannot read this program: run the installed one"
        else:
            return True
    say(ERROR, f"not run as the service's user {service.user}: {why}")
    return False
