//! `information_schema`: what a text that asks finds there.
//!
//! `tables` and `schemata` have the relations of the project, built or not, so that the answer is the same before and after the
//! first run. `columns` has those of the text's inputs, as their plans say them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::config::Materialization;
use super::dag::Graph;
use super::node::NodeKind;
use mep_core::relation::Relation;
use mep_lang::jinja::Refusal;
use mep_sql::{INFORMATION_SCHEMA, Scope, sql_type};

/// The relations of a project.
#[derive(Debug, Default)]
pub(super) struct InformationSchema {
    /// Each with whether it is a view.
    relations: BTreeMap<Relation, bool>,
}

impl InformationSchema {
    pub(super) fn of(graph: &Graph) -> Self {
        // A source table that a node fills is that node's.
        let relations = graph.nodes().iter().filter(|node| !node.is_filled()).filter_map(|node| {
            let is_model = matches!(node.kind, NodeKind::Model { .. });
            let is_view = is_model && node.config.materialized() == Materialization::View;
            Some((node.relation.clone()?, is_view))
        });
        Self { relations: relations.collect() }
    }

    /// Its tables, for a text with these inputs.
    ///
    /// # Errors
    /// Where the columns of an input cannot be known.
    pub(super) fn rows(
        &self,
        scope: &Scope,
        inputs: &BTreeSet<Relation>,
    ) -> Result<Vec<(Relation, RecordBatch)>, Refusal> {
        let named = |name: &str, batch: Result<RecordBatch, arrow::error::ArrowError>| {
            let batch = batch.map_err(|error| Refusal { message: error.to_string(), help: None })?;
            Ok((Relation::new(INFORMATION_SCHEMA, name), batch))
        };
        Ok(vec![
            named("tables", self.tables())?,
            named("schemata", self.schemata())?,
            named("columns", Self::columns(scope, inputs)?)?,
        ])
    }

    fn tables(&self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let all = || self.relations.iter();
        let kind = |is_view: bool| if is_view { "VIEW" } else { "BASE TABLE" };
        batch(vec![
            ("table_catalog", texts(all().map(|_| None))),
            ("table_schema", texts(all().map(|(relation, _)| relation.schema.as_deref()))),
            ("table_name", texts(all().map(|(relation, _)| Some(relation.name.as_str())))),
            ("table_type", texts(all().map(|(_, is_view)| Some(kind(*is_view))))),
        ])
    }

    fn schemata(&self) -> Result<RecordBatch, arrow::error::ArrowError> {
        let schemas: BTreeSet<&str> =
            self.relations.keys().filter_map(|relation| relation.schema.as_deref()).collect();
        batch(vec![
            ("catalog_name", texts(schemas.iter().map(|_| None))),
            ("schema_name", texts(schemas.iter().map(|name| Some(*name)))),
        ])
    }

    fn columns(
        scope: &Scope,
        inputs: &BTreeSet<Relation>,
    ) -> Result<Result<RecordBatch, arrow::error::ArrowError>, Refusal> {
        let mut columns: Vec<(&Relation, i64, String, String)> = Vec::new();
        for relation in inputs.iter().filter(|relation| scope.knows(relation)) {
            let plan = scope.scan(relation).map_err(|error| Refusal {
                message: format!("the columns of {relation}: {error}"),
                help: None,
            })?;
            for (at, field) in (1..).zip(plan.schema().fields().iter()) {
                columns.push((relation, at, field.name().clone(), sql_type(field.data_type())));
            }
        }
        let all = || columns.iter();
        Ok(batch(vec![
            ("table_catalog", texts(all().map(|_| None))),
            ("table_schema", texts(all().map(|(relation, ..)| relation.schema.as_deref()))),
            ("table_name", texts(all().map(|(relation, ..)| Some(relation.name.as_str())))),
            ("column_name", texts(all().map(|(_, _, name, _)| Some(name.as_str())))),
            ("ordinal_position", Arc::new(all().map(|(_, at, ..)| Some(*at)).collect::<Int64Array>())),
            ("data_type", texts(all().map(|(_, _, _, kind)| Some(kind.as_str())))),
            ("is_nullable", texts(all().map(|_| Some("YES")))),
        ]))
    }
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let is_number = |name: &str| name == "ordinal_position";
    let kind = |name: &str| if is_number(name) { DataType::Int64 } else { DataType::Utf8 };
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, kind(name), true)).collect();
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, values)| values).collect(),
    )
}
