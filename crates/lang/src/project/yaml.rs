//! YAML as a tree in which every key and value knows its place.
//!
//! Scalars are read by YAML 1.2's core schema, so `yes`, `on` and `2018-11-01` are texts. Two things are safer here
//! than there: a number with leading zeros (a postal code) and one too large for 64 bits stay texts.

use std::collections::{HashMap, HashSet};

use serde_json::{Number, Value as Json};
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::{Problem, Problems, SourceText, Span, Weight};
use mep_core::warnings::WarningKind;

/// How deep collections may lie in each other; keeps every walk over a tree from overflowing the stack.
const DEEPEST: usize = 100;
/// How much a document may hold once its aliases are expanded.
const HEAVIEST: usize = 1_000_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct YamlNode {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    /// What Jinja made of a text: counts as a number or boolean where one is needed.
    Rendered(String),
    List(Vec<YamlNode>),
    Mapping(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) node: YamlNode,
}

impl YamlNode {
    /// What an empty file says.
    pub(super) fn nothing() -> Self {
        Self { span: Span::default(), value: Value::Null }
    }

    /// The value without places.
    pub(super) fn json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Text(text) => Json::String(text.clone()),
            Value::Rendered(text) => match plain(text) {
                Value::Boolean(value) => Json::Bool(value),
                _ => Json::String(text.clone()),
            },
            Value::List(items) => items.iter().map(Self::json).collect(),
            Value::Mapping(entries) => {
                Json::Object(entries.iter().map(|entry| (entry.key.clone(), entry.node.json())).collect())
            }
        }
    }

    fn weight(&self) -> usize {
        match &self.value {
            Value::Text(text) | Value::Rendered(text) => 1 + text.len() / 32,
            Value::List(items) => 1 + items.iter().map(Self::weight).sum::<usize>(),
            Value::Mapping(entries) => 1 + entries.iter().map(|entry| entry.node.weight()).sum::<usize>(),
            _ => 1,
        }
    }

    fn height(&self) -> usize {
        match &self.value {
            Value::List(items) => 1 + items.iter().map(Self::height).max().unwrap_or(0),
            Value::Mapping(entries) => 1 + entries.iter().map(|entry| entry.node.height()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// Reads one document; `None`, with a problem, where the text is no YAML.
pub(super) fn parse(file: &SourceText, problems: &mut Problems) -> Option<YamlNode> {
    let options = granit_parser::options! { emit_comments: false };
    let parser = Parser::new_from_str_with_options(file.text(), options);
    let mut tree =
        Tree { file, problems, frames: Vec::new(), anchors: HashMap::new(), weight: 0, root: None };
    tree.read(parser).ok()?;
    Some(tree.root.unwrap_or_else(YamlNode::nothing))
}

/// The parser stopped; the problem is already told.
struct Stopped;

enum Frame {
    List {
        start: usize,
        anchor: usize,
        items: Vec<YamlNode>,
    },
    Mapping {
        start: usize,
        anchor: usize,
        entries: Vec<Entry>,
        merged: Vec<YamlNode>,
        key: Option<PendingKey>,
    },
}

/// A key that waits for its value.
struct PendingKey {
    /// `None` where the key is no scalar: its value is read, told of, and dropped.
    text: Option<String>,
    span: Span,
    is_merge: bool,
}

struct Tree<'a> {
    file: &'a SourceText,
    problems: &'a mut Problems,
    frames: Vec<Frame>,
    anchors: HashMap<usize, YamlNode>,
    weight: usize,
    root: Option<YamlNode>,
}

impl<'a> Tree<'a> {
    fn read(&mut self, parser: Parser<'a, StrInput<'a>>) -> Result<(), Stopped> {
        for next in parser {
            let (event, span) = next.map_err(|error| self.syntax(&error))?;
            let bytes = span.byte_range().unwrap_or_default();
            match event {
                Event::DocumentStart(..) if self.root.is_some() => {
                    let problem = Problem::new("expected one YAML document, found another after `---`");
                    return Err(self.stop(problem, Span::range(bytes.start, bytes.end)));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let span = self.one_line(bytes.start, bytes.end);
                    self.scalar(text.into_owned(), style, anchor, tag.as_deref(), span)?;
                }
                Event::SequenceStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), "seq", bytes.start)?;
                    self.open(Frame::List { start: bytes.start, anchor, items: Vec::new() })?;
                }
                Event::MappingStart(_, anchor, tag) => {
                    self.check_tag(tag.as_deref(), "map", bytes.start)?;
                    let (entries, merged) = (Vec::new(), Vec::new());
                    self.open(Frame::Mapping { start: bytes.start, anchor, entries, merged, key: None })?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(bytes.end)?,
                Event::Alias(anchor) => {
                    let span = Span::range(bytes.start, bytes.end);
                    self.alias(anchor, span)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn syntax(&mut self, error: &ScanError) -> Stopped {
        let length = self.file.text().len();
        let at = error.marker().byte_offset().unwrap_or(length).min(length);
        let problem = Problem::new(format!("this is no YAML: {}", error.info()));
        self.stop(problem, Span { start: at, len: 0 })
    }

    fn stop(&mut self, problem: Problem, span: Span) -> Stopped {
        self.problems.push(problem.at(&self.file.at(span)));
        Stopped
    }

    /// The part of a range on its first line: a label under many lines shows less, not more.
    fn one_line(&self, start: usize, end: usize) -> Span {
        let text = self.file.text();
        let end = end.min(text.len());
        let line = text.get(start..end).unwrap_or_default();
        let line = line.split('\n').next().unwrap_or_default();
        Span { start, len: line.trim_end().len() }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, own: &str, start: usize) -> Result<(), Stopped> {
        match tag {
            Some(tag) if tag.core_suffix() != Some(own) => {
                let problem =
                    Problem::new(format!("the YAML tag `{}` is not supported by mep", tag.original()));
                Err(self.stop(problem, Span { start, len: 0 }))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Stopped> {
        let (Frame::List { start, .. } | Frame::Mapping { start, .. }) = &frame;
        self.check_depth(self.frames.len() + 1, Span { start: *start, len: 0 })?;
        self.frames.push(frame);
        Ok(())
    }

    fn check_depth(&mut self, depth: usize, span: Span) -> Result<(), Stopped> {
        if depth <= DEEPEST {
            return Ok(());
        }
        Err(self.stop(Problem::new(format!("expected at most {DEEPEST} levels, found more")), span))
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Stopped> {
        let is_plain = style == ScalarStyle::Plain;
        if anchor == 0
            && let Some(Frame::Mapping { key: key @ None, .. }) = self.frames.last_mut()
        {
            let is_merge = is_plain && text == "<<";
            *key = Some(PendingKey { text: Some(text), span, is_merge });
            return Ok(());
        }
        let value = match tag.map(|tag| (tag.core_suffix(), tag)) {
            None if is_plain => plain(&text),
            Some((Some("int" | "float" | "bool" | "null"), _)) => plain(&text),
            None | Some((Some("str"), _)) => Value::Text(text),
            Some((_, tag)) if tag.original() == "!" => Value::Text(text),
            Some((_, tag)) => return self.check_tag(Some(tag), "str", span.start),
        };
        self.complete(YamlNode { span, value }, anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Stopped> {
        let Some(mut node) = self.anchors.get(&anchor).cloned() else {
            return Err(self.stop(Problem::new("an alias cannot stand inside of what it names"), span));
        };
        node.span = span;
        self.weight += node.weight();
        self.check_depth(self.frames.len() + node.height(), span)?;
        self.complete(node, 0)
    }

    fn close(&mut self, end: usize) -> Result<(), Stopped> {
        match self.frames.pop() {
            Some(Frame::List { start, anchor, items }) => {
                let span = self.one_line(start, end);
                self.complete(YamlNode { span, value: Value::List(items) }, anchor)
            }
            Some(Frame::Mapping { start, anchor, mut entries, merged, .. }) => {
                self.check_duplicates(&mut entries);
                merge(&mut entries, merged);
                let span = self.one_line(start, end);
                self.complete(YamlNode { span, value: Value::Mapping(entries) }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs.
    fn complete(&mut self, node: YamlNode, anchor: usize) -> Result<(), Stopped> {
        self.weight += 1;
        if self.weight > HEAVIEST {
            return Err(self.stop(Problem::new("expected a smaller file, found too much for one"), node.span));
        }
        if anchor != 0 {
            self.weight += node.weight();
            self.anchors.insert(anchor, node.clone());
        }
        let file = self.file;
        let complain = |problems: &mut Problems, message: &str, span| {
            problems.push(Problem::new(message).at(&file.at(span)));
        };
        match self.frames.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Mapping { key: key @ None, .. }) => {
                let text = key_text(&node.value);
                if text.is_none() {
                    complain(self.problems, "expected a text as key, found a list or mapping", node.span);
                }
                *key = Some(PendingKey { text, span: node.span, is_merge: false });
            }
            Some(Frame::Mapping { entries, merged, key, .. }) => match key.take() {
                Some(PendingKey { is_merge: true, .. }) => match node.value {
                    Value::List(nodes) => merged.extend(nodes),
                    Value::Mapping(_) => merged.push(node),
                    _ => {
                        complain(
                            self.problems,
                            "expected a mapping to merge, found another value",
                            node.span,
                        );
                    }
                },
                Some(PendingKey { text: Some(key), span, .. }) => {
                    entries.push(Entry { key, key_span: span, node });
                }
                _ => {}
            },
        }
        Ok(())
    }

    /// Tells of keys that are written twice, and keeps the last, as dbt does.
    fn check_duplicates(&mut self, entries: &mut Vec<Entry>) {
        let mut last: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
        let mut keep = vec![true; entries.len()];
        for (at, entry) in entries.iter().enumerate() {
            let Some(earlier) = last.insert(&entry.key, at) else { continue };
            keep[earlier] = false;
            let (line, _) = self.file.at(entries[earlier].key_span).line_column();
            let message = format!("the key `{}` is written twice, and the last one counts", entry.key);
            let problem = Problem::new(message).at(&self.file.at(entry.key_span)).weighing(Weight::Warning);
            let problem = problem.kind(WarningKind::DuplicateKey);
            self.problems.push(problem.help(format!("the first is on line {line}; take one of them away")));
        }
        let mut keep = keep.into_iter();
        entries.retain(|_| keep.next().unwrap_or(true));
    }
}

/// Adds what `<<` brings, where the mapping does not say it itself.
fn merge(entries: &mut Vec<Entry>, merged: Vec<YamlNode>) {
    if merged.is_empty() {
        return;
    }
    let mut known: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for node in merged {
        let Value::Mapping(more) = node.value else { continue };
        entries.extend(more.into_iter().filter(|entry| known.insert(entry.key.clone())));
    }
}

fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Rendered(text) => Some(text.clone()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null => Some("null".to_owned()),
        Value::List(_) | Value::Mapping(_) => None,
    }
}

/// What a text without quotes is.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        _ => number(text).map_or_else(|| Value::Text(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Number::from);
    }
    let mut characters = unsigned.chars();
    let has_leading_zero =
        characters.next() == Some('0') && characters.next().is_some_and(|second| second.is_ascii_digit());
    if has_leading_zero {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let signed = text.parse::<i64>().ok().map(Number::from);
        return signed.or_else(|| text.parse::<u64>().ok().map(Number::from));
    }
    let is_float = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let float = text.parse::<f64>().ok().filter(|float| is_float && float.is_finite())?;
    Number::from_f64(float)
}
