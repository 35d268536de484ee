"""Compares what other exporters serve with the set of this program that stands for each."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

SETS = ("what", "unix-user", "ssh", "user-sessions", "ssh-sessions")
WAIT_SECONDS = 60.0  # until an exporter has polled for the first time
SAME = 0.05  # what moves between two readings may differ by this part
MOVING = ("idle", "jcpu", "pcpu")  # labels of ssh_session_info that change all the time
OF_PROCESSES = ("process_", "python_", "go_", "promhttp_", "nodejs_")  # of an exporter's own

# Values by the name of a sample and its labels.
Samples = dict[str, float]


def samples(text: str) -> Samples:
    """Return the samples of a page, without those of the exporter's own process."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: text for name, text in sample.labels.items() if name not in MOVING}
            shown = ",".join(f'{name}="{text}"' for name, text in sorted(labels.items()))
            if not sample.name.startswith(OF_PROCESSES) and not sample.name.endswith("_created"):
                found[f"{sample.name}{{{shown}}}" if shown else sample.name] = sample.value
    return found


def differing(theirs: Samples, ours: Samples) -> list[tuple[str, str, str]]:
    """Return (sample, theirs, ours) where these differ, ``-`` for none."""
    rows = []
    for name in sorted({*theirs, *ours}):
        one, other = theirs.get(name), ours.get(name)
        if one is None or other is None or abs(one - other) > SAME * max(abs(one), abs(other)):
            rows.append((name, _shown(one), _shown(other)))
    return rows


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def serve(program: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start an exporter, which gets its port as $1 and $PORT, and return it and its page."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = str(sock.getsockname()[1])
    process = subprocess.Popen(
        [program, port], env={**os.environ, "PORT": port}, start_new_session=True
    )
    return process, f"http://127.0.0.1:{port}/metrics"


def fetch(url: str, process: subprocess.Popen[bytes]) -> str:
    """Return the page once there is one. Raises OSError where none comes."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=WAIT_SECONDS) as page:
                return str(page.read().decode("utf-8", "replace"))
        except (urllib.error.URLError, ConnectionError) as error:
            if process.poll() is not None or time.monotonic() > end:
                raise OSError(f"{url}: nothing is served there: {error}") from None
        time.sleep(0.5)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End what was started, with the children that it has not ended itself."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def own_page(name: str, directory: str, *more: str) -> str:
    """Return what this program writes for a set; a second scan has CPU ratios."""
    command = [
        sys.executable, "-I", "-c", "from textfile_users.__main__ import run; run()",
        "--metrics", name, "--output", "-", "--state-directory", directory, "--timeout", "60",
        *more,
    ]  # fmt: skip
    for _ in range(2):
        page = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        time.sleep(1)
    return page


def compare(program: str) -> list[tuple[str, str, str]]:
    """Return the rows of one exporter, whose file is named as a set."""
    name = os.path.basename(program)
    process, url = serve(program)
    try:
        first = fetch(url, process)
        # The second version of the exporter of `what` has no prefix.
        more = ("--metrics-prefix", "") if "\nuser_sessions_currently_active{" in first else ()
        with tempfile.TemporaryDirectory() as directory:
            page = own_page(name, directory, *more)
            theirs = samples(fetch(url, process))
    finally:
        stop(process)
    return differing(theirs, samples(page))


def main(directory: str) -> int:
    """Print a table for each exporter in ``directory``; return 1 where one is not served."""
    programs = [path for name in SETS if os.access(path := f"{directory}/{name}", os.X_OK)]
    if not programs:
        print(f"{directory}: no executable of {', '.join(SETS)}", file=sys.stderr)
        return 2
    status = 0
    for program in programs:
        print(f"## {os.path.basename(program)}\n", flush=True)
        try:
            rows = compare(program)
        except OSError as error:
            print(f"{program}: {error}", file=sys.stderr)
            status = 1
            continue
        print("| sample | theirs | ours |\n|---|---|---|")
        for row in rows or [("none differs", "", "")]:
            print(f"| {' | '.join(row)} |")
        print(flush=True)
    return status


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
