"""Running whole processes and printing what they took, beside a reference.

Owns: starting a process, its wall time, CPU time and peak memory; tables of figures; the virtual environments of references.
Must not know: what is measured.
"""

import contextlib
import fcntl
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / "target" / "bench-venv"

MIB = 1024 * 1024


@dataclass(frozen=True)
class Usage:
    """What one run of a process took."""

    wall: float
    cpu: float
    peak: int  # Bytes. Linux counts the starter's own size at the fork, so `true` has the floor of all figures.


class Failed(Exception):
    """A process did not end well, or the two sides did not do the same work."""


def run(command, env=None, cwd=None, said=None):
    """Runs a process to its end; what it prints is added to the list `said`, and shown only if it fails."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as printed:
        begun = time.perf_counter()
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=printed,
        )
        _, status, resources = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            printed.seek(0)
            last = printed.read().decode(errors="replace")[-4000:]
            raise Failed(f"{' '.join(words[:6])} ended with {process.returncode}:\n{last}")
        if said is not None:
            printed.seek(0)
            said.append(printed.read().decode(errors="replace"))
    return Usage(wall, resources.ru_utime + resources.ru_stime, resources.ru_maxrss * 1024)


def output(command, given):
    """What a process that is not measured prints."""
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(done.stderr[-4000:])
    return done.stdout


def median(usages):
    """The medians of several runs, each figure by itself."""
    return Usage(
        statistics.median(usage.wall for usage in usages),
        statistics.median(usage.cpu for usage in usages),
        int(statistics.median(usage.peak for usage in usages)),
    )


def tool(name, *packages):
    """The folder of programs of a virtual environment that holds the packages; made on first use."""
    folder = VENVS / name
    programs = folder / "bin"
    stamp = folder / "packages.txt"
    if not stamp.exists() or stamp.read_text().split() != list(packages):
        print(f"making {folder} with {', '.join(packages)}", file=sys.stderr)
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text("\n".join(packages))
    return programs


@contextlib.contextmanager
def data_folder(path):
    """The folder of generated data, held alone: two benchmarks at once would spoil each other's figures as well as files."""
    folder = Path(path).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another benchmark works in {folder}: wait for it, or give another --data")
        yield folder


def add_options(parser):
    """The options of each benchmark that makes its own data."""
    parser.add_argument("--mep", default=ROOT / "target" / "release" / "mep", help="the program to measure")
    parser.add_argument("--data", default=ROOT / "target" / "bench-data", help="the folder of generated data")


def mep_binary(path):
    """The program to measure, which is not built here."""
    binary = Path(path).absolute()
    if not binary.is_file():
        sys.exit(f"there is no {binary}: build it with cargo build --release, or give another --mep")
    return binary


def milliseconds(seconds):
    return f"{seconds * 1e3:,.1f} ms"


def seconds(value):
    return f"{value:,.2f} s"


def size(count):
    return f"{count / MIB:,.0f} MiB"


def ratio(value):
    return f"{value:,.2f}"


def print_table(head, rows):
    """A table in Markdown, the first column to the left and the others to the right."""
    cells = [head, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]

    def line(row):
        padded = [cell.ljust(width) if not column else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths))]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if not column else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    print(line(head))
    print(f"| {' | '.join(rule)} |")
    for row in rows:
        print(line(row))


def goal(name, figure, limit, shown):
    """States whether a goal is met; a figure never fails a benchmark."""
    verdict = "met" if figure <= limit else "MISSED"
    print(f"goal: {name} at most {shown(limit)}: {shown(figure)}, {verdict}")
