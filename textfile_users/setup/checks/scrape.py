"""node_exporter's own view of the textfile directory, from its page on the loopback address."""

from __future__ import annotations

import os

from textfile_users.reading.addresses import is_loopback, parse_ip
from textfile_users.record import Record
from textfile_users.setup.checks.child import ChildFailed, in_child
from textfile_users.setup.checks.exporters import ALLOY, EXPORTERS, usable
from textfile_users.setup.checks.link import served_directory
from textfile_users.setup.checks.result import FAULT, NOTE, OK, CheckResult, Host, age
from textfile_users.setup.checks.textfile import max_age
from textfile_users.setup.fixes import edit, has, installed_service, quote, service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 3.0
MAX_BYTES = 64 << 20
BLOCK = 1 << 16
ERROR = "node_textfile_scrape_error"
MTIME = 'node_textfile_mtime_seconds{file="'
FLAG = "--collector.textfile.directory"
FLAGS_FILE = "/etc/default/prometheus-node-exporter"
GLOB = "*?[]-/._,+@="
PAGES = ("/metrics?collect[]=textfile", "/metrics")
REFUSED = "HTTP 400"
HERE = ("", "0.0.0.0", "::", "localhost")  # noqa: S104 - where it listens


class ExporterView(Record):
    """What node_exporter says: ``error`` is why nothing, ``is_closed`` whether it did answer.

    ``scrape_error`` is None where its textfile collector is off; ``mtimes`` are by file.
    """

    error: str = ""
    is_closed: bool = False
    scrape_error: float | None = None
    mtimes: Mapping[str, float] = {}


class Asked(Record):
    """A node_exporter that is asked: its address and process, and the names of our file.

    ``written`` is when the file was, None where it is not there; ``max_age`` how many seconds
    node_exporter's time of it may be another one. ``awaits_scan`` is whether the first scan is
    still to come.
    """

    address: str
    pid: int
    paths: tuple[str, ...]
    is_systemd: bool
    written: float | None = None
    max_age: float = 70.0
    awaits_scan: bool = False


def check_view(host: Host) -> Iterator[CheckResult]:
    """Yield what each node_exporter says of the file."""
    output = host.options.output
    if output in ("", "-"):
        return
    for exporter in usable(host):
        if exporter.config:
            yield CheckResult("scrape", NOTE, f"{ALLOY} is not asked for what it reads")
            continue
        place = parse_listen(exporter.listen)
        if place is None:
            found = f"listens on {exporter.listen}, no loopback address: not asked"
            yield CheckResult("scrape", NOTE, found)
            continue
        view = read_view(*place)
        name = os.path.basename(output)
        directories = exporter.directories or (served_directory(host),)
        links = [os.path.join(directory, name) for directory in directories]
        try:
            written = os.stat(output).st_mtime
        except OSError:
            written = None
        address, names = ":".join(map(str, place)), (output, *links)
        late = max_age(host.interval)
        asked = Asked(address, exporter.pid, names, host.is_systemd, written, late)
        yield judge_view(view, asked._replace(awaits_scan=host.awaits_scan))


def judge_view(view: ExporterView, asked: Asked) -> CheckResult:
    """Return what the view means for the file."""
    restart = service("restart", EXPORTERS, asked.is_systemd)
    flags = f"tr '\\0' ' ' </proc/{asked.pid}/cmdline"
    if view.is_closed:
        return CheckResult("scrape", NOTE, f"{asked.address} does not show its page: {view.error}")
    if view.error:
        return CheckResult("scrape", FAULT, f"{asked.address}: {view.error}", restart)
    if view.scrape_error is None:
        found = f"node_exporter's textfile collector is off: it needs {FLAG}="
        mend = f"{edit(FLAGS_FILE)} && {restart}" if os.path.exists(FLAGS_FILE) else flags
        return CheckResult("scrape", FAULT, found, mend)
    ours = set(map(os.path.realpath, asked.paths))
    times = [at for path, at in view.mtimes.items() if os.path.realpath(path) in ours]
    if view.scrape_error:
        return _judge_error(asked, bool(times))
    if not times and asked.awaits_scan and asked.written is None:
        return CheckResult("scrape", OK, "no scan yet, and node_exporter reads its textfiles")
    if not times:
        found = f"node_exporter does not see {asked.paths[0]}"
        return CheckResult("scrape", FAULT, found, f"{flags}; ls -l {quote(asked.paths[0])}")
    off = asked.written - times[0] if asked.written is not None else 0.0
    if abs(off) > asked.max_age:
        side = "older" if off > 0 else "newer"
        found = f"node_exporter's {asked.paths[0]} is {age(abs(off))} {side} than the one here"
        return CheckResult("scrape", FAULT, found, restart)
    return CheckResult("scrape", OK, "node_exporter takes the file, without an error")


def _judge_error(asked: Asked, is_known: bool) -> CheckResult:
    """Return which file node_exporter cannot take: those that it takes have a time."""
    if not is_known:
        mend = f"promtool check metrics <{quote(asked.paths[0])}"
        return CheckResult("scrape", FAULT, "node_exporter cannot take the file", mend)
    directory = os.path.dirname(asked.paths[-1])
    found = f"node_exporter takes the file, and not all others in {directory}"
    unit = installed_service(EXPORTERS) or EXPORTERS[0]
    log = f"journalctl -u {unit} | grep textfile | tail -n 3"
    # promtool's status is 1 for what is no metric, and 3 for what only has a poor name.
    every = (
        f"for f in {_quote_glob(directory)}/*.prom; do "
        '[ -f "$f" ] && promtool check metrics <"$f" >/dev/null 2>&1; [ $? != 1 ] || ls -dq "$f"; '
        "done"
    )
    is_logged = asked.is_systemd and not has("promtool")
    return CheckResult("scrape", FAULT, found, log if is_logged else every)


def _quote_glob(path: str) -> str:
    """Return a path for a shell in which * ? and [] keep their meaning, as they do in the flag."""
    return "".join(char if char.isalnum() or char in GLOB else "\\" + char for char in path)


def parse_listen(text: str) -> tuple[str, int] | None:
    """Return the loopback address and port that reach ``--web.listen-address``, None for none."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535):
        return None
    if host in HERE:
        return "127.0.0.1", int(port)
    return (host, int(port)) if is_loopback(parse_ip(host)) else None


def parse_page(lines: Iterator[bytes]) -> ExporterView:
    """Return what the lines of a page say of textfiles."""
    scrape_error = None
    mtimes = {}
    for line in lines:
        if not line.startswith(b"node_textfile_"):
            continue
        name, _, value = line.decode("utf-8", "backslashreplace").rpartition(" ")
        try:
            number = float(value)
        except ValueError:
            continue
        if name == ERROR:
            scrape_error = number
        elif name.startswith(MTIME) and name.endswith('"}'):
            mtimes[_unescape(name[len(MTIME) : -2])] = number
    return ExporterView(scrape_error=scrape_error, mtimes=mtimes)


def _unescape(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\")


def read_view(host: str, port: int) -> ExporterView:
    """Ask a node_exporter of this machine for what it says of textfiles.

    A child asks: a byte from time to time would go on for ever, whatever timeout each read has.
    """
    try:
        return ExporterView(*in_child(lambda: list(_read_pages(host, port)), SECONDS))
    except ChildFailed as error:
        return ExporterView(str(error))


def _read_pages(host: str, port: int) -> ExporterView:
    """Read the page of textfiles alone, or the whole one where node_exporter refuses that."""
    view = ExporterView()
    for page in PAGES:
        view = _read_page(host, port, page)
        if view.error != REFUSED:
            break
    return view


def _read_page(host: str, port: int, page: str) -> ExporterView:
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(host, port)
    try:
        connection.request("GET", page)
        answer = connection.getresponse()
        if answer.status != 200:
            return ExporterView(f"HTTP {answer.status}", is_closed=True)
        return parse_page(_lines(iter(lambda: answer.read(BLOCK), b"")))
    except HTTPException as error:
        return ExporterView(f"no HTTP: {type(error).__name__}")
    except OSError as error:
        return ExporterView((error.strerror or str(error)).lower())
    finally:
        connection.close()


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a page. Raises OSError above MAX_BYTES."""
    rest = b""
    size = 0
    for block in blocks:
        size += len(block)
        if size > MAX_BYTES:
            raise OSError(f"no answer of at most {MAX_BYTES} bytes")
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
