//! Constraints: what properties promise of the rows of a table.

use super::item::Mapping;
use super::{Located, Place, Problem, Problems, Properties, Weight};
use mep_core::keys::{Key, Section, Shape, key};
use mep_core::warnings::WarningKind;

/// What a constraint promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// Columns have a value in every row.
    NotNull,
    /// No two rows have the same values in columns.
    Unique,
    /// Both.
    PrimaryKey,
    /// The values of columns are those of a row of another table.
    ForeignKey,
    /// A condition is false for no row.
    Check,
    /// Words for one database alone.
    Custom,
}

impl ConstraintKind {
    const ALL: [Self; 6] =
        [Self::NotNull, Self::Unique, Self::PrimaryKey, Self::ForeignKey, Self::Check, Self::Custom];

    /// dbt's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNull => "not_null",
            Self::Unique => "unique",
            Self::PrimaryKey => "primary_key",
            Self::ForeignKey => "foreign_key",
            Self::Check => "check",
            Self::Custom => "custom",
        }
    }
}

/// A constraint of a model or a column, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// What it promises.
    pub kind: ConstraintKind,
    /// What the user calls it.
    pub name: Option<String>,
    /// The columns that it is about; of a column's constraint that column.
    pub columns: Vec<Located<String>>,
    /// A condition; of a foreign key, the table and its columns in the words of SQL.
    pub expression: Option<Located<String>>,
    /// Of a foreign key: `ref()` or `source()` as written.
    pub to: Option<Located<String>>,
    /// Of a foreign key: the columns that `to` has for `columns`.
    pub to_columns: Vec<Located<String>>,
    /// Whether the user is told of it by a database that knows it and does not check it.
    pub warn_unenforced: bool,
    /// Whether the user is told of it by one that does not know it.
    pub warn_unsupported: bool,
    /// Where its type stands.
    pub place: Place,
}

impl Constraint {
    /// Whether the user is told where nothing checks it.
    pub fn warns(&self) -> bool {
        self.warn_unenforced && self.warn_unsupported
    }
}

const KEYS: [Key; 8] = [
    key("type", "", "needed", "What it promises. `custom` is in the words of one database, and only warned of.").of(Shape::Words(|| ConstraintKind::ALL.map(ConstraintKind::as_str).to_vec())),
    key("name", "text", "", "What messages call it.").of(Shape::Text),
    key(
        "columns",
        "list of columns",
        "the column's own",
        "Of a model's constraint: the columns that it is about.",
    ).of(Shape::List(&Shape::Text)),
    key(
        "expression",
        "SQL",
        "",
        "Of `check`: the condition, which is false for no row. Of `foreign_key`: the table and its columns, as `main.customers (id)`.",
    ).of(Shape::Text),
    key("to", "ref or source", "", "Of `foreign_key`: the table that has the values.").of(Shape::Text),
    key("to_columns", "list of columns", "", "Of `foreign_key`: the columns of that table.").of(Shape::List(&Shape::Text)),
    key("warn_unenforced", "true or false", "true", "Whether the user is told where it is not checked.").of(Shape::Boolean),
    key("warn_unsupported", "true or false", "true", "The same.").of(Shape::Boolean),
];

/// The keys of a constraint.
pub(super) fn reference() -> Section {
    Section::of("A constraint of a model or of a column", &[&KEYS])
}

/// Reads `constraints:` of a table, or of the column of this name.
pub(super) fn read_constraints(
    of: Mapping<'_>,
    column: Option<&Located<String>>,
    problems: &mut Problems,
) -> Vec<Constraint> {
    let Some(constraints) = of.get("constraints") else { return Vec::new() };
    let written = constraints.mappings(problems);
    written.into_iter().filter_map(|constraint| read_constraint(constraint, column, problems)).collect()
}

fn read_constraint(
    constraint: Mapping<'_>,
    column: Option<&Located<String>>,
    problems: &mut Problems,
) -> Option<Constraint> {
    constraint.check_keys("a constraint", &[&KEYS], problems);
    let written = constraint.required("type", "a constraint", problems)?;
    let Some(kind) = ConstraintKind::ALL.into_iter().find(|kind| kind.as_str() == written.value) else {
        let words = ConstraintKind::ALL.map(ConstraintKind::as_str);
        let problem = Problem::new(format!("unknown constraint `{}`", written.value)).at(&written.place);
        let problem = problem.help(format!("the constraints are {}", words.join(", ")));
        problems.push(problem.did_you_mean(&written.value, words));
        return None;
    };
    let mut texts = |key: &str| constraint.get(key).map(|item| item.texts(problems)).unwrap_or_default();
    let (own, to_columns) = (texts("columns"), texts("to_columns"));
    let columns = column.map_or(own, |column| vec![column.clone()]);
    let mut text = |key: &str| constraint.get(key).and_then(|item| item.located_text(problems));
    let (name, expression, to) = (text("name"), text("expression"), text("to"));
    let mut told = |key: &str| constraint.get(key).and_then(|item| item.boolean(problems)).unwrap_or(true);
    let (warn_unenforced, warn_unsupported) = (told("warn_unenforced"), told("warn_unsupported"));
    let place = written.place;
    let read = Constraint {
        kind,
        name: name.map(|name| name.value),
        columns,
        expression,
        to,
        to_columns,
        warn_unenforced,
        warn_unsupported,
        place,
    };
    match lacks(&read) {
        Some((lacks, help)) => {
            let problem = Problem::new(format!("a constraint `{}` needs {lacks}", kind.as_str()));
            problems.push(problem.at(&read.place).help(help));
            None
        }
        None => Some(read),
    }
}

/// What a constraint lacks to be checked, and how to say it.
fn lacks(read: &Constraint) -> Option<(&'static str, &'static str)> {
    use ConstraintKind as Kind;
    let is_said =
        |text: &Option<Located<String>>| text.as_ref().is_some_and(|text| !text.value.trim().is_empty());
    match read.kind {
        Kind::NotNull | Kind::Unique | Kind::PrimaryKey | Kind::ForeignKey if read.columns.is_empty() => {
            Some(("`columns`", "write columns: [a_column]"))
        }
        Kind::Check if !is_said(&read.expression) => {
            Some(("`expression`", "write the condition, such as amount > 0"))
        }
        Kind::ForeignKey if !is_said(&read.expression) && !is_said(&read.to) => {
            Some(("`to` or `expression`", "write to: ref('a_model') and to_columns: [a_column]"))
        }
        Kind::ForeignKey if is_said(&read.to) && read.to_columns.len() != read.columns.len() => Some((
            "as many `to_columns` as it has columns",
            "write the column of the other table for each column of this one",
        )),
        _ => None,
    }
}

/// Tells of the constraints of a source table that nothing checks: all but `not_null` of a column.
pub(super) fn warn_of_source(table: &Properties, problems: &mut Problems) {
    let of_columns = table.columns.iter().flat_map(|column| &column.constraints);
    let of_columns = of_columns.filter(|constraint| constraint.kind != ConstraintKind::NotNull);
    for constraint in of_columns.chain(&table.constraints).filter(|constraint| constraint.warns()) {
        let message = format!("the constraint `{}` of a source is not checked", constraint.kind.as_str());
        let problem = Problem::new(message).at(&constraint.place).weighing(Weight::Warning);
        let problem = problem.kind(WarningKind::UncheckedConstraint);
        problems.push(problem.help("use a data test; `not_null` of a column rejects rows without a value"));
    }
}
