"""Runs random queries in mep while their tables change, and compares what each run leaves with what DuckDB makes of all rows.

    increments.py MEP FOLDER CASES

CASES is a JSON file: `queries` are the SELECTs by name, over the tables of the schema `m` that `tables` says the columns of. `rounds` are what the files
of these tables hold, one state after the other. All queries are models of one project, which is run in each round; all that mep can keep by key, it is
asked to keep by key. DuckDB reads the rows of the round from CASES, not from what mep has landed.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import sys

import compare
import duckdb

# Milliseconds of a day, and of the first one: rows of a file lie in some days.
DAY = 86_400_000
FIRST = 1_541_030_400_000
DAYS = 3


def project(folder, tables, chosen):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: q\nprofile: q\n")
    (folder / "profiles.yml").write_text(
        "q:\n  target: dev\n  outputs:\n    dev:\n      {type: local, path: warehouse, schema: main, threads: 2, sources: {m: {type: files, path: events}}}\n"
    )
    sources = {
        "sources": [
            {
                "name": "m",
                "tables": [
                    {
                        "name": table,
                        "event_time": "ts",
                        "columns": [
                            {"name": "ts", "data_type": "bigint"},
                            {"name": columns[0], "data_type": "bigint"},
                            {"name": columns[1], "data_type": "bigint"},
                            {"name": columns[2], "data_type": "double"},
                        ],
                    }
                    for table, columns in tables.items()
                ],
            }
        ]
    }
    (folder / "sources.yml").write_text(json.dumps(sources))
    for name, sql in chosen.items():
        sql = re.sub(r"\bm\.(\w+)", r"{{ source('m', '\1') }}", sql)
        compare.model(folder, name).write_text("{{ config(materialized='table') }}\n" + sql + "\n")


def write(folder, tables, files):
    """Writes the files of a round that are not as they were."""
    for table, of_table in files.items():
        columns = tables[table]
        for name, rows in of_table.items():
            lines = [
                json.dumps({"ts": FIRST + (row % DAYS) * DAY, **dict(zip(columns, values))})
                for row, values in enumerate(rows)
            ]
            path = folder / "events" / table / name
            text = "".join(line + "\n" for line in lines)
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)


def tables_in_duckdb(reference, tables, files):
    reference.execute("create schema if not exists m")
    for table, columns in tables.items():
        a, b, c = columns
        reference.execute(f"create or replace table m.{table} ({a} bigint, {b} bigint, {c} double)")
        rows = [row for of_file in files[table].values() for row in of_file]
        if rows:
            reference.executemany(f"insert into m.{table} values (?, ?, ?)", rows)


def published(folder, name):
    """The files of a table, without those that are kept beside it."""
    table = folder / "warehouse/main" / name
    manifest = json.loads((table / "manifest.json").read_text())
    return [str(table / file) for file in manifest["files"]]


# What a run says of a table that was not built as a whole.
KEPT = re.compile("looked at|carried on|came out as they were")


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    cases = json.loads(pathlib.Path(sys.argv[3]).read_text())
    tables, chosen, rounds = cases["tables"], cases["queries"], cases["rounds"]
    os.environ["MEP_ALWAYS"] = "by-key"
    project(folder, tables, chosen)
    write(folder, tables, rounds[0])
    refused = compare.compiled(program, folder, chosen)
    reference = duckdb.connect(config={"threads": 1})
    reference.execute("set enable_progress_bar = false")
    counts, problems = collections.Counter(), []
    tables_in_duckdb(reference, tables, rounds[0])
    for name, words in refused.items():
        try:
            reference.execute(f"explain {chosen[name]}")
        except duckdb.Error:
            counts["refused by both"] += 1
        else:
            counts["refused"] += 1
            print(f"-- {name}: refused, and not by DuckDB\n{words}")
    for at, files in enumerate(rounds):
        write(folder, tables, files)
        tables_in_duckdb(reference, tables, files)
        done = compare.mep(program, folder, "run")
        if done.returncode not in (0, 1):
            sys.exit(f"mep run: exit code {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
        results = json.loads((folder / "target/run_results.json").read_text())["results"]
        results = {one["unique_id"].split(".")[-1]: one for one in results}
        for name, sql in chosen.items():
            if name in refused:
                continue
            theirs = error = None
            try:
                theirs = reference.execute(sql).fetchall()
            except duckdb.Error as raised:
                error = str(raised)
            result = results[name]
            if result["status"] != "success":
                if error is None:
                    problems.append((at, name, f"failed in the run: {result['message']}"))
                else:
                    counts["failed in both"] += 1
                continue
            if error is not None:
                problems.append((at, name, f"DuckDB: {error}"))
                continue
            files_of_table = published(folder, name)
            ours = (
                reference.execute(f"select * from read_parquet({files_of_table})").fetchall()
                if files_of_table
                else []
            )
            found = compare.difference(ours, theirs)
            if found:
                problems.append((at, name, found))
                continue
            counts["same"] += 1
            counts["of these kept by key"] += at > 0 and bool(KEPT.search(result["message"] or ""))
    for at, name, found in problems:
        print(f"-- {name}, round {at}: {found}\n   {chosen[name]}\n")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    if counts["of these kept by key"] * 8 < counts["same"]:
        sys.exit("too few tables were kept by key")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
