"""The music event pipeline: everything once, then every night what came since.

The workers need `mep` on their path, and in their environment:

    MEP_PROJECT_DIR   the folder of the project
    MEP_TARGET        the target in profiles.yml, where it is not the profile's default
"""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FULL_LOAD = "music_full_load"


class Mep(BashOperator):
    """A call of mep, which is tried again where that can help.

    mep ends with 1 where a node failed, with 2 where the call or the project is wrong,
    and with 3 where another run holds the warehouse. Trying again is safe wherever a
    run ended: what it published is whole, and is not done twice.
    """

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowException:
            match self.subprocess_hook.sub_process.returncode:
                case 2:
                    message = "the call or the project is wrong: see what mep says"
                    raise AirflowFailException(message) from None
                case 3:
                    message = "another run holds the warehouse: see what mep says"
                    raise AirflowException(message) from None
            raise


# Airflow's default_task_retry_delay (five minutes) lies between two tries.
defaults = {"retries": 5, "do_xcom_push": False}

with DAG(
    FULL_LOAD,
    description="Build every table from all events, aside, and swap it in",
    schedule="@once",
    start_date=datetime(2018, 11, 1),
    max_active_runs=1,
    default_args=defaults,
    tags=["mep"],
):
    load = Mep(task_id="load", bash_command="mep run --full-refresh --wait 60")
    check = Mep(task_id="check", bash_command="mep test", retries=1)
    load >> check


# A run's date is the day that has ended at midnight. mep reads the sources up to and
# including that day: so a run makes up for nights that were missed, hence no catchup,
# and a backfill of past days, in any order, gives what their nights would have given.
with DAG(
    "music_incremental_load",
    description="Land the events of the day, and rebuild what they touch",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2018, 11, 1),
    catchup=False,
    max_active_runs=1,
    default_args=defaults,
    tags=["mep"],
):

    @task.sensor(mode="reschedule", poke_interval=60, timeout=24 * 60 * 60, retries=0)
    def full_load(ti=None):
        return ti.get_dr_count(dag_id=FULL_LOAD, states=["success"]) > 0

    load = Mep(task_id="load", bash_command="mep run --date {{ ds }} --wait 60")
    check = Mep(task_id="check", bash_command="mep test", retries=1)
    full_load() >> load >> check
