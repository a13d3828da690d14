//! Bringing the rows of a table where they are served by key: those that differ, after each publish, and after whatever was cut short.
//!
//! What the store has is known by contents of the table: the one that it had as a whole last, and those that were begun since. The rows
//! in which the table differs from any of these are put, and the keys that it has not any more go.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::build::BuildError;
use super::event::{Event, NodeResult, Status};
use super::session::Session;
use mep_contract::executor::keyed::ContentChange;
use mep_contract::serving::{ServedDelivery, ServedStanding, ServingStore, WhyAnew};
use mep_contract::sink::{SinkError, SinkTable};
use mep_contract::warehouse::{Content, TableVersion};
use mep_core::quantity::{count, plural};
use mep_core::relation::Relation;
use mep_graph::{Node, NodeIndex, tested_relation};
use mep_plan::Action;
use mep_sql::difference::{ComparedColumn, ContentPair, keys_to_go, rows_to_put};

/// How many rows are handed over at once, about.
const ROWS: usize = 65_536;
/// How many bytes are, about.
const BYTES: usize = 64 << 20;
/// How many files are looked for at once.
const FILES_AT_ONCE: usize = 16;
/// How often a delivery is begun before the run goes on without it.
const ATTEMPTS: u32 = 3;
/// How soon it is begun again, the first time.
const PAUSE: Duration = Duration::from_secs(2);

/// Why rows go into a generation that an earlier run began.
const GOES_ON: &str = "an earlier run had begun it";

/// What was brought to a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServedRowCounts {
    /// The table that readers are to ask.
    pub table: String,
    /// Rows that were put.
    pub changed: u64,
    /// Keys that went.
    pub gone: u64,
    /// Why all rows went into a new generation of the table; `None` where they did not.
    pub anew: Option<String>,
}

impl ServedRowCounts {
    /// In words.
    pub fn said(&self) -> String {
        let Self { table, changed, gone, anew } = self;
        match anew {
            Some(why) => format!("into cassandra: {} as {table} ({why})", plural(*changed, "row")),
            None => format!("into cassandra: {}", difference(*changed, *gone)),
        }
    }
}

/// The number of rows that are put and of keys that go, in words.
pub fn difference(changed: u64, gone: u64) -> String {
    format!("{} changed, {} gone", count(changed), count(gone))
}

/// What a run would bring to a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServingPlan {
    /// What the store has is what the table has.
    Current,
    /// So many rows, and so many keys that go.
    Difference {
        /// Rows that are put.
        changed: u64,
        /// Keys that go.
        gone: u64,
    },
    /// All rows of a new generation.
    Anew {
        /// Why.
        why: String,
        /// How many there are by now.
        rows: u64,
    },
    /// What a build changes.
    AfterBuild,
}

/// What of a table a store lacks.
struct Lacking {
    /// Whether rows go into a new generation that is still to be begun.
    anew: bool,
    /// Where they go into one that readers do not see yet, why.
    why: Option<String>,
    /// Each content that rows may be of, beside the one that is to be; `None`: there are no rows yet.
    contents: Vec<Option<Arc<TableVersion>>>,
}

impl Session<'_> {
    /// Brings what a table holds to the store; `None` where that has it, or the table is not served.
    ///
    /// # Errors
    /// Where the store cannot be reached, or refuses. The table in the warehouse is as it should be all the same.
    pub(super) fn serve(
        &self,
        index: NodeIndex,
        node: &Node,
        was_built: bool,
    ) -> Result<Option<ServedRowCounts>, BuildError> {
        let Some((store, served, table)) = self.to_be_served(index, node) else { return Ok(None) };
        let is_refresh = was_built && self.options.full_refresh && node.config.full_refresh != Some(false);
        let (name, kind) = (node.shown_name(), node.shown_kind());
        let mut is_said = was_built;
        let mut pause = PAUSE;
        for attempt in 1.. {
            // What was begun is known by now, so that what is begun anew goes on from there.
            let served = self.lacking(store, &served, &table, is_refresh).and_then(|lacking| {
                let Some(lacking) = lacking else { return Ok(None) };
                if !std::mem::replace(&mut is_said, true) {
                    self.reporter.report(Event::Started { name: &name, kind });
                }
                self.deliver(store, &served, &table, &lacking, &name).map(Some)
            });
            match served {
                Err(BuildError::Serving(SinkError::Passing(why))) if attempt < ATTEMPTS => {
                    tracing::warn!("{name}: {why}; it is tried again");
                    let wait = async {
                        tokio::time::sleep(pause).await;
                        Ok::<(), BuildError>(())
                    };
                    self.block_on(wait).map_err(not_served)?;
                    pause *= 2;
                }
                served => return served.map_err(not_served),
            }
        }
        Ok(None)
    }

    /// The result of a table that was built, once its rows are where they are served. Where they cannot be, its table stands all the same.
    pub(super) fn then_served(&self, index: NodeIndex, node: &Node, mut result: NodeResult) -> NodeResult {
        if result.status != Status::Success {
            return result;
        }
        match self.serve(index, node, true) {
            Ok(None) => {}
            Ok(Some(counts)) => {
                let why = result.message.take().unwrap_or_default();
                result = result.saying(format!("{why}; {}", counts.said()));
                result.served = Some(counts);
            }
            Err(error) => {
                result = result.saying(published_though(&error));
                (result.status, result.stands) = (failed_as(&error), true);
            }
        }
        result
    }

    /// The result of a table that was as it should be, where its rows were not all where they are served.
    pub(super) fn serving_what_stands(&self, index: NodeIndex, node: &Node) -> Option<NodeResult> {
        let result =
            NodeResult::new(node.id.as_str(), &node.shown_name(), node.shown_kind(), Status::Success);
        match self.serve(index, node, false) {
            Ok(None) => None,
            Ok(Some(counts)) => {
                let mut result = result.saying(counts.said());
                result.served = Some(counts);
                Some(result)
            }
            Err(error) => {
                let mut result = result.saying(published_though(&error));
                (result.status, result.stands) = (failed_as(&error), true);
                Some(result)
            }
        }
    }

    /// What a run would bring to the store of a node, where it is served.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub fn serving_plan(
        &self,
        index: NodeIndex,
        node: &Node,
        action: &Action,
    ) -> Result<Option<ServingPlan>, BuildError> {
        let is_served = self.compiled.models.get(&index).is_some_and(|model| model.served.is_some());
        if !is_served || self.serving.is_none() || matches!(action, Action::Missing(_)) {
            return Ok(None);
        }
        if *action != Action::Current {
            return Ok(Some(ServingPlan::AfterBuild));
        }
        let Some((store, served, table)) = self.to_be_served(index, node) else { return Ok(None) };
        let Some(lacking) = self.lacking(store, &served, &table, false)? else {
            return Ok(Some(ServingPlan::Current));
        };
        if let Some(why) = lacking.why {
            return Ok(Some(ServingPlan::Anew { why, rows: table.rows() }));
        }
        let difference = self.difference(&served, &table, &lacking.contents)?;
        let counted = |rows: Option<&String>| -> Result<u64, BuildError> {
            let Some(rows) = rows else { return Ok(0) };
            let query =
                self.engine.planned(&format!("select count(*) as rows from ({rows}) as differing"))?;
            let counted = self.block_on(self.engine.collect(query))?;
            let rows = counted.iter().filter(|batch| batch.num_rows() > 0);
            Ok(rows.map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0).unsigned_abs()).sum())
        };
        let (changed, gone) = (counted(Some(&difference.put))?, counted(difference.go.as_ref())?);
        self.forget_all(&difference)?;
        Ok(Some(ServingPlan::Difference { changed, gone }))
    }

    /// The store, and the table with the columns that are stored.
    fn to_be_served(
        &self,
        index: NodeIndex,
        node: &Node,
    ) -> Option<(&dyn ServingStore, SinkTable, Arc<TableVersion>)> {
        let store = self.serving?;
        let served = self.compiled.models.get(&index)?.served.as_ref()?;
        let table = self.stored(&tested_relation(node))?;
        matches!(table.content, Content::Table { .. }).then(|| {
            let served = SinkTable { schema: table.schema.clone(), ..served.clone() };
            (store, served, table)
        })
    }

    /// What the store lacks; `None` where it has all.
    fn lacking(
        &self,
        store: &dyn ServingStore,
        served: &SinkTable,
        table: &Arc<TableVersion>,
        is_refresh: bool,
    ) -> Result<Option<Lacking>, BuildError> {
        let anew = |why: WhyAnew| Lacking { anew: true, why: Some(why.to_string()), contents: vec![None] };
        let held = match self.block_on(store.standing(served))? {
            ServedStanding::Nothing(why) => return Ok(Some(anew(why))),
            ServedStanding::Rows(held) => held,
        };
        if is_refresh && held.is_shown {
            return Ok(Some(anew(WhyAnew::FullRefresh)));
        }
        let mut contents = Vec::new();
        let is_completed = held.completed.is_some();
        for content in held.completed.into_iter().chain(held.begun) {
            match ContentChange::of(&served.relation, &content, table) {
                Ok(None) => {}
                Ok(Some(change)) if self.is_there(&change)? => contents.push(Some(content)),
                Ok(Some(_)) => return Ok(Some(anew(WhyAnew::Unknown))),
                Err(_) => return Ok(Some(anew(WhyAnew::OtherShape))),
            }
        }
        if is_completed && contents.is_empty() {
            return Ok(None);
        }
        if !is_completed {
            contents.push(None);
        }
        let why = (!held.is_shown).then(|| GOES_ON.to_owned());
        Ok(Some(Lacking { anew: false, why, contents }))
    }

    /// Whether the files of a former content that the table has no more are still kept.
    fn is_there(&self, change: &ContentChange) -> Result<bool, BuildError> {
        let folder = self.warehouse.table_folder(&change.relation);
        let gone = change.gone();
        let looks = gone.files().map(|file| folder.has(&file.path));
        let found = stream::iter(looks.collect::<Vec<_>>())
            .buffer_unordered(FILES_AT_ONCE)
            .try_all(|is_there| async move { is_there });
        let unreadable = |error| BuildError::Plan(format!("a former file cannot be looked for: {error}"));
        self.block_on(async { found.await.map_err(unreadable) })
    }

    /// Brings the difference to the store.
    fn deliver(
        &self,
        store: &dyn ServingStore,
        served: &SinkTable,
        table: &Arc<TableVersion>,
        lacking: &Lacking,
        name: &str,
    ) -> Result<ServedRowCounts, BuildError> {
        if !self.are_keys_checked(&served.relation, &lacking.contents) {
            let seen = match lacking.contents.as_slice() {
                [Some(completed)] => Some(completed.as_ref()),
                _ => None,
            };
            self.check_keys(served, &served.relation, table, seen)?;
        }
        let difference = self.difference(served, table, &lacking.contents)?;
        let delivered = self.block_on(async {
            let delivery = store.begin(served, table, lacking.anew).await?;
            let mut handing = HandingOver { session: self, delivery: delivery.as_ref(), name };
            let changed = handing.hand_over(&difference.put, Hand::Rows).await?;
            let gone = match &difference.go {
                Some(go) => handing.hand_over(go, Hand::Keys).await?,
                None => 0,
            };
            delivery.complete().await?;
            let anew = lacking.why.clone();
            Ok::<_, BuildError>(ServedRowCounts {
                table: delivery.table_name().to_owned(),
                changed,
                gone,
                anew,
            })
        });
        self.forget_all(&difference)?;
        delivered
    }

    /// The SQL of the difference between a table and contents that rows of the store may be of.
    fn difference(
        &self,
        served: &SinkTable,
        table: &Arc<TableVersion>,
        contents: &[Option<Arc<TableVersion>>],
    ) -> Result<DifferenceSql, BuildError> {
        let relation = &served.relation;
        let folder = || self.warehouse.table_folder(relation);
        let (mut pairs, mut known) = (Vec::new(), Vec::new());
        let mut know = |what, at, table: TableVersion| -> Result<String, BuildError> {
            let name = relation.aside_at(what, at);
            self.engine.register_aside(&name, folder(), table)?;
            known.push(name.clone());
            Ok(name.to_string())
        };
        for (at, content) in contents.iter().enumerate() {
            let change = content.as_ref().map(|content| ContentChange::of(relation, content, table));
            pairs.push(match change {
                None => ContentPair { come: know("come", at, table.as_ref().clone())?, gone: None },
                Some(Ok(Some(change))) => ContentPair {
                    come: know("come", at, change.come())?,
                    gone: Some(know("gone", at, change.gone())?),
                },
                // It is the content that is to be.
                Some(_) => continue,
            });
        }
        let columns = table.schema.fields().iter();
        let columns = columns.map(|field| ComparedColumn {
            name: field.name().clone(),
            is_float: field.data_type().is_floating(),
        });
        let columns: Vec<ComparedColumn> = columns.collect();
        let key: Vec<String> = served.key().map(str::to_owned).collect();
        Ok(DifferenceSql { put: rows_to_put(&columns, &pairs), go: keys_to_go(&key, &pairs), known })
    }

    fn forget_all(&self, difference: &DifferenceSql) -> Result<(), BuildError> {
        for name in &difference.known {
            self.engine.forget(name)?;
        }
        Ok(())
    }
}

/// The SQL of a difference, and what was made known for it.
struct DifferenceSql {
    /// The rows to put.
    put: String,
    /// The keys that go.
    go: Option<String>,
    known: Vec<Relation>,
}

/// What is handed over.
#[derive(Clone, Copy)]
enum Hand {
    Rows,
    Keys,
}

/// Hands rows over to a delivery as they come.
struct HandingOver<'a> {
    session: &'a Session<'a>,
    delivery: &'a dyn ServedDelivery,
    name: &'a str,
}

impl HandingOver<'_> {
    async fn hand_over(&mut self, sql: &str, what: Hand) -> Result<u64, BuildError> {
        let engine = self.session.engine;
        let mut rows = engine.stream(engine.planned(sql)?).await?;
        let (mut some, mut bytes, mut all): (Vec<RecordBatch>, usize, u64) = (Vec::new(), 0, 0);
        loop {
            let next = rows.next().await.transpose()?;
            let is_end = next.is_none();
            if let Some(batch) = next {
                bytes += batch.get_array_memory_size();
                some.push(batch);
            }
            let count: usize = some.iter().map(RecordBatch::num_rows).sum();
            if count > 0 && (is_end || count >= ROWS || bytes >= BYTES) {
                match what {
                    Hand::Rows => self.delivery.upsert(&some).await?,
                    Hand::Keys => self.delivery.delete(&some).await?,
                }
                all += count as u64;
                self.session.reporter.report(Event::Rows { name: self.name, rows: count as u64 });
                (some, bytes) = (Vec::new(), 0);
            }
            if is_end {
                return Ok(all);
            }
        }
    }
}

/// How a table ends that was published and could not be served.
fn failed_as(error: &BuildError) -> Status {
    match error {
        BuildError::InterruptedServing => Status::Interrupted,
        _ => Status::Error,
    }
}

/// What is said of it: how it goes on.
fn published_though(error: &BuildError) -> String {
    match error {
        BuildError::Serving(SinkError::Passing(_) | SinkError::Lost(_)) => {
            format!(
                "{error}; the table in the warehouse is as it should be, and the next run brings its rows there"
            )
        }
        BuildError::InterruptedServing => error.to_string(),
        _ => format!("{error}; the table in the warehouse is as it should be"),
    }
}

/// A run that is ended here has published all the same.
fn not_served(error: BuildError) -> BuildError {
    match error {
        BuildError::Interrupted => BuildError::InterruptedServing,
        error => error,
    }
}
