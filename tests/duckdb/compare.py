"""Runs random queries in mep and in DuckDB and compares the rows.

    compare.py MEP FOLDER FIRST COUNT

All queries are models of one project, so that mep compiles and runs once. What mep refuses at compile time is counted, and named with `--refused`;
what compiles and fails in the run, and what gives other rows than DuckDB, ends with exit code 1.
"""

import collections
import datetime
import decimal
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

import duckdb

import queries

# Not a file of SQL: those below tests/ are tests of the bundled project.
TABLE = """select
    cast(column1 as integer) as id,
    cast(column2 as integer) as i,
    cast(column3 as integer) as k,
    cast(column4 as bigint) as b,
    cast(column5 as double) as d,
    cast(column6 as decimal(10,2)) as m,
    cast(column7 as decimal(18,4)) as w,
    cast(column8 as varchar) as t,
    cast(column9 as varchar) as g,
    cast(column10 as boolean) as f,
    cast(column11 as date) as day,
    cast(column12 as timestamp) as ts
from (values
    @rows@
) as v
"""


def rows_of(seed):
    r = random.Random(seed)
    maybe = lambda *of: "null" if r.random() < 0.15 else r.choice(of)
    made = []
    for n in range(1, r.randint(9, 16)):
        made.append([
            str(n),
            maybe("0", "1", "2", "-7", "40", "3"),
            maybe("1", "2", "3", "4"),
            maybe("0", "5", "-3000000000", "4000000000000", "7"),
            maybe("cast(0.5 as double)", "cast(-0.0 as double)", "cast(0 as double)", "cast(2.5 as double)", "cast('nan' as double)", "cast('inf' as double)", "cast('-inf' as double)", "cast(-3 as double)", "cast(12345.678 as double)"),
            maybe("0", "1.50", "-12.34", "99.99", "0.05"),
            maybe("1.5", "-0.0001", "1000.1234", "99.99", "0"),
            maybe("''", "'a'", "'ab'", "'aab_b'", "'B'", "'é'", "'x_y'", "' pad '", "'日本語'", "'100%'", "'it''s'", "'back\\slash'", "'Ab'", "'é'"),
            maybe("'a'", "'b'", "'c'"),
            maybe("true", "false"),
            maybe("date '2020-02-29'", "date '2020-03-01'", "date '1969-12-31'", "date '2021-01-03'", "date '9999-12-31'", "date '0001-01-01'"),
            maybe("timestamp '2020-02-29 00:00:00'", "timestamp '2020-02-29 23:59:59.999999'", "timestamp '1969-12-31 23:59:59.5'", "timestamp '2262-04-12 00:00:00'", "timestamp '1500-06-15 12:00:00'", "timestamp '2020-03-01 10:00:00'"),
        ])
    return ",\n    ".join(f"({', '.join(row)})" for row in made)


def project(folder, seed, chosen):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: q\nprofile: q\n")
    (folder / "profiles.yml").write_text("q:\n  target: dev\n  outputs:\n    dev: {type: local, path: warehouse, schema: main, threads: 2}\n")
    for n, name in enumerate("abc"):
        text = "{{ config(materialized='table') }}\n" + TABLE.replace("@rows@", rows_of(seed * 10 + n))
        (folder / f"models/base_{name}.sql").write_text(text)
    for name, sql in chosen.items():
        model(folder, name).write_text("{{ config(materialized='table') }}\n" + in_mep(sql) + "\n")


def model(folder, name):
    return folder / f"models/{name}.sql"


def in_mep(sql):
    return re.sub("@([abc])@", lambda m: "{{ ref('base_%s') }}" % m.group(1), queries.words(sql, 0))


def in_duckdb(sql):
    return re.sub("@([abc])@", r"base_\1", queries.words(sql, 1))


def mep(program, folder, *arguments):
    environment = {**os.environ, "NO_COLOR": "1", "MEP_LOG": "error"}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def compiled(program, folder, chosen):
    """Leaves only what compiles; gives what was refused, with its words."""
    refused = {}
    while True:
        done = mep(program, folder, "compile")
        if done.returncode == 0:
            return refused
        words = done.stdout + done.stderr
        found = False
        for name in set(re.findall(r"models/(q\d+)\.sql", words)):
            if name in chosen and name not in refused:
                part = next((p for p in re.split(r"\n\s*\n", words) if f"models/{name}.sql" in p), words[:2000])
                refused[name] = part
                model(folder, name).unlink()
                found = True
        if not found:
            sys.exit(f"mep compile failed:\n{words}")


def published(folder, name):
    table = folder / "warehouse/main" / name
    manifest = json.loads((table / "manifest.json").read_text())
    return [str(table / file) for file in files_of(manifest)]


def files_of(node):
    if isinstance(node, dict):
        for value in node.values():
            yield from files_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from files_of(value)
    elif isinstance(node, str) and node.endswith(".parquet"):
        yield node


def value(one):
    """A value as it compares: numbers by what they are, whatever their types."""
    if one is None or isinstance(one, (bool, str)):
        return one
    if isinstance(one, int):
        return ("number", decimal.Decimal(one))
    if isinstance(one, decimal.Decimal):
        return ("number", one.normalize() if one else decimal.Decimal(0))
    if isinstance(one, float):
        return ("float", one)
    if isinstance(one, datetime.datetime):
        return ("time", one)
    if isinstance(one, datetime.date):
        return ("time", datetime.datetime(one.year, one.month, one.day))
    if isinstance(one, datetime.timedelta):
        return ("span", one)
    if isinstance(one, list):
        return [value(item) for item in one]
    return str(one)


def same(a, b):
    if isinstance(a, tuple) and isinstance(b, tuple) and "float" in (a[0], b[0]) and {a[0], b[0]} <= {"float", "number"}:
        x, y = float(a[1]), float(b[1])
        if math.isnan(x) or math.isnan(y):
            return math.isnan(x) and math.isnan(y)
        return x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, tuple) and isinstance(b, tuple):
        return a[0] == b[0] and a[1] == b[1]
    return type(a) is type(b) and a == b


def order(row):
    def key(one):
        if isinstance(one, tuple) and one[0] in ("float", "number"):
            x = float(one[1])
            return ("n", "nan" if math.isnan(x) else f"{x + 0.0:.6e}".replace("-0.000000e+00", "0.000000e+00"))
        return (type(one).__name__, repr(one))

    return [key(one) for one in row]


def difference(ours, theirs):
    """Whether the rows are the same, in whatever order."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows, DuckDB has {len(theirs)}"
    left = sorted(([value(one) for one in row] for row in ours), key=order)
    right = sorted(([value(one) for one in row] for row in theirs), key=order)
    for mine, other in zip(left, right):
        if len(mine) != len(other):
            return "another number of columns"
        if not all(same(a, b) for a, b in zip(mine, other)):
            # Floats on a border of rounding may be sorted otherwise: look for the row elsewhere.
            rest = list(right)
            for row in left:
                at = next((n for n, found in enumerate(rest) if all(same(a, b) for a, b in zip(row, found))), None)
                if at is None:
                    return f"mep has {show(row)}\n    DuckDB has {[show(one) for one in rest][:3]}"
                rest.pop(at)
            return None
    return None


def show(row):
    return [str(one[1]) if isinstance(one, tuple) else one for one in row]


def fails_as_written(reference, sql):
    """Whether DuckDB fails too where it does not compute with constants first: it makes `max + 7 <> 1` to `max <> -6`."""
    reference.execute("pragma disable_optimizer")
    try:
        reference.execute(in_duckdb(sql)).fetchall()
        return False
    except duckdb.Error as error:
        return "overflow" in str(error).lower()
    finally:
        reference.execute("pragma enable_optimizer")


def main():
    arguments = [one for one in sys.argv[1:] if not one.startswith("--")]
    program, folder, first, count = arguments[0], pathlib.Path(arguments[1]), int(arguments[2]), int(arguments[3])
    chosen = {f"q{seed}": queries.query(seed) for seed in range(first, first + count)}
    project(folder, first, chosen)
    refused = compiled(program, folder, chosen)
    done = mep(program, folder, "run")
    results = json.loads((folder / "target/run_results.json").read_text())["results"]
    failed = {one["unique_id"].split(".")[-1]: one["message"] for one in results if one["status"] not in ("success", "pass")}
    if done.returncode not in (0, 1):
        print(f"mep run: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    reference = duckdb.connect(config={"threads": 1})
    reference.execute("set enable_progress_bar = false")
    for name in "abc":
        reference.execute(f"create table base_{name} as select * from read_parquet({published(folder, 'base_' + name)})")
    counts = collections.Counter()
    problems = []
    for name, sql in chosen.items():
        theirs = error = None
        try:
            theirs = reference.execute(in_duckdb(sql)).fetchall()
        except Exception as raised:  # What DuckDB says is compared, whatever it is.
            error = str(raised)
        if name in refused:
            counts["refused" if error is None else "refused by both"] += 1
            if "--refused" in sys.argv and error is None:
                print(f"-- {name}: refused\n{refused[name]}")
            continue
        if name in failed:
            if error is None and failed[name].startswith("bigint overflow: a sum is "):
                counts["sums past 64 bits"] += 1
            elif error is None and fails_as_written(reference, sql):
                counts["failed in both as written"] += 1
            elif error is None:
                problems.append((name, f"compiled and failed in the run: {failed[name]}"))
                counts["failed"] += 1
            else:
                counts["failed in both"] += 1
            continue
        if error is not None:
            counts["failed in DuckDB"] += 1
            if "--failed" in sys.argv:
                print(f"-- {name}: DuckDB: {error.splitlines()[0]}\n   {in_duckdb(sql)}")
            continue
        if name not in {one["unique_id"].split(".")[-1] for one in results}:
            problems.append((name, "was not run"))
            continue
        files = published(folder, name)
        ours = reference.execute(f"select * from read_parquet({files})").fetchall() if files else []
        found = difference(ours, theirs)
        counts["same" if found is None else "different"] += 1
        if found:
            problems.append((name, found))
    for name, found in problems:
        print(f"-- {name}: {found}\n   {in_duckdb(chosen[name])}\n")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
