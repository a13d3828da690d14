from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException


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
