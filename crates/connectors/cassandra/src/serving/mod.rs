//! Tables of batch models, served by key.
//!
//! Owns the generations of a table and `mep_served`, which says which one readers are to ask (`record`), and bringing a content into one
//! (`delivery`). Must not know: how the difference between contents is found.
//!
//! A generation is a table of its own: `<model>` is the first, `<model>_g2` the second. A delivery writes into the one that readers see,
//! or into a new one, to which `mep_served` leads them once it is complete. The old one stays until it is cleaned away.

mod delivery;
mod record;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::checkpoint::{CHECKPOINTS, Checkpoints};
use super::connection::{self, CassandraSession, is_name};
use super::lease::LEASES;
use super::sending::{Acknowledged, RowSender};
use super::shape::Shape;
use super::stream_row::STREAMS;
use super::{CassandraCluster, table};
use delivery::CassandraDelivery;
use mep_contract::serving::{
    ServedContents, ServedDelivery, ServedStanding, ServingStore, WhyAnew, note_of, noted,
};
use mep_contract::sink::{SinkError, SinkTable};
use mep_contract::warehouse::TableVersion;
use mep_core::fail_point;
use record::{NotedContent, ServedRow, ServedRows};
pub(super) use record::{SERVED, create as served};

/// Cassandra takes no longer name of a table; that of a generation has a few letters more than the model's.
const LONGEST_NAME: usize = 48 - "_g9999".len();

/// The project and the target whose tables are served: no two serve a table of one name in one keyspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingOwner {
    /// The project's name.
    pub project: String,
    /// The target's name.
    pub target: String,
}

/// The tables that a target serves in a keyspace.
pub struct CassandraServing {
    cluster: Arc<CassandraCluster>,
    owner: ServingOwner,
}

impl fmt::Debug for CassandraServing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraServing")
            .field("cluster", &self.cluster)
            .field("owner", &self.owner)
            .finish()
    }
}

/// Whether a table can be served, as far as its name, its key and its types say.
///
/// # Errors
/// [`SinkError::Refused`], where it cannot.
pub fn check_served(table: &SinkTable) -> Result<(), SinkError> {
    let name = &table.relation.name;
    if [STREAMS, LEASES, CHECKPOINTS, SERVED].contains(&name.as_str()) {
        let own = format!("{name} is a table of mep's own in cassandra; give the model another name");
        return Err(SinkError::Refused(own));
    }
    if !is_name(name) || name.len() > LONGEST_NAME {
        return Err(SinkError::Refused(format!(
            "a table that is served from cassandra has at most {LONGEST_NAME} letters, digits and `_` in its name, found `{name}`; \
             give the model another `alias`"
        )));
    }
    Shape::of(table).map(|_| ())
}

/// Nobody else writes the rows of a delivery: its number decides.
pub(super) struct Unfenced;

impl RowSender for Unfenced {
    fn may_send(&self) -> Result<(), SinkError> {
        Ok(())
    }

    fn failed(&self) {}
}

/// Where a delivery writes.
#[derive(Debug)]
enum DeliveryPlace {
    /// Into a new generation.
    New(WhyAnew),
    /// Into one that was begun and that readers do not see yet; whether its table is there.
    Next(bool),
    /// Into the one that readers see.
    Shown,
}

/// The name of a generation, from 1.
fn generation_name(model: &str, generation: i32) -> String {
    if generation == 1 { model.to_owned() } else { format!("{model}_g{generation}") }
}

impl CassandraServing {
    /// The tables that this owner serves.
    #[must_use]
    pub fn new(cluster: Arc<CassandraCluster>, owner: ServingOwner) -> Self {
        Self { cluster, owner }
    }

    fn rows<'a>(&'a self, session: &'a CassandraSession, table: &'a SinkTable) -> ServedRows<'a> {
        ServedRows {
            session,
            keyspace: self.cluster.keyspace(),
            owner: &self.owner,
            relation: &table.relation,
        }
    }

    fn checkpoints<'a>(&'a self, session: &'a CassandraSession, table: &'a SinkTable) -> Checkpoints<'a> {
        Checkpoints { session, keyspace: self.cluster.keyspace(), model: &table.relation.name }
    }

    /// What is noted of a table; nothing where mep never served one in the keyspace.
    async fn row(
        &self,
        session: &CassandraSession,
        table: &SinkTable,
    ) -> Result<Option<ServedRow>, SinkError> {
        if table::find(session, self.cluster.keyspace(), SERVED).await?.is_none() {
            return Ok(None);
        }
        let row = self.rows(session, table).read().await?;
        if let Some(row) = &row {
            row.check_owner(&self.owner, &table.relation)?;
        }
        Ok(row)
    }

    async fn place(
        &self,
        session: &CassandraSession,
        wanted: &Shape,
        row: Option<&ServedRow>,
    ) -> Result<DeliveryPlace, SinkError> {
        let keyspace = self.cluster.keyspace();
        let Some(row) = row else { return Ok(DeliveryPlace::New(WhyAnew::FirstTime)) };
        let fits = |found: &Shape| wanted.has_rows_of(found);
        if let Some(next) = &row.next_table {
            return Ok(match table::find(session, keyspace, next).await? {
                None => DeliveryPlace::Next(false),
                Some(found) if fits(&found) => DeliveryPlace::Next(true),
                // What was begun in the shown one is not known any more.
                Some(_) => DeliveryPlace::New(WhyAnew::OtherShape),
            });
        }
        let Some(shown) = &row.table_name else { return Ok(DeliveryPlace::New(WhyAnew::FirstTime)) };
        Ok(match table::find(session, keyspace, shown).await? {
            None => DeliveryPlace::New(WhyAnew::Gone),
            Some(found) if fits(&found) => DeliveryPlace::Shown,
            Some(_) => DeliveryPlace::New(WhyAnew::OtherShape),
        })
    }

    /// A content that was noted. One that was begun and is not there as a whole had no row written.
    async fn content(
        &self,
        session: &CassandraSession,
        table: &SinkTable,
        content: NotedContent,
    ) -> Result<Option<Arc<TableVersion>>, NoContent> {
        let NotedContent(id, chunks, bytes) = content;
        let read = self.checkpoints(session, table).read(id, chunks, bytes).await.map_err(NoContent::Sink)?;
        let Some(read) = read else { return Ok(None) };
        noted(&read).map(|table| Some(Arc::new(table))).map_err(|error| {
            tracing::debug!("{error}");
            NoContent::Unknown
        })
    }

    async fn contents(
        &self,
        session: &CassandraSession,
        table: &SinkTable,
        row: &ServedRow,
        is_shown: bool,
    ) -> Result<ServedContents, NoContent> {
        let completed = match row.content().filter(|_| is_shown) {
            Some(content) => Some(self.content(session, table, content).await?.ok_or(NoContent::Unknown)?),
            None => None,
        };
        let mut begun = Vec::new();
        for content in row.begun() {
            begun.extend(self.content(session, table, content).await?);
        }
        Ok(ServedContents { completed, begun, is_shown })
    }

    /// The note of a content that was begun before and is begun again.
    async fn noted_before(
        &self,
        checkpoints: &Checkpoints<'_>,
        row: Option<&ServedRow>,
        note: &[u8],
    ) -> Result<Option<NotedContent>, SinkError> {
        for content in row.into_iter().flat_map(ServedRow::begun) {
            let NotedContent(id, chunks, bytes) = content;
            let is_as_long = bytes == note.len() as i64;
            if is_as_long && checkpoints.read(id, chunks, bytes).await?.as_deref() == Some(note) {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    /// The first name of a generation, after those that there were, that no table has.
    async fn new_generation(
        &self,
        session: &CassandraSession,
        model: &str,
        row: Option<&ServedRow>,
    ) -> Result<(String, i32), SinkError> {
        let keyspace = self.cluster.keyspace();
        let mut generation = row.map_or(0, |row| row.generation);
        loop {
            generation += 1;
            let name = generation_name(model, generation);
            if table::find(session, keyspace, &name).await?.is_none() {
                return Ok((name, generation));
            }
            if row.is_none() {
                return Err(SinkError::Refused(format!(
                    "{keyspace}.{name} is in cassandra already, and mep does not serve a model by it; drop it, or give the model another \
                     name"
                )));
            }
        }
    }
}

/// Why a content is not known.
enum NoContent {
    Unknown,
    Sink(SinkError),
}

#[async_trait]
impl ServingStore for CassandraServing {
    fn describe(&self) -> String {
        format!(
            "the keyspace {} of {}",
            self.cluster.keyspace(),
            connection::describe(&self.cluster.connection)
        )
    }

    async fn standing(&self, table: &SinkTable) -> Result<ServedStanding, SinkError> {
        let session = self.cluster.connected().await?;
        let row = self.row(session, table).await?;
        let place = self.place(session, &Shape::of(table)?, row.as_ref()).await?;
        let contents = match (&place, &row) {
            (DeliveryPlace::New(why), _) => return Ok(ServedStanding::Nothing(*why)),
            (_, None) | (DeliveryPlace::Next(false), _) => {
                return Ok(ServedStanding::Rows(ServedContents::default()));
            }
            (DeliveryPlace::Next(true), Some(row)) => self.contents(session, table, row, false).await,
            (DeliveryPlace::Shown, Some(row)) => self.contents(session, table, row, true).await,
        };
        match contents {
            Ok(contents) => Ok(ServedStanding::Rows(contents)),
            Err(NoContent::Unknown) => Ok(ServedStanding::Nothing(WhyAnew::Unknown)),
            Err(NoContent::Sink(error)) => Err(error),
        }
    }

    async fn begin(
        &self,
        table: &SinkTable,
        content: &TableVersion,
        anew: bool,
    ) -> Result<Box<dyn ServedDelivery>, SinkError> {
        let session = self.cluster.session().await?;
        self.cluster.make_served(session).await?;
        let shape = Shape::of(table)?;
        let row = self.row(session, table).await?;
        let place = self.place(session, &shape, row.as_ref()).await?;
        let model = &table.relation.name;
        let note = note_of(content).map_err(|error| SinkError::Refused(error.to_string()))?;
        let checkpoints = self.checkpoints(session, table);
        let again = self.noted_before(&checkpoints, row.as_ref(), &note).await?;
        let chunks = checkpoints.count(&note)?;
        let noted = again.unwrap_or_else(|| NotedContent(Uuid::now_v7(), chunks, note.len() as i64));
        let rows = self.rows(session, table);
        let stale = match &row {
            Some(row) => self.forget_stale(session, table, row).await,
            None => Vec::new(),
        };
        let number = match place {
            DeliveryPlace::Next(..) | DeliveryPlace::Shown if !anew => match &row {
                Some(row) => rows.begin(row, noted, stale).await?,
                // Unreachable: only a row says so.
                None => rows.begin_first(model, noted).await?,
            },
            _ => match (&row, self.new_generation(session, model, row.as_ref()).await?) {
                (None, (name, _)) => rows.begin_first(&name, noted).await?,
                (Some(row), (name, generation)) => {
                    rows.begin_anew(row, (&name, generation), noted, stale).await?
                }
            },
        };
        fail_point::reached("serving-noted");
        let mut acknowledged = Acknowledged::default();
        checkpoints.write(noted.0, &note, &Unfenced, &mut acknowledged).await?;
        let shape = Shape { name: number.table_name.clone(), ..shape };
        {
            let _one_at_a_time = self.cluster.schema.lock().await;
            table::make(session, self.cluster.keyspace(), &shape).await?;
        }
        let (cluster, owner) = (Arc::clone(&self.cluster), self.owner.clone());
        let delivery = CassandraDelivery::new(cluster, owner, table.relation.clone(), shape, number).await?;
        fail_point::reached("serving-begun");
        Ok(Box::new(delivery))
    }

    async fn clean(&self, retention: Duration) -> Result<usize, SinkError> {
        let session = self.cluster.connected().await?;
        let keyspace = self.cluster.keyspace();
        if table::find(session, keyspace, SERVED).await?.is_none() {
            return Ok(0);
        }
        let mut dropped = 0;
        for (relation, row) in record::all_of(session, keyspace, &self.owner).await? {
            let old: Vec<String> = row.left_for(retention);
            if old.is_empty() {
                continue;
            }
            for name in &old {
                let _one_at_a_time = self.cluster.schema.lock().await;
                table::drop(session, keyspace, name).await?;
            }
            let rows = ServedRows { session, keyspace, owner: &self.owner, relation: &relation };
            rows.forget_former(&row, &old).await?;
            dropped += old.len();
        }
        Ok(dropped)
    }
}

impl CassandraServing {
    /// Deletes the notes of contents that nothing points at, and gives those that are left. A crash of nodes might bring a pointer back,
    /// so they are kept for a while.
    async fn forget_stale(
        &self,
        session: &CassandraSession,
        table: &SinkTable,
        row: &ServedRow,
    ) -> Vec<Uuid> {
        let mut left: Vec<Uuid> = row.stale().collect();
        if !row.is_settled(self.cluster.connection.settles_after) {
            return left;
        }
        for id in row.stale() {
            match self.checkpoints(session, table).delete(id).await {
                Ok(()) => left.retain(|other| *other != id),
                Err(error) => tracing::debug!("{error}; it is tried again"),
            }
        }
        left
    }
}
