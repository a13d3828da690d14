#!/usr/bin/env python3
"""Many models: start-up, and reading and compiling a project of 2,000 models with 6,000 tests.

The project is made anew and is valid for both mep and dbt. References in the same run: `true` for what starting a process takes,
`find` and `cat` for reading the project's files, and with --with-dbt dbt itself.
"""

import argparse
import random
import shutil
import sys

import measured
from measured import Failed, milliseconds, print_table, ratio, size

DBT = ("dbt-core==1.11.*", "dbt-duckdb")
LAYERS = 20
KINDS = ("free", "paid", "guest")
GOALS = {"mep --version": 0.030, "mep ls": 0.100, "mep parse": 0.500}
# dbt takes long, and its median settles early.
FEWER_RUNS = {"dbt parse": 3, "dbt compile": 1}

PROJECT_FILE = """\
name: many_models
version: "1.0.0"
config-version: 2
profile: many_models

model-paths: [models]
macro-paths: [macros]

vars:
  least_cents: 100

models:
  many_models:
    +materialized: {materialized}
    +tags: [many]
"""

PROFILES = """\
many_models:
  target: local
  outputs:
    local:
      type: local
      path: .mep/local
      schema: many
      threads: 2
    duckdb:
      type: duckdb
      path: ":memory:"
      schema: many
      threads: 2
"""

MACROS = """\
{% macro euros(column, places=2) -%}
    round(cast({{ column }} as double) / 100, {{ places }})
{%- endmacro %}
"""


def main():
    arguments = parsed()
    binary = measured.mep_binary(arguments.mep)
    with measured.data_folder(arguments.data) as data:
        project = data / "many-models"
        shutil.rmtree(project, ignore_errors=True)
        files, volume = generate(project, arguments.models, arguments.materialized)
        print(f"{arguments.models:,} {arguments.materialized}s, {3 * arguments.models:,} tests: {files:,} files with {size(volume)}\n")
        try:
            usages = measure(commands(arguments, binary, project), project, arguments.runs)
        except Failed as failure:
            sys.exit(f"the benchmark failed: {failure}")
        report(usages)
        if not arguments.keep:
            shutil.rmtree(project)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mep", default=measured.ROOT / "target/release/mep", help="the program (default: target/release/mep)")
    parser.add_argument("--models", type=int, default=2_000, help="how many models (default: 2,000)")
    parser.add_argument("--materialized", choices=["view", "table"], default="view", help="what the models are (default: view)")
    parser.add_argument("--runs", type=int, default=7, help="how often each command runs (default: 7)")
    parser.add_argument("--with-dbt", action="store_true", help=f"measure {' with '.join(DBT)} as well")
    parser.add_argument("--data", default=measured.ROOT / "target/bench-data", help="for the project (default: target/bench-data)")
    parser.add_argument("--keep", action="store_true", help="leave the project where it is")
    return parser.parse_args()


def generate(project, models, materialized):
    """Writes the project; gives the number of its files and their bytes."""
    chance = random.Random(1)
    write(project / "dbt_project.yml", PROJECT_FILE.format(materialized=materialized))
    write(project / "profiles.yml", PROFILES)
    write(project / "macros/euros.sql", MACROS)
    layers = min(LAYERS, models)
    earlier = []
    for layer in range(layers):
        folder = project / "models" / f"layer_{layer:02}"
        names = [f"model_{layer:02}_{number:04}" for number in range(layer, models, layers)]
        for name in names:
            parents = chance.sample(earlier, min(len(earlier), chance.randint(1, 3)))
            write(folder / f"{name}.sql", model(parents, chance))
        write(folder / "schema.yml", "version: 2\n\nmodels:\n" + "\n".join(map(properties, names)))
        earlier += names
    files = [file for file in project.rglob("*") if file.is_file()]
    return len(files), sum(file.stat().st_size for file in files)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def model(parents, chance):
    """A model over its parents; without any, rows of its own."""
    if not parents:
        rows = "\nunion all\n".join(
            f"select {number} as id, cast({chance.randint(100, 900)} as bigint) as cents, '{kind}' as kind"
            for number, kind in enumerate(KINDS)
        )
        return f"select id, cents, {{{{ euros('cents') }}}} as euros, kind\nfrom (\n{rows}\n) as listed\n"
    steps = ",\n\n".join(
        f"input_{number} as (\n\n    select id, cents, kind\n    from {{{{ ref('{parent}') }}}}\n"
        f"    where cents >= {{{{ var('least_cents') }}}}\n\n)"
        for number, parent in enumerate(parents)
    )
    total = " + ".join(f"input_{number}.cents" for number in range(len(parents)))
    joins = "".join(f"\ninner join input_{number} on input_{number}.id = input_0.id" for number in range(1, len(parents)))
    return (
        f"with {steps}\n\nselect\n    input_0.id,\n    {total} as cents,\n    {{{{ euros('{total}') }}}} as euros,\n"
        f"    input_0.kind\nfrom input_0{joins}\n"
    )


def properties(name):
    return f"""\
  - name: {name}
    description: What {name} holds, one row for each id.
    columns:
      - name: id
        description: Number of the row.
        data_tests: [unique, not_null]
      - name: cents
        description: Sum of the inputs, in cents.
      - name: euros
        description: The same in euros.
      - name: kind
        description: Which kind the row is of.
        data_tests:
          - accepted_values:
              arguments:
                values: [{', '.join(KINDS)}]
"""


def commands(arguments, binary, project):
    """The commands with their words, references before what is compared with them."""
    mine = ["--project-dir", project, "--quiet"]
    all_commands = {
        "true": ["true"],
        "mep --version": [binary, "--version"],
        "mep ls": [binary, "ls", "--project-dir", measured.ROOT],
        "find and cat": ["sh", "-c", f"find '{project}' -type f -exec cat {{}} +"],
        "mep parse": [binary, "parse", *mine],
        "mep compile": [binary, "compile", *mine],
    }
    if arguments.with_dbt:
        dbt = measured.tool("dbt", *DBT) / "dbt"
        common = ["--quiet", "--no-send-anonymous-usage-stats"]
        its = ["--no-partial-parse", "--project-dir", project, "--profiles-dir", project, "--target", "duckdb"]
        all_commands["dbt --version"] = [dbt, *common, "--version"]
        all_commands["dbt parse"] = [dbt, *common, "parse", *its]
        all_commands["dbt compile"] = [dbt, *common, "compile", *its]
    return all_commands


def measure(all_commands, project, runs):
    """The median of each command; they take turns, each with a fresh target folder."""
    usages = {name: [] for name in all_commands}
    for turn in range(runs):
        for name, command in all_commands.items():
            if turn >= FEWER_RUNS.get(name, runs):
                continue
            shutil.rmtree(project / "target", ignore_errors=True)
            usages[name].append(measured.run(command))
    return {name: measured.median(several) for name, several in usages.items()}


REFERENCES = {
    "mep --version": ("true", "dbt --version"),
    "mep ls": ("true",),
    "mep parse": ("find and cat", "dbt parse"),
    "mep compile": ("find and cat", "dbt compile"),
}


def report(usages):
    rows = []
    for name, usage in usages.items():
        times = [f"{ratio(usage.wall / usages[reference].wall)} x {reference}"
                 for reference in REFERENCES.get(name, ()) if reference in usages]
        rows.append([name, milliseconds(usage.wall), milliseconds(usage.cpu), size(usage.peak), ", ".join(times)])
    print_table(["command", "wall", "user + system", "peak memory", "ratio"], rows)
    print()
    for name, limit in GOALS.items():
        measured.goal(name, usages[name].wall, limit, milliseconds)


if __name__ == "__main__":
    main()
