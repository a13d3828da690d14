#!/usr/bin/env python3
"""The docs of many models: how long `mep docs generate` takes, how large the page is, and how long a browser takes to open it.

The project is that of many_models.py, as tables, built once so that the page holds a ledger and the results of the tests. The browser is Debian's Chromium without a
window, which tests/browser/prepare installs. References: `mep compile` of the same project, and an empty page in the same browser.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys

import many_models
import measured
from measured import Failed, milliseconds, print_table, ratio, size

BROWSER = measured.ROOT / "tests/browser"
OPENS_IN = 1.5
MOST_BYTES = 5_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mep", default=measured.ROOT / "target/release/mep", help="the program (default: target/release/mep)")
    parser.add_argument("--models", type=int, default=2_000, help="how many models (default: 2,000)")
    parser.add_argument("--runs", type=int, default=7, help="how often each is measured (default: 7)")
    parser.add_argument("--data", default=measured.ROOT / "target/bench-data", help="for the project (default: target/bench-data)")
    parser.add_argument("--keep", action="store_true", help="leave the project where it is")
    arguments = parser.parse_args()
    binary = measured.mep_binary(arguments.mep)
    subprocess.run([BROWSER / "prepare"], check=True)
    with measured.data_folder(arguments.data) as data:
        project = data / "docs"
        shutil.rmtree(project, ignore_errors=True)
        many_models.generate(project, arguments.models, "table")
        try:
            measure(binary, project, arguments)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        if not arguments.keep:
            shutil.rmtree(project)


def measure(binary, project, arguments):
    mep = [binary, "--project-dir", project, "--quiet"]
    measured.run([*mep, "build"])
    page, empty = project / "docs.html", project / "empty.html"
    empty.write_text('<!doctype html><html data-ready="true"><title>empty</title>', encoding="utf-8")
    compiles, generates = [], []
    for _ in range(arguments.runs):
        compiles.append(measured.run([*mep, "compile"]))
        # compile leaves the results of the build as they are.
        generates.append(measured.run([*mep, "docs", "generate", "--output", page]))
    compiled, generated = measured.median(compiles), measured.median(generates)
    nothing = opened(empty, arguments.runs)
    last = f"#/model/model_{min(many_models.LAYERS, arguments.models) - 1:02}_{arguments.models - 1:04}"
    views = {"overview": "", "lineage": "#/lineage", "a table's page": last}
    rows = [
        ["mep compile", milliseconds(compiled.wall), size(compiled.peak), ""],
        ["mep docs generate", milliseconds(generated.wall), size(generated.peak), f"{ratio(generated.wall / compiled.wall)} x mep compile"],
        ["an empty page", milliseconds(nothing), "", ""],
    ]
    times = {view: opened(page, arguments.runs, place) for view, place in views.items()}
    rows += [[f"opening: {view}", milliseconds(took), "", f"{ratio(took / nothing)} x an empty page"] for view, took in times.items()]
    print(f"{arguments.models:,} tables, {3 * arguments.models:,} tests: a page of {kilobytes(page.stat().st_size)}\n")
    print_table(["what", "wall", "peak memory", "ratio"], rows)
    print()
    measured.goal("opening", max(times.values()), OPENS_IN, milliseconds)
    measured.goal("size", page.stat().st_size, MOST_BYTES, kilobytes)


def kilobytes(number):
    return f"{number / 1e3:,.0f} kB"


def opened(page, runs, place=""):
    """The median of the seconds that a fresh browser takes to open the page."""
    printed = measured.output(["node", BROWSER / "open.mjs", page, str(runs), place], "")
    return statistics.median(json.loads(printed)) / 1000


if __name__ == "__main__":
    main()
