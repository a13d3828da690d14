//! A column of lists, structures or maps in the making.
//!
//! Owns how JSON within a row becomes such a value: a list is a JSON list, a structure an object with its fields (others are ignored, one
//! that is not there is NULL), a map an object with any keys. What stands within follows the rule of `column.rs`. Comes in: the JSON
//! of one value, then the word that its row is good. Goes out: an Arrow array, or what does not fit and where. Must not know: rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use super::column::{ColumnBuilder, Given, sql_name};
use super::json::{JsonScanner, JsonValue, PlaceUnit, Text};
use super::making::misfit_within;

/// A column of values that hold others.
#[derive(Debug)]
pub(super) struct NestedColumn {
    node: ValueNode,
    current: Text,
    fault: String,
}

#[derive(Debug)]
enum ValueNode {
    Leaf(Box<ColumnBuilder>, DataType),
    List { item: Box<ValueNode>, field: FieldRef, offsets: Vec<i32>, valid: NullBufferBuilder },
    Struct { children: Vec<ValueNode>, fields: Fields, valid: NullBufferBuilder, rows: usize },
    Map { entries: Box<MapEntries>, field: FieldRef, offsets: Vec<i32>, valid: NullBufferBuilder },
}

#[derive(Debug)]
struct MapEntries {
    key: ColumnBuilder,
    key_type: DataType,
    value: ValueNode,
    fields: Fields,
}

/// Whether a value is only looked at, or kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadingPass {
    Check,
    Keep,
}

impl NestedColumn {
    /// An empty column of lists, structures or maps; `None` for other types, and for what rows cannot be read into.
    pub(super) fn new(data_type: &DataType) -> Option<Self> {
        if !matches!(data_type, DataType::List(_) | DataType::Struct(_) | DataType::Map(_, false)) {
            return None;
        }
        Some(Self { node: ValueNode::new(data_type)?, current: Text::default(), fault: String::new() })
    }

    /// Takes the JSON of the current row's value; false where it does not fit, and [`NestedColumn::fault`] says why.
    pub(super) fn set(&mut self, json: Text, scanner: &JsonScanner<'_>) -> bool {
        self.current = json;
        let text = scanner.text(json);
        let mut inner = JsonScanner::new(text);
        let read = self.node.read(&mut inner, ReadingPass::Check).and_then(|()| match inner.peek() {
            None => Ok(()),
            Some(_) => Err(inner.unexpected("the end of the value").describe(text, 0, PlaceUnit::Value)),
        });
        match read {
            Ok(()) => true,
            Err(fault) => {
                self.fault = match fault.strip_prefix("within ") {
                    Some(within) => format!("within it at {within}"),
                    None => fault,
                };
                false
            }
        }
    }

    /// Why the last value did not fit.
    pub(super) fn fault(&self) -> &str {
        &self.fault
    }

    /// Adds the current value, or null.
    pub(super) fn commit(&mut self, is_given: bool, scanner: &JsonScanner<'_>) {
        if is_given {
            let mut inner = JsonScanner::new(scanner.text(self.current));
            // It was read so before, and nothing else can come of it.
            let _ = self.node.read(&mut inner, ReadingPass::Keep);
        } else {
            self.node.append_null();
        }
    }

    /// All values so far; the column is empty afterwards.
    pub(super) fn finish(&mut self) -> ArrayRef {
        self.node.finish()
    }
}

impl ValueNode {
    fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::List(field) => Self::List {
                item: Box::new(Self::new(field.data_type())?),
                field: field.clone(),
                offsets: vec![0],
                valid: NullBufferBuilder::new(0),
            },
            DataType::Struct(fields) => Self::Struct {
                children: fields.iter().map(|field| Self::new(field.data_type())).collect::<Option<_>>()?,
                fields: fields.clone(),
                valid: NullBufferBuilder::new(0),
                rows: 0,
            },
            DataType::Map(field, false) => {
                let DataType::Struct(fields) = field.data_type() else { return None };
                let [key, value] = fields.as_ref() else { return None };
                let entries = MapEntries {
                    key: ColumnBuilder::new(key.data_type(), 0)?,
                    key_type: key.data_type().clone(),
                    value: Self::new(value.data_type())?,
                    fields: fields.clone(),
                };
                Self::Map {
                    entries: Box::new(entries),
                    field: field.clone(),
                    offsets: vec![0],
                    valid: NullBufferBuilder::new(0),
                }
            }
            other => Self::Leaf(Box::new(ColumnBuilder::new(other, 0)?), other.clone()),
        })
    }

    /// Reads the value that comes next. A reason begins with `within <path>: ` where it is of a part.
    fn read(&mut self, scanner: &mut JsonScanner<'_>, pass: ReadingPass) -> Result<(), String> {
        let json = |fault: super::json::Fault| fault.describe("", 0, PlaceUnit::Value);
        let start = scanner.peek();
        let is_null = start == Some(b'n');
        match self {
            Self::Leaf(column, data_type) => {
                let value = scanner.value().map_err(json)?;
                let given = column
                    .set(&value, scanner)
                    .map_err(|misfit| misfit_within(column, data_type, misfit, &scanner.describe(&value)))?;
                if pass == ReadingPass::Keep {
                    column.commit(given == Given::Value, scanner);
                }
            }
            _ if is_null => {
                scanner.value().map_err(json)?;
                if pass == ReadingPass::Keep {
                    self.append_null();
                }
            }
            Self::List { item, offsets, valid, field } => {
                if start != Some(b'[') {
                    return Err(expected(field.data_type(), "a list of", scanner));
                }
                scanner.take(b'[');
                let mut count = 0_i32;
                if !scanner.take(b']') {
                    loop {
                        item.read(scanner, pass).map_err(|reason| within(&format!("[{count}]"), &reason))?;
                        count += 1;
                        if scanner.take(b']') {
                            break;
                        }
                        scanner.expect(b',', "`,` or `]`").map_err(json)?;
                    }
                }
                if pass == ReadingPass::Keep {
                    let last = offsets.last().copied().unwrap_or_default();
                    offsets.push(last.saturating_add(count));
                    valid.append_non_null();
                }
            }
            Self::Struct { children, fields, valid, rows } => {
                if start != Some(b'{') {
                    return Err(expected(&DataType::Struct(fields.clone()), "", scanner));
                }
                scanner.take(b'{');
                let mut is_read = vec![false; children.len()];
                if !scanner.take(b'}') {
                    loop {
                        let key = scanner.key().map_err(json)?;
                        match find(fields, scanner.text(key)) {
                            None => {
                                scanner.value().map_err(json)?;
                            }
                            Some(index) => {
                                let name = fields[index].name();
                                if std::mem::replace(&mut is_read[index], true) {
                                    return Err(within(name, "it is given twice"));
                                }
                                children[index]
                                    .read(scanner, pass)
                                    .map_err(|reason| within(name, &reason))?;
                            }
                        }
                        if scanner.take(b'}') {
                            break;
                        }
                        scanner.expect(b',', "`,` or `}`").map_err(json)?;
                    }
                }
                if pass == ReadingPass::Keep {
                    for (child, _) in children.iter_mut().zip(is_read).filter(|(_, is_read)| !is_read) {
                        child.append_null();
                    }
                    valid.append_non_null();
                    *rows += 1;
                }
            }
            Self::Map { entries, offsets, valid, .. } => {
                if start != Some(b'{') {
                    return Err(expected(&entries.value.data_type(), "an object of", scanner));
                }
                scanner.take(b'{');
                let mut keys = std::collections::HashSet::new();
                if !scanner.take(b'}') {
                    loop {
                        let key = scanner.key().map_err(json)?;
                        let name = scanner.text(key).to_owned();
                        let given = entries.key.set(&JsonValue::Text(key), scanner).map_err(|misfit| {
                            let found = format!("the key \"{name}\"");
                            misfit_within(&entries.key, &entries.key_type, misfit, &found)
                        })?;
                        if given == Given::Null {
                            return Err(format!(
                                "expected {} as key, found \"\"",
                                sql_name(&entries.key_type)
                            ));
                        }
                        if !keys.insert(name.clone()) {
                            return Err(within(&name, "it is given twice"));
                        }
                        if pass == ReadingPass::Keep {
                            entries.key.commit(true, scanner);
                        }
                        entries.value.read(scanner, pass).map_err(|reason| within(&name, &reason))?;
                        if scanner.take(b'}') {
                            break;
                        }
                        scanner.expect(b',', "`,` or `}`").map_err(json)?;
                    }
                }
                if pass == ReadingPass::Keep {
                    let last = offsets.last().copied().unwrap_or_default();
                    offsets.push(last.saturating_add(i32::try_from(keys.len()).unwrap_or(i32::MAX)));
                    valid.append_non_null();
                }
            }
        }
        Ok(())
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Leaf(_, data_type) => data_type.clone(),
            Self::List { field, .. } => DataType::List(field.clone()),
            Self::Struct { fields, .. } => DataType::Struct(fields.clone()),
            Self::Map { field, .. } => DataType::Map(field.clone(), false),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Leaf(column, _) => column.commit(false, &JsonScanner::new("")),
            Self::List { offsets, valid, .. } | Self::Map { offsets, valid, .. } => {
                offsets.push(offsets.last().copied().unwrap_or_default());
                valid.append_null();
            }
            Self::Struct { children, valid, rows, .. } => {
                children.iter_mut().for_each(ValueNode::append_null);
                valid.append_null();
                *rows += 1;
            }
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let taken = |offsets: &mut Vec<i32>| {
            OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])))
        };
        match self {
            Self::Leaf(column, _) => column.finish(),
            Self::List { item, field, offsets, valid } => {
                Arc::new(ListArray::new(field.clone(), taken(offsets), item.finish(), valid.finish()))
            }
            Self::Struct { children, fields, valid, rows } => {
                let arrays: Vec<ArrayRef> = children.iter_mut().map(ValueNode::finish).collect();
                let (nulls, rows) = (valid.finish(), std::mem::take(rows));
                let empty = || StructArray::new_empty_fields(rows, nulls.clone());
                if arrays.is_empty() {
                    Arc::new(empty())
                } else {
                    Arc::new(StructArray::new(fields.clone(), arrays, nulls))
                }
            }
            Self::Map { entries, field, offsets, valid } => {
                let arrays = vec![entries.key.finish(), entries.value.finish()];
                let of_entries = StructArray::new(entries.fields.clone(), arrays, None);
                Arc::new(MapArray::new(field.clone(), taken(offsets), of_entries, valid.finish(), false))
            }
        }
    }
}

/// The field that a key names: as it is spelled, else in any case.
fn find(fields: &Fields, key: &str) -> Option<usize> {
    let exact = fields.iter().position(|field| field.name() == key);
    exact.or_else(|| {
        let lower = key.to_lowercase();
        fields.iter().position(|field| field.name().to_lowercase() == lower)
    })
}

fn expected(data_type: &DataType, what: &str, scanner: &mut JsonScanner<'_>) -> String {
    let value = scanner.value();
    let found = value.map_or_else(|_| "no JSON".to_owned(), |value| scanner.describe(&value));
    let what = if what.is_empty() { String::new() } else { format!("{what} ") };
    format!("expected {what}{}, found {found}", sql_name(data_type))
}

/// A reason of a part, with the way to it.
fn within(part: &str, reason: &str) -> String {
    match reason.strip_prefix("within ") {
        Some(rest) if rest.starts_with('[') => format!("within {part}{rest}"),
        Some(rest) => format!("within {part}.{rest}"),
        None => format!("within {part}: {reason}"),
    }
}
