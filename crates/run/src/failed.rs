//! What is said of a step whose query failed: in words, and where in the project's files it can have come from.
//!
//! The engine says what failed, not where. The SQL of the node is looked through for what is of that kind, and where it has
//! nothing such, the SQL of the views that stand in it.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::datatypes::{DataType, FieldRef, Schema};

use super::build::BuildError;
use super::session::Session;
use mep_contract::executor::EngineError;
use mep_graph::{NodeIndex, tested_relation};
use mep_lang::jinja::SourceMap;
use mep_lang::project::Place;
use mep_sql::Culprit;

/// Places that are named; of more, how many there are.
const SHOWN: usize = 4;
/// The characters of the SQL that are shown of a place.
const LONGEST: usize = 60;

impl Session<'_> {
    /// Why a node's query failed, for its result.
    pub(super) fn why(&self, index: NodeIndex, error: &BuildError) -> String {
        let (message, help, places) = match error {
            BuildError::Engine(EngineError::Query(error)) => {
                let failure = error.failure();
                let culprit = failure.culprit.unwrap_or_else(|| Culprit::named(&failure.message));
                let places = self.places(index, &culprit);
                (failure.message, failure.help, places)
            }
            BuildError::Select { sql, problem } => {
                let place = problem.range.clone().and_then(|range| self.place_in(index, sql, range));
                let named = || self.places(index, &Culprit::named(&problem.message));
                let places = place.map_or_else(named, |place| vec![place]);
                (problem.message.clone(), problem.help.clone(), places)
            }
            error => return error.to_string(),
        };
        let mut text = message;
        let shown: Vec<String> = places.iter().take(SHOWN).map(shown).collect();
        match shown.as_slice() {
            [] => text.push_str(&format!("\nin {}", self.graph.node(index).path.display())),
            [one] => text.push_str(&format!("\nat {one}")),
            several => {
                text.push_str("\nin one of these:");
                for place in several {
                    text.push_str(&format!("\n  {place}"));
                }
                if places.len() > SHOWN {
                    text.push_str(&format!("\n  and {} more", places.len() - SHOWN));
                }
            }
        }
        if let Some(help) = self.left_behind(index).or(help) {
            text.push_str(&format!("\nhelp: {help}"));
        }
        text
    }

    /// What to do where an input is stored with other columns than its SQL gives by now, since it is not among what was asked for: what reads it was
    /// compiled with these, and is built of those.
    fn left_behind(&self, index: NodeIndex) -> Option<String> {
        let mut seen = BTreeSet::from([index]);
        let mut level = vec![index];
        while !level.is_empty() {
            let inputs = level.iter().flat_map(|node| self.graph.parents(*node)).copied();
            let inputs: Vec<NodeIndex> = inputs.filter(|node| seen.insert(*node)).collect();
            for input in &inputs {
                let node = self.graph.node(*input);
                if node.is_inlined() {
                    continue;
                }
                let (stored, now) = (self.stored(&tested_relation(node)), self.compiled.schema(*input));
                if let (Some(stored), Some(now)) = (stored, now)
                    && let Some(column) = other_column(&stored.schema, &now)
                {
                    return Some(format!(
                        "`{}` is stored with another column `{column}` than its SQL gives now: build it as well, as by --select +{}",
                        node.shown_name(),
                        self.graph.node(index).shown_name()
                    ));
                }
            }
            level = inputs.into_iter().filter(|node| self.graph.node(*node).is_inlined()).collect();
        }
        None
    }

    /// Where a part of a node's SQL stands in its file, for SQL as it runs: with ephemeral models before its own.
    fn place_in(&self, index: NodeIndex, sql: &str, range: Range<usize>) -> Option<Place> {
        let model = self.compiled.models.get(&index)?;
        let increment = model.increment.iter().map(|increment| (&increment.sql, &increment.rendered));
        let mut texts = std::iter::once((&model.sql, &model.rendered)).chain(increment);
        let (_, rendered) = texts.find(|(standalone, _)| *standalone == sql)?;
        let before = sql.len().checked_sub(rendered.sql.len())?;
        let own = range.start.checked_sub(before)?..range.end.checked_sub(before)?;
        let is_own = rendered.sql.get(own.clone()).is_some_and(|text| sql.get(range) == Some(text));
        is_own.then(|| rendered.map.place(own))
    }

    /// Where a culprit can stand: in the node's own SQL, else in that of what is put into it.
    fn places(&self, index: NodeIndex, culprit: &Culprit) -> Vec<Place> {
        let mut seen = BTreeSet::from([index]);
        let mut level = vec![index];
        while !level.is_empty() {
            let mut places: Vec<Place> = Vec::new();
            for node in &level {
                for place in self.own_places(*node, culprit) {
                    if !places.contains(&place) {
                        places.push(place);
                    }
                }
            }
            if !places.is_empty() {
                return places;
            }
            let inlined = level.iter().flat_map(|node| self.graph.parents(*node)).copied();
            level =
                inlined.filter(|node| self.graph.node(*node).is_inlined() && seen.insert(*node)).collect();
        }
        Vec::new()
    }

    fn own_places(&self, index: NodeIndex, culprit: &Culprit) -> Vec<Place> {
        let compiled = self.compiled;
        let of = |sql: &str, map: &SourceMap| -> Vec<Place> {
            let ranges: Vec<Range<usize>> = culprit.ranges(sql);
            ranges.into_iter().map(|range| map.place(range)).collect()
        };
        if let Some(model) = compiled.models.get(&index) {
            let whole = of(&model.rendered.sql, &model.rendered.map);
            return match &model.increment {
                Some(increment) if self.stored(&tested_relation(self.graph.node(index))).is_some() => {
                    let increment = of(&increment.rendered.sql, &increment.rendered.map);
                    if increment.is_empty() { whole } else { increment }
                }
                _ => whole,
            };
        }
        if let Some(snapshot) = compiled.snapshots.get(&index) {
            return of(&snapshot.rendered.sql, &snapshot.rendered.map);
        }
        compiled.tests.get(&index).map(|test| of(&test.rendered.sql, &test.rendered.map)).unwrap_or_default()
    }
}

/// The first column of one of two tables that the other one has not, or of another type.
fn other_column<'a>(stored: &'a Schema, now: &'a Schema) -> Option<&'a str> {
    let is_same = |one: &DataType, other: &DataType| one == other || (one.is_string() && other.is_string());
    let differs = |field: &&FieldRef, among: &Schema| {
        among
            .field_with_name(field.name())
            .map_or(true, |other| !is_same(other.data_type(), field.data_type()))
    };
    let of_now = now.fields().iter().find(|field| differs(field, stored));
    let other = of_now.or_else(|| stored.fields().iter().find(|field| differs(field, now)));
    other.map(|field| field.name().as_str())
}

/// A place as a line of a message: `models/a.sql:3:12: v / k`.
fn shown(place: &Place) -> String {
    let (line, column) = place.line_column();
    let path = place.text.path().display();
    let text = place.text.text();
    let written = text.get(place.span.start..place.span.end().min(text.len())).unwrap_or_default();
    let mut written = written.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = written.char_indices().nth(LONGEST) {
        written.truncate(at);
        written.push('…');
    }
    if written.is_empty() {
        format!("{path}:{line}:{column}")
    } else {
        format!("{path}:{line}:{column}: {written}")
    }
}
