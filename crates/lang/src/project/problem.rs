//! What is wrong with the user's files: each problem with its place and a way on.

use std::collections::HashMap;
use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::text::{Place, SourceText};
use super::{profiles, snippet};
use mep_core::nearest::nearest;
use mep_core::warnings::WarningKind;

/// The bytes of the longest message.
const LONGEST: usize = 2_000;

/// One thing that is wrong with the project, for the user's eyes.
///
/// The message is lower case and says what was expected and found; the help says how to go on.
#[derive(Clone, Debug)]
pub struct Problem {
    message: String,
    weight: Weight,
    kind: Option<WarningKind>,
    help: Option<String>,
    label: Option<String>,
    /// In a box, so that a result with a problem stays small.
    source: Option<Box<(Place, NamedSource<SourceText>)>>,
}

/// What becomes of a project with a problem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Nothing is done with it.
    #[default]
    Error,
    /// The user is told, and mep goes on.
    Warning,
    /// The user is told once, however often it stands there, and mep goes on.
    Once,
    /// A key that nothing reads, or a name that nothing has: told once, and an error where the user asked for strictness.
    Unknown,
}

impl Problem {
    /// A problem that has no place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: cut(message.into()),
            weight: Weight::default(),
            kind: None,
            help: None,
            label: None,
            source: None,
        }
    }

    /// Says what becomes of the project.
    #[must_use]
    pub fn weighing(mut self, weight: Weight) -> Self {
        self.weight = weight;
        self
    }

    /// Says what it is about, where it is a warning.
    #[must_use]
    pub fn kind(mut self, kind: WarningKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// What it is about, where it is a warning.
    pub fn warning_kind(&self) -> WarningKind {
        self.kind.unwrap_or(match self.weight {
            Weight::Unknown => WarningKind::UnknownKey,
            Weight::Once => WarningKind::KeyWithoutEffect,
            Weight::Error | Weight::Warning => WarningKind::Project,
        })
    }

    /// Points at where the problem is.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        let name = place.text.path().display().to_string();
        let source = NamedSource::new(name, place.text.clone());
        self.source = Some(Box::new((place.clone(), source)));
        self
    }

    /// Says at the place, in a few words, what is wrong there.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Says it in other words.
    #[must_use]
    pub fn saying(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.message = cut(words(&self.message));
        self
    }

    /// Says how to go on.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Offers the candidate nearest to `wanted`, if one is near.
    #[must_use]
    pub fn did_you_mean<'a>(self, wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(wanted, candidates) {
            Some(candidate) => self.help(format!("did you mean `{candidate}`?")),
            None => self,
        }
    }

    /// The message alone, without place or help.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where the problem is, if it has a place.
    pub fn place(&self) -> Option<&Place> {
        self.source.as_deref().map(|(place, _)| place)
    }

    /// How to go on, if something is known.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// A message may hold a text of the user's, which may be of any length.
fn cut(mut message: String) -> String {
    if message.len() > LONGEST {
        message.truncate(message.floor_char_boundary(LONGEST));
        message.push_str(" ...");
    }
    message
}

/// A line of the profiles may hold a password, under whatever key, and what is shown goes to logs.
fn is_confidential(place: &Place) -> bool {
    place.text.path().file_name().is_some_and(|name| name == profiles::FILE)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    /// Where it is, of a file whose lines are not shown.
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let place = self.place().filter(|place| is_confidential(place))?;
        let (line, column) = place.line_column();
        Some(Box::new(format!("{}:{line}:{column}", place.text.path().display())))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        if self.place().is_some_and(is_confidential) {
            return None;
        }
        self.source.as_deref().map(|(_, source)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place().filter(|place| !is_confidential(place))?;
        let span = snippet::shown(&place.text, place.span);
        let span = (span.start, span.len);
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(self.label.clone(), span))))
    }
}

/// All that is wrong with a project: reading goes on after the first problem, so that the user sees all at once.
#[derive(Clone, Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, problems: impl IntoIterator<Item = Problem>) {
        self.0.extend(problems);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The problems in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Whether there is one with which nothing can be done.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.weight == Weight::Error)
    }

    /// Takes the warnings out, each of those that are told once at its first place. A key that nothing reads stays an
    /// error where `is_strict`.
    pub fn take_warnings(&mut self, is_strict: bool) -> Vec<Problem> {
        let is_error = |problem: &Problem| {
            problem.weight == Weight::Error || is_strict && problem.weight == Weight::Unknown
        };
        let (errors, told) = std::mem::take(&mut self.0).into_iter().partition(is_error);
        self.0 = errors;
        told_once(told)
    }

    /// `value` where nothing is wrong, else the problems.
    ///
    /// # Errors
    /// Where there is a problem.
    pub fn none_or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<T: IntoIterator<Item = Problem>>(problems: T) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Without those that say the same as an earlier one, where that is enough.
fn told_once(problems: Vec<Problem>) -> Vec<Problem> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut told: Vec<(Problem, usize)> = Vec::new();
    for problem in problems {
        let earlier = first.get(&problem.message).copied().filter(|_| problem.weight != Weight::Warning);
        let Some((_, times)) = earlier.and_then(|index| told.get_mut(index)) else {
            first.insert(problem.message.clone(), told.len());
            told.push((problem, 0));
            continue;
        };
        *times += 1;
    }
    let counted = |(problem, more): (Problem, usize)| match (more, problem.help.clone()) {
        (0, _) => problem,
        (1, None) => problem.help("it stands in another place too"),
        (1, Some(help)) => problem.help(format!("{help} (it stands in another place too)")),
        (more, None) => problem.help(format!("it stands in {more} more places")),
        (more, Some(help)) => problem.help(format!("{help} (it stands in {more} more places)")),
    };
    told.into_iter().map(counted).collect()
}
