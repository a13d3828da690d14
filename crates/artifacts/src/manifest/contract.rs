//! Contracts and constraints in dbt's words.

use serde_json::{Value as Json, json};

use super::sha256;
use mep_graph::{Materialization, Node, python_quoted};
use mep_lang::project::Constraint;

/// A constraint of a column.
pub(super) fn of_column(constraint: &Constraint) -> Json {
    json!({
        "type": constraint.kind.as_str(),
        "name": constraint.name,
        "expression": constraint.expression.as_ref().map(|written| &written.value),
        "warn_unenforced": constraint.warn_unenforced,
        "warn_unsupported": constraint.warn_unsupported,
        "to": constraint.to.as_ref().map(|written| &written.value),
        "to_columns": constraint.to_columns.iter().map(|column| &column.value).collect::<Vec<_>>(),
    })
}

/// A constraint of a model.
pub(super) fn of_model(constraint: &Constraint) -> Json {
    let mut json = of_column(constraint);
    json["columns"] = constraint.columns.iter().map(|column| column.value.as_str()).collect();
    json
}

/// What tells whether an enforced contract is another than it was: dbt's hash of the columns, and of the constraints of the
/// table that `constraints` has, as Python shows them.
pub(super) fn checksum(node: &Node, constraints: &[Constraint]) -> String {
    let mut columns: Vec<_> = node.columns.iter().collect();
    columns.sort_by(|one, other| one.name.value.cmp(&other.name.value));
    let mut text = String::new();
    for column in columns {
        let data_type = column.data_type.as_ref().map_or("None", |written| written.value.as_str());
        text += &format!("|{}{data_type}{}", column.name.value, shown(&column.constraints, false));
    }
    if matches!(node.config.materialized(), Materialization::Table | Materialization::Incremental) {
        text += node.config.materialized().as_str();
        text += &shown(constraints, true);
    }
    sha256(text.as_bytes())
}

fn shown(constraints: &[Constraint], of_model: bool) -> String {
    let shown = constraints.iter().map(|constraint| shown_one(constraint, of_model));
    format!("[{}]", shown.collect::<Vec<_>>().join(", "))
}

fn shown_one(constraint: &Constraint, of_model: bool) -> String {
    let text = |text: Option<&str>| text.map_or_else(|| "None".to_owned(), python_quoted);
    let flag = |flag: bool| if flag { "True" } else { "False" };
    let list = |columns: &[mep_lang::project::Located<String>]| {
        let quoted = columns.iter().map(|column| python_quoted(&column.value));
        format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
    };
    let level = if of_model { "Model" } else { "Column" };
    let columns = if of_model { format!(", columns={}", list(&constraint.columns)) } else { String::new() };
    let kind = constraint.kind.as_str();
    format!(
        "{level}LevelConstraint(type=<ConstraintType.{kind}: '{kind}'>, name={}, expression={}, warn_unenforced={}, \
         warn_unsupported={}, to={}, to_columns={}{columns})",
        text(constraint.name.as_deref()),
        text(constraint.expression.as_ref().map(|written| written.value.as_str())),
        flag(constraint.warn_unenforced),
        flag(constraint.warn_unsupported),
        text(constraint.to.as_ref().map(|written| written.value.as_str())),
        list(&constraint.to_columns),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_lang::project::{ConstraintKind, Located, SourceText, Span};

    #[test]
    fn constraints_are_shown_as_python_shows_them() {
        let place = SourceText::new("a.yml", "x").at(Span { start: 0, len: 1 });
        let located = |value: &str| Located { value: value.to_owned(), place: place.clone() };
        let check = Constraint {
            kind: ConstraintKind::Check,
            name: Some("po\"s".to_owned()),
            columns: vec![located("id")],
            expression: Some(located("id > 0 and s <> 'a'")),
            to: None,
            to_columns: Vec::new(),
            warn_unenforced: true,
            warn_unsupported: true,
            place: place.clone(),
        };
        let key = Constraint {
            kind: ConstraintKind::ForeignKey,
            name: None,
            expression: None,
            to: Some(located("ref('m')")),
            to_columns: vec![located("x")],
            warn_unsupported: false,
            ..check.clone()
        };
        assert_eq!(
            shown(&[check], false),
            "[ColumnLevelConstraint(type=<ConstraintType.check: 'check'>, name='po\"s', expression=\"id > 0 and s <> 'a'\", warn_unenforced=True, warn_unsupported=True, to=None, to_columns=[])]"
        );
        assert_eq!(
            shown(&[key], true),
            "[ModelLevelConstraint(type=<ConstraintType.foreign_key: 'foreign_key'>, name=None, expression=None, warn_unenforced=True, warn_unsupported=False, to=\"ref('m')\", to_columns=['x'], columns=['id'])]"
        );
    }
}
