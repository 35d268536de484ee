"""node_exporter's own view of the textfile directory, from its page on the loopback address."""

from __future__ import annotations

import os
import time

from textfile_users.checks.finding import FAULT, NOTE, OK, Finding, Host, quote
from textfile_users.checks.textfile import usable
from textfile_users.record import Record
from textfile_users.sources.text import is_loopback, parse_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 3.0
MAX_BYTES = 64 << 20
BLOCK = 1 << 16
ERROR = "node_textfile_scrape_error"
MTIME = 'node_textfile_mtime_seconds{file="'
FLAG = "--collector.textfile.directory"
HERE = ("", "0.0.0.0", "::", "localhost")  # noqa: S104 - where it listens


class View(Record):
    """What node_exporter says: ``error`` is why nothing, ``is_closed`` whether it did answer.

    ``scrape_error`` is None where its textfile collector is off; ``mtimes`` are by file.
    """

    error: str = ""
    is_closed: bool = False
    scrape_error: float | None = None
    mtimes: Mapping[str, float] = {}


def check_view(host: Host) -> Iterator[Finding]:
    """Yield what each node_exporter says of the file."""
    if host.options.output in ("", "-"):
        return
    for exporter in usable(host):
        place = parse_listen(exporter.listen)
        if place is None:
            found = f"listens on {exporter.listen}, no loopback address: not asked"
            yield Finding("scrape", NOTE, found)
            continue
        view = read_view(*place)
        output = host.options.output
        name = os.path.basename(output)
        links = [os.path.join(directory, name) for directory in exporter.directories]
        yield judge_view(view, ":".join(map(str, place)), [output, *links], host.is_systemd)


def judge_view(view: View, address: str, paths: list[str], is_systemd: bool) -> Finding:
    """Return what the view means for the file, which has the names ``paths``."""
    directory = os.path.dirname(paths[-1])
    log = "journalctl -u prometheus-node-exporter | grep textfile | tail -n 3"
    if view.is_closed:
        return Finding("scrape", NOTE, f"{address} does not show its page: {view.error}")
    if view.error:
        mend = "systemctl" if is_systemd else "service"
        words = ("restart", "prometheus-node-exporter")
        mend = " ".join((mend, *(words if is_systemd else reversed(words))))
        return Finding("scrape", FAULT, f"{address}: {view.error}", mend)
    if view.scrape_error is None:
        found = "node_exporter's textfile collector is off"
        mend = f"echo 'ARGS=\"{FLAG}={directory}\"' >>/etc/default/prometheus-node-exporter"
        return Finding("scrape", FAULT, found, mend)
    known = any(os.path.realpath(path) in map(os.path.realpath, view.mtimes) for path in paths)
    if view.scrape_error and not known:
        mend = f"promtool check metrics <{quote(paths[0])}"
        return Finding("scrape", FAULT, "node_exporter cannot take the file", mend)
    if view.scrape_error:
        found = f"node_exporter takes the file, and not all others in {directory}"
        every = f"for f in {quote(directory)}/*.prom; do promtool check metrics <$f; done"
        return Finding("scrape", FAULT, found, log if is_systemd else every)
    if not known:
        found = f"node_exporter does not see {paths[0]}"
        mend = f"tr '\\0' ' ' </proc/$(pgrep -o node.exporter)/cmdline; ls -l {quote(paths[0])}"
        return Finding("scrape", FAULT, found, mend)
    return Finding("scrape", OK, "node_exporter takes the file, without an error")


def parse_listen(text: str) -> tuple[str, int] | None:
    """Return the loopback address and port that reach ``--web.listen-address``, None for none."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65_535):
        return None
    if host in HERE:
        return "127.0.0.1", int(port)
    return (host, int(port)) if is_loopback(parse_ip(host)) else None


def parse_page(lines: Iterator[bytes]) -> View:
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
    return View(scrape_error=scrape_error, mtimes=mtimes)


def _unescape(text: str) -> str:
    return text.replace('\\"', '"').replace("\\\\", "\\")


def read_view(host: str, port: int) -> View:
    """Ask a node_exporter of this machine for its page."""
    from http.client import HTTPConnection, HTTPException

    end = time.monotonic() + SECONDS
    connection = HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        if answer.status != 200:
            return View(f"HTTP {answer.status}", is_closed=True)
        return parse_page(_lines(iter(lambda: answer.read(BLOCK), b""), end))
    except TimeoutError:
        return View(f"no answer within {SECONDS:g} s")
    except HTTPException as error:
        return View(f"no HTTP: {type(error).__name__}")
    except OSError as error:
        return View((error.strerror or str(error)).lower())
    finally:
        connection.close()


def _lines(blocks: Iterator[bytes], end: float) -> Iterator[bytes]:
    """Yield the lines of at most MAX_BYTES. Raises TimeoutError at the time ``end``."""
    rest = b""
    size = 0
    for block in blocks:
        size += len(block)
        if time.monotonic() > end or size > MAX_BYTES:
            raise TimeoutError
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
