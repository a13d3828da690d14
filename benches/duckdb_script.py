"""Runs a DuckDB script, statement by statement: duckdb_script.py SCRIPT [SECONDS].

A statement ends with a semicolon at the end of a line. One that is preceded by a line `-- node: <id>` is timed under that
id; SECONDS is the JSON file for the times.
"""

import json
import re
import sys
import time

import duckdb


def main():
    script, *rest = sys.argv[1:]
    with open(script, encoding="utf-8") as file:
        text = file.read()
    connection = duckdb.connect()
    taken = {}
    for statement in re.split(r";\s*\n", text):
        if not statement.strip():
            continue
        node = re.search(r"^-- node: (\S+)$", statement, re.MULTILINE)
        begun = time.perf_counter()
        connection.execute(statement)
        if node:
            taken[node[1]] = time.perf_counter() - begun
    for path in rest:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(taken, file)


main()
