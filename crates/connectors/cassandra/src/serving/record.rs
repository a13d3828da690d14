//! `mep_served`: which table serves a model, of which content it is, and what was begun since.
//!
//! A row is changed by conditional updates alone, each of which names the number that it found: of two that begin at once one is declined,
//! and what an earlier delivery asks for is declined once a later one has begun.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use scylla::DeserializeRow;
use uuid::Uuid;

use super::ServingOwner;
use crate::client::Decision;
use crate::connection::CassandraSession;
use crate::shape::quoted;
use mep_contract::sink::SinkError;
use mep_core::relation::Relation;

/// The table's name.
pub(crate) const SERVED: &str = "mep_served";

/// `CREATE TABLE`.
pub(crate) fn create(keyspace: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {}.{SERVED} (
    model text PRIMARY KEY,
    table_name text,
    completed_at timestamp,
    number bigint,
    project text,
    target text,
    schema_name text,
    generation int,
    next_table text,
    content uuid,
    content_chunks int,
    content_bytes bigint,
    begun frozen<list<frozen<tuple<uuid, int, bigint>>>>,
    former frozen<map<text, timestamp>>,
    stale frozen<list<uuid>>
) WITH comment = 'by which table each model is served; changed by mep alone'",
        quoted(keyspace)
    )
}

/// Under which id the note of a content is kept, in how many chunks, and how many bytes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotedContent(pub(super) Uuid, pub(super) i32, pub(super) i64);

/// The row of a model.
#[derive(Clone, Debug, DeserializeRow)]
pub(super) struct ServedRow {
    /// The table that readers are to ask; `None`: none is complete yet.
    pub(super) table_name: Option<String>,
    completed_at: Option<DateTime<Utc>>,
    /// Of the delivery that was begun last.
    pub(super) number: i64,
    project: String,
    target: String,
    schema_name: String,
    /// The last generation that was begun.
    pub(super) generation: i32,
    /// The table that is filled and not shown yet.
    pub(super) next_table: Option<String>,
    content: Option<Uuid>,
    content_chunks: Option<i32>,
    content_bytes: Option<i64>,
    /// What was begun and not completed, in the table that is filled, or else in the one that is shown.
    begun: Option<Vec<(Uuid, i32, i64)>>,
    /// Tables that readers were led away from, or that were never shown, and when.
    former: Option<BTreeMap<String, DateTime<Utc>>>,
    /// Notes that nothing points at any more.
    stale: Option<Vec<Uuid>>,
}

/// What a delivery writes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeliveryNumber {
    /// The write timestamp of its rows.
    pub(super) number: i64,
    pub(super) table_name: String,
    pub(super) content: Uuid,
}

impl ServedRow {
    /// Whether it is of this owner.
    pub(super) fn check_owner(&self, owner: &ServingOwner, relation: &Relation) -> Result<(), SinkError> {
        let is_ours = (&self.project, &self.target) == (&owner.project, &owner.target)
            && self.schema_name == schema_of(relation);
        if is_ours {
            return Ok(());
        }
        Err(SinkError::Refused(format!(
            "`{}` is served in this keyspace for {}.{} of the project `{}` with the target `{}`; give this target a keyspace of its own, or \
             the model another `alias`",
            relation.name, self.schema_name, relation.name, self.project, self.target
        )))
    }

    /// The content that is complete in the table that is shown.
    pub(super) fn content(&self) -> Option<NotedContent> {
        Some(NotedContent(self.content?, self.content_chunks?, self.content_bytes?))
    }

    pub(super) fn begun(&self) -> impl Iterator<Item = NotedContent> {
        let begun = self.begun.iter().flatten();
        begun.map(|(id, chunks, bytes)| NotedContent(*id, *chunks, *bytes))
    }

    pub(super) fn stale(&self) -> impl Iterator<Item = Uuid> {
        self.stale.iter().flatten().copied()
    }

    /// Whether nodes that crash take back no completion that is in it.
    pub(super) fn is_settled(&self, after: Duration) -> bool {
        self.completed_at.is_none_or(|at| is_past(at, after))
    }

    /// The tables that readers were led away from that long ago.
    pub(super) fn left_for(&self, retention: Duration) -> Vec<String> {
        let former = self.former.iter().flatten();
        former.filter(|(_, at)| is_past(**at, retention)).map(|(name, _)| name.clone()).collect()
    }

    /// The tables that are left once a delivery writes into another one than these.
    fn leaving<'n>(&'n self, left: impl Iterator<Item = &'n String>) -> BTreeMap<String, DateTime<Utc>> {
        let mut former = self.former.clone().unwrap_or_default();
        former.extend(left.map(|name| (name.clone(), now())));
        former
    }
}

fn is_past(at: DateTime<Utc>, after: Duration) -> bool {
    Utc::now().signed_duration_since(at).to_std().is_ok_and(|age| age >= after)
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

fn schema_of(relation: &Relation) -> &str {
    relation.schema.as_deref().unwrap_or_default()
}

/// The rows of a keyspace, as one model's delivery sees them.
pub(super) struct ServedRows<'a> {
    pub(super) session: &'a CassandraSession,
    pub(super) keyspace: &'a str,
    pub(super) owner: &'a ServingOwner,
    pub(super) relation: &'a Relation,
}

const COLUMNS: &str = "table_name, completed_at, number, project, target, schema_name, generation, next_table, content, content_chunks, \
                       content_bytes, begun, former, stale";

/// All rows of an owner, with their relations.
pub(super) async fn all_of(
    session: &CassandraSession,
    keyspace: &str,
    owner: &ServingOwner,
) -> Result<Vec<(Relation, ServedRow)>, SinkError> {
    let cql = format!("SELECT model FROM {}.{SERVED}", quoted(keyspace));
    let models: Vec<(String,)> = session.rows("read what is served", &cql, (), session.stream).await?;
    let mut all = Vec::new();
    for (model,) in models {
        let asked = Relation::new("", &model);
        let rows = ServedRows { session, keyspace, owner, relation: &asked };
        let Some(row) = rows.read().await? else { continue };
        if (&row.project, &row.target) == (&owner.project, &owner.target) {
            all.push((Relation::new(&row.schema_name, &model), row));
        }
    }
    Ok(all)
}

impl ServedRows<'_> {
    fn table(&self) -> String {
        format!("{}.{SERVED}", quoted(self.keyspace))
    }

    fn model(&self) -> &str {
        &self.relation.name
    }

    /// The row, after all that was decided before.
    pub(super) async fn read(&self) -> Result<Option<ServedRow>, SinkError> {
        let cql = format!("SELECT {COLUMNS} FROM {} WHERE model = ?", self.table());
        let (doing, consistency) = ("read what serves the model", self.session.serial_read());
        // Another model of the same run may be making the table just now.
        self.session.prepare(doing, &cql).await?;
        let rows = self.session.rows(doing, &cql, (self.model(),), consistency);
        Ok(rows.await?.into_iter().next())
    }

    /// Notes the first delivery of a model.
    pub(super) async fn begin_first(
        &self,
        table_name: &str,
        content: NotedContent,
    ) -> Result<DeliveryNumber, SinkError> {
        let cql = format!(
            "INSERT INTO {} (model, project, target, schema_name, number, generation, next_table, begun) \
             VALUES (?, ?, ?, ?, 1, 1, ?, ?) IF NOT EXISTS",
            self.table()
        );
        let (owner, schema) = (self.owner, schema_of(self.relation));
        let begun = vec![(content.0, content.1, content.2)];
        let values = (self.model(), &owner.project, &owner.target, schema, table_name, begun);
        let decision = self.session.decide(BEGIN, &cql, values).await?;
        self.begun(decision, 1, table_name, content).await
    }

    /// Notes a delivery into the table that is filled, or else into the one that is shown.
    pub(super) async fn begin(
        &self,
        row: &ServedRow,
        content: NotedContent,
        stale: Vec<Uuid>,
    ) -> Result<DeliveryNumber, SinkError> {
        let Some(table_name) = row.next_table.as_ref().or(row.table_name.as_ref()) else {
            return Err(self.lost());
        };
        let cql = format!(
            "UPDATE {} SET number = ?, begun = ?, stale = ? WHERE model = ? IF number = ?",
            self.table()
        );
        let number = row.number + 1;
        let mut begun = row.begun.clone().unwrap_or_default();
        if !row.begun().any(|one| one == content) {
            begun.push((content.0, content.1, content.2));
        }
        let values = (number, begun, stale, self.model(), row.number);
        let decision = self.session.decide(BEGIN, &cql, values).await?;
        self.begun(decision, number, table_name, content).await
    }

    /// Notes a delivery into a new generation. One that was filled and never shown is left.
    pub(super) async fn begin_anew(
        &self,
        row: &ServedRow,
        (table_name, generation): (&str, i32),
        content: NotedContent,
        mut stale: Vec<Uuid>,
    ) -> Result<DeliveryNumber, SinkError> {
        let cql = format!(
            "UPDATE {} SET number = ?, generation = ?, next_table = ?, begun = ?, former = ?, stale = ? WHERE model = ? IF number = ?",
            self.table()
        );
        let number = row.number + 1;
        let former = row.leaving(row.next_table.iter());
        stale.extend(row.begun().filter(|one| *one != content).map(|one| one.0));
        let begun = vec![(content.0, content.1, content.2)];
        let values = (number, generation, table_name, begun, former, stale, self.model(), row.number);
        let decision = self.session.decide(BEGIN, &cql, values).await?;
        self.begun(decision, number, table_name, content).await
    }

    /// What a decision to begin means: where it was declined or is unknown, the row tells whether it was this one.
    async fn begun(
        &self,
        decision: Decision,
        number: i64,
        table_name: &str,
        content: NotedContent,
    ) -> Result<DeliveryNumber, SinkError> {
        let begun = DeliveryNumber { number, table_name: table_name.to_owned(), content: content.0 };
        let is_there = |row: &ServedRow| row.number == number && row.begun().any(|one| one == content);
        match decision {
            Decision::Applied => Ok(begun),
            decision => match (self.read().await?, decision) {
                (Some(row), _) if is_there(&row) => Ok(begun),
                (_, Decision::Unknown(error)) => Err(error),
                _ => Err(self.lost()),
            },
        }
    }

    /// Notes that all of a content is there, and leads readers to its table.
    pub(super) async fn complete(&self, delivery: &DeliveryNumber) -> Result<(), SinkError> {
        let row =
            self.read().await?.filter(|row| row.number == delivery.number).ok_or_else(|| self.lost())?;
        if row.content == Some(delivery.content) {
            return Ok(());
        }
        let Some(content) = row.begun().find(|one| one.0 == delivery.content) else {
            return Err(self.lost());
        };
        let others = row.begun().map(|one| one.0).filter(|id| *id != delivery.content);
        let stale: Vec<Uuid> = row.stale().chain(others).chain(row.content).collect();
        let former = row.leaving(row.table_name.iter().filter(|shown| **shown != delivery.table_name));
        let cql = format!(
            "UPDATE {} SET table_name = ?, next_table = null, completed_at = ?, content = ?, content_chunks = ?, content_bytes = ?, \
             begun = null, former = ?, stale = ? WHERE model = ? IF number = ?",
            self.table()
        );
        let (name, NotedContent(id, chunks, bytes)) = (&delivery.table_name, content);
        let values = (name, now(), id, chunks, bytes, former, stale, self.model(), delivery.number);
        match self.session.decide("complete a delivery", &cql, values).await? {
            Decision::Applied => Ok(()),
            decision => match (self.read().await?, decision) {
                (Some(row), _) if row.content == Some(id) && row.number == delivery.number => Ok(()),
                (_, Decision::Unknown(error)) => Err(error),
                _ => Err(self.lost()),
            },
        }
    }

    /// Notes that former tables are dropped.
    pub(super) async fn forget_former(&self, row: &ServedRow, dropped: &[String]) -> Result<(), SinkError> {
        let mut former = row.former.clone().unwrap_or_default();
        former.retain(|name, _| !dropped.contains(name));
        let cql = format!("UPDATE {} SET former = ? WHERE model = ? IF number = ?", self.table());
        let values = (former, self.model(), row.number);
        match self.session.decide("note that tables are dropped", &cql, values).await? {
            Decision::Applied => Ok(()),
            Decision::Declined => Err(self.lost()),
            Decision::Unknown(error) => Err(error),
        }
    }

    fn lost(&self) -> SinkError {
        SinkError::Lost(format!(
            "another run has begun to bring {} into cassandra: what it is to hold is then that run's",
            self.model()
        ))
    }
}

const BEGIN: &str = "begin a delivery";
