//! How many rows a data test finds.

/// The SELECT that counts, by `fail_calc`, the rows of a test's SELECT, of which so many at most are looked at.
pub fn failing_rows(sql: &str, fail_calc: &str, limit: Option<u64>) -> String {
    let limited = match limit {
        Some(limit) => format!("select * from (\n{sql}\n) as dbt_internal_test limit {limit}"),
        None => sql.to_owned(),
    };
    format!("select {fail_calc} as failures from (\n{limited}\n) as dbt_internal_test")
}
