//! The table of a model as it is in Cassandra: read, made, changed, dropped.

use super::connection::CassandraSession;
use super::shape::{ColumnShape, Role, Shape, quoted};
use mep_contract::sink::SinkError;

/// Every node answers for its own copy of the schema.
const LOCAL: scylla::statement::Consistency = scylla::statement::Consistency::LocalOne;

/// Reads a table; `None` where there is none of this name.
pub(super) async fn find(
    session: &CassandraSession,
    keyspace: &str,
    name: &str,
) -> Result<Option<Shape>, SinkError> {
    let doing = "read the schema";
    let select = "SELECT default_time_to_live, comment FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let tables: Vec<(Option<i32>, Option<String>)> =
        session.rows(doing, select, (keyspace, name), LOCAL).await?;
    let Some((ttl, comment)) = tables.into_iter().next() else { return Ok(None) };
    let select = "SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns \
                  WHERE keyspace_name = ? AND table_name = ?";
    let columns: Vec<(String, String, String, i32, String)> =
        session.rows(doing, select, (keyspace, name), LOCAL).await?;
    let columns = columns.into_iter().map(|(name, cql_type, kind, position, order)| {
        let position = usize::try_from(position).unwrap_or_default();
        let role = match kind.as_str() {
            "partition_key" => Role::Partition(position),
            "clustering" => Role::Clustering { position, descending: order.eq_ignore_ascii_case("desc") },
            _ => Role::Regular,
        };
        ColumnShape { name, cql_type, role }
    });
    Ok(Some(Shape {
        name: name.to_owned(),
        columns: columns.collect(),
        ttl: ttl.unwrap_or_default(),
        comment: comment.unwrap_or_default(),
    }))
}

/// Makes a table, or makes the one that is there into what is wanted.
///
/// # Errors
/// [`SinkError::Refused`] where only a new table can be that.
pub(super) async fn make(
    session: &CassandraSession,
    keyspace: &str,
    wanted: &Shape,
) -> Result<(), SinkError> {
    let doing = format!("make the table {}", wanted.name);
    let Some(found) = find(session, keyspace, &wanted.name).await? else {
        return session.define(&doing, &wanted.create(keyspace)).await;
    };
    for statement in wanted.changes(&found, keyspace)? {
        let defined = session.define(&doing, &statement).await;
        // The same change that was asked for before, and given up, may have been made meanwhile.
        if let Err(error @ SinkError::Refused(_)) = defined {
            let now = find(session, keyspace, &wanted.name).await?;
            let is_made = now.is_some_and(|now| {
                wanted.changes(&now, keyspace).is_ok_and(|left| !left.contains(&statement))
            });
            if !is_made {
                return Err(error);
            }
        } else {
            defined?;
        }
    }
    let gone: Vec<&str> = wanted.gone(&found).collect();
    if !gone.is_empty() {
        tracing::warn!(
            "{}: the table keeps columns that the model no longer has: {}",
            wanted.name,
            gone.join(", ")
        );
    }
    Ok(())
}

/// Drops a table, where there is one.
pub(super) async fn drop(session: &CassandraSession, keyspace: &str, name: &str) -> Result<(), SinkError> {
    let cql = format!("DROP TABLE IF EXISTS {}.{}", quoted(keyspace), quoted(name));
    session.define(&format!("drop the table {name}"), &cql).await
}
