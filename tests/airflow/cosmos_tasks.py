"""Prints what Cosmos makes of a manifest: a line for each task, with what it selects and what comes before it."""

import sys
from datetime import datetime
from pathlib import Path

from cosmos import DbtDag, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import LoadMode, TestBehavior

project, executable = Path(sys.argv[1]), sys.argv[2]

dag = DbtDag(
    dag_id="cosmos",
    schedule=None,
    start_date=datetime(2018, 11, 1),
    project_config=ProjectConfig(
        manifest_path=project / "target" / "manifest.json", project_name="songs"
    ),
    profile_config=ProfileConfig(
        profile_name="songs",
        target_name="dev",
        profiles_yml_filepath=project / "profiles.yml",
    ),
    render_config=RenderConfig(
        load_method=LoadMode.DBT_MANIFEST,
        test_behavior=TestBehavior.AFTER_EACH,
        exclude=["config.materialized:streaming"],
    ),
    execution_config=ExecutionConfig(
        dbt_project_path=project, dbt_executable_path=executable
    ),
)

for name, task in sorted(dag.task_dict.items()):
    before = ", ".join(sorted(task.upstream_task_ids)) or "nothing"
    print(f"task {name}: {task.select or task.models} after {before}")
