//! The bundled DAGs on the target of the real services.

use super::{Lambda, ROOT};
use crate::airflow::{Airflow, BUNDLED_DAGS};

#[test]
#[ignore = "nightly: Airflow over all services"]
fn airflow_loads_all_and_then_what_came_from_kafka_into_hive() {
    let lambda = Lambda::new("calls");
    lambda.deliver("2");
    let variables = lambda.variables();
    let mut variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([("MEP_PROJECT_DIR", ROOT), ("MEP_TARGET", "lambda")]);
    let airflow = Airflow::new(&[BUNDLED_DAGS]).with(&variables);
    airflow.succeed(&["dags", "test", "music_full_load"]);
    let days = || {
        lambda
            .rows("lambda", &format!("select count(distinct event_date) from {}.fact_listen", lambda.schema))
    };
    assert_eq!(days(), [["2"]]);
    lambda.deliver("3");
    airflow.succeed(&["dags", "test", "music_incremental_load", "2018-11-03"]);
    assert_eq!(days(), [["3"]]);
}
