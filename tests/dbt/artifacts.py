"""Holds the artifacts of a project against dbt's own forms, and its manifest against the one that dbt makes of the same files.

artifacts.py PROJECT TARGET: TARGET is an output of profiles.yml that dbt can parse by. Prints each difference, and fails where there is one.
"""

import json
import os
import sys
from pathlib import Path

os.environ["DO_NOT_TRACK"] = "1"
os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"

from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.artifacts.schemas.freshness import FreshnessExecutionResultArtifact
from dbt.artifacts.schemas.manifest import WritableManifest
from dbt.artifacts.schemas.run import RunResultsArtifact
from dbt.cli.main import dbtRunner
from dbt_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest
from jsonschema import Draft202012Validator

FORMS = {
    "manifest.json": WritableManifest,
    "run_results.json": RunResultsArtifact,
    "catalog.json": CatalogArtifact,
    "sources.json": FreshnessExecutionResultArtifact,
}
# What is of the machine, the moment or the adapter, or is not there: dbt's schema allows that.
NOT_COMPARED = {
    "created_at", "database", "relation_name", "compiled", "compiled_code", "compiled_path",
    "unrendered_config", "unrendered_database", "unrendered_schema", "doc_blocks", "primary_key",
    "extra_ctes", "extra_ctes_injected", "metrics", "functions", "quoting",
    "time_spine", "file_key_name", "metadata",
}  # fmt: skip
# Lists whose order says nothing.
UNORDERED = {"nodes", "macros", "refs", "sources"}
# Where a source's rows are is mep's own.
OF_SOURCES = {"schema", "identifier"}

project, target = Path(sys.argv[1]), sys.argv[2]
wrong = []


def said(of, error):
    place = "/".join(str(part) for part in error.absolute_path)
    wrong.append(f"{of}: {place}: {error.message[:300]}")


for name, form in FORMS.items():
    path = project / "target" / name
    if path.exists():
        validator = Draft202012Validator(form.json_schema())
        for error in validator.iter_errors(json.loads(path.read_text())):
            said(name, error)
        print("valid:", name)

ours = json.loads((project / "target" / "manifest.json").read_text())
os.chdir(project)
parsed = dbtRunner().invoke(
    ["--quiet", "parse", "--target", target, "--profiles-dir", ".", "--target-path", "theirs", "--no-partial-parse"]
)  # fmt: skip
if not parsed.success:
    sys.exit(f"dbt cannot parse it: {parsed.exception}")
theirs = json.loads(Path("theirs/manifest.json").read_text())


def compare(place, one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() & other.keys() - NOT_COMPARED):
            compare(f"{place}/{key}", one[key], other[key])
    elif isinstance(one, list) and place.rsplit("/", 1)[-1] in UNORDERED:
        compare(place + "/sorted", sorted(set(map(str, one))), sorted(set(map(str, other))))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for at, (mine, theirs) in enumerate(zip(one, other)):
            compare(f"{place}/{at}", mine, theirs)
    elif place.endswith("/macro_sql"):
        compare(place + "/", one.rstrip(), other.rstrip())
    elif one != other:
        wrong.append(f"{place}: mep {one!r:.200}, dbt {other!r:.200}")


SECTIONS = (
    "nodes", "sources", "exposures", "docs", "disabled",
    "unit_tests", "semantic_models", "metrics", "saved_queries", "groups",
)  # fmt: skip
for section in SECTIONS:
    mine = ours[section]
    own = {key: node for key, node in theirs[section].items() if not key.startswith("doc.dbt.")}
    if mine.keys() != own.keys():
        wrong.append(f"{section}: only mep {sorted(mine.keys() - own.keys())}, only dbt {sorted(own.keys() - mine.keys())}")
    for key in sorted(mine.keys() & own.keys()):
        one, other = mine[key], own[key]
        if section == "sources":
            one = {name: value for name, value in one.items() if name not in OF_SOURCES}
        if section == "disabled":
            one, other = one[0], other[0]
        compare(f"{section}/{key}", one, other)
for key in ours["macros"].keys() & theirs["macros"].keys():
    if not key.startswith("macro.dbt."):
        compare(f"macros/{key}", ours["macros"][key], theirs["macros"][key])
for relation in ("parent_map", "child_map", "group_map"):
    for key in ours[relation].keys() & theirs[relation].keys():
        compare(f"{relation}/{key}", sorted(ours[relation][key]), sorted(theirs[relation][key]))
semantic = project / "target" / "semantic_manifest.json"
if semantic.exists():
    PydanticSemanticManifest.parse_raw(semantic.read_text())
    print("valid: semantic_manifest.json")
    mine = json.loads(semantic.read_text())
    own = json.loads(Path("theirs/semantic_manifest.json").read_text())
    for section in ("semantic_models", "metrics", "saved_queries"):
        one, other = ({of["name"]: of for of in whole[section]} for whole in (mine, own))
        compare(f"semantic_manifest/{section}", one, other)
    spines = ([of["column_name"] for of in whole["project_configuration"]["time_spine_table_configurations"]] for whole in (mine, own))
    compare("semantic_manifest/time_spines", *spines)
print(f"compared {len(ours['nodes'])} nodes")
sys.exit("\n".join(wrong) or 0)
