//! The names of the columns that a part of a query gives, as its text and the tables that it reads tell them.
//!
//! The planner knows them too, and only when a query is planned; to say what `k` means where tables are joined by it, they are needed
//! before. What the text does not tell (a table function, an expression without a name) is not guessed.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use datafusion::sql::sqlparser::ast::{BinaryOperator, ObjectNamePart};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, Join,
    JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    SetExpr, TableAlias, TableFactor, TableWithJoins, WildcardAdditionalOptions, With,
};

/// Names of columns, in their order; `None` where only the planner can say one.
pub(super) type ColumnNames = Vec<Option<String>>;

/// The columns of a table that is no CTE, where there is one.
pub(super) type ColumnsOfTables<'a> = dyn Fn(&ObjectName) -> Option<Vec<String>> + 'a;

/// The relations that a query can read.
#[derive(Clone)]
pub(super) struct Relations<'a> {
    tables: &'a ColumnsOfTables<'a>,
    ctes: HashMap<String, Option<Rc<ColumnNames>>>,
}

/// A column that a FROM gives.
#[derive(Clone)]
pub(super) struct GivenColumn {
    /// Its name, where that is known.
    pub(super) name: Option<String>,
    /// What it is over the columns of the tables.
    pub(super) value: Expr,
    /// Whether tables were joined by it, so that it is one column of several tables.
    pub(super) is_merged: bool,
}

/// What a FROM gives.
#[derive(Clone, Default)]
pub(super) struct ColumnSource {
    /// All columns.
    pub(super) columns: Vec<GivenColumn>,
    /// The tables by the name that columns are named with, and what each has.
    pub(super) tables: Vec<(Vec<Ident>, Rc<ColumnNames>)>,
}

impl<'a> Relations<'a> {
    pub(super) fn new(tables: &'a ColumnsOfTables<'a>) -> Self {
        Self { tables, ctes: HashMap::new() }
    }

    /// Makes a CTE known under its name.
    pub(super) fn add(&mut self, alias: &TableAlias, query: &Query) {
        let names = self.of_query(query).and_then(|names| renamed(Rc::new(names), alias));
        self.ctes.insert(folded(&alias.name), names);
    }

    fn within(&self, with: Option<&With>) -> Self {
        let mut within = self.clone();
        for cte in with.iter().flat_map(|with| &with.cte_tables) {
            within.add(&cte.alias, &cte.query);
        }
        within
    }

    fn of_query(&self, query: &Query) -> Option<ColumnNames> {
        if !query.pipe_operators.is_empty() {
            return None;
        }
        if query.with.is_some() {
            self.within(query.with.as_ref()).of_body(&query.body)
        } else {
            self.of_body(&query.body)
        }
    }

    fn of_body(&self, mut body: &SetExpr) -> Option<ColumnNames> {
        while let SetExpr::SetOperation { left, .. } = body {
            body = left;
        }
        match body {
            SetExpr::Select(select) => self.of_select(select),
            SetExpr::Query(query) => self.of_query(query),
            SetExpr::Values(values) => {
                let columns = values.rows.first()?.content.len();
                Some((1..=columns).map(|at| Some(format!("column{at}"))).collect())
            }
            _ => None,
        }
    }

    fn of_select(&self, select: &Select) -> Option<ColumnNames> {
        let mut names = ColumnNames::new();
        let mut source = None;
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { alias, .. } => names.push(Some(folded(alias))),
                SelectItem::UnnamedExpr(Expr::Identifier(column)) => names.push(Some(folded(column))),
                SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                    names.push(parts.last().map(folded));
                }
                SelectItem::UnnamedExpr(_) => names.push(None),
                SelectItem::Wildcard(options) if is_plain(options) => {
                    let source = known(&mut source, || self.source(&select.from))?;
                    names.extend(source.columns.iter().map(|column| column.name.clone()));
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(table),
                    options,
                ) if is_plain(options) => {
                    let source = known(&mut source, || self.source(&select.from))?;
                    let (_, of_table) = source.tables.iter().find(|(name, _)| is_name_of(table, name))?;
                    names.extend(of_table.iter().cloned());
                }
                _ => return None,
            }
        }
        Some(names)
    }

    /// What a FROM gives; `None` where that is not known of all its parts.
    pub(super) fn source(&self, from: &[TableWithJoins]) -> Option<ColumnSource> {
        let mut all = ColumnSource::default();
        for one in from {
            let one = self.joined(one)?;
            all.columns.extend(one.columns);
            all.tables.extend(one.tables);
        }
        Some(all)
    }

    fn joined(&self, from: &TableWithJoins) -> Option<ColumnSource> {
        let mut left = self.of_factor(&from.relation)?;
        for join in &from.joins {
            left = join_of(left, self.of_factor(&join.relation)?, join)?.0;
        }
        Some(left)
    }

    /// What one table gives.
    pub(super) fn of_factor(&self, factor: &TableFactor) -> Option<ColumnSource> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let names = match name.0.as_slice() {
                    [ObjectNamePart::Identifier(one)] if self.ctes.contains_key(&folded(one)) => {
                        self.ctes.get(&folded(one))?.clone()?
                    }
                    _ => Rc::new((self.tables)(name)?.into_iter().map(Some).collect()),
                };
                Some(if let Some(alias) = alias {
                    table(vec![alias.name.clone()], renamed(names, alias)?)
                } else {
                    let parts = name.0.iter().map(|part| part.as_ident().cloned());
                    table(parts.collect::<Option<_>>()?, names)
                })
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                Some(table(vec![alias.name.clone()], renamed(Rc::new(self.of_query(subquery)?), alias)?))
            }
            // All columns of a function have names there, or the planner refuses them.
            TableFactor::Table { alias: Some(alias), args: Some(_), .. }
            | TableFactor::Function { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), with_offset: false, .. }
                if !alias.columns.is_empty() =>
            {
                let names = alias.columns.iter().map(|column| Some(folded(&column.name))).collect();
                Some(table(vec![alias.name.clone()], Rc::new(names)))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.joined(table_with_joins),
            _ => None,
        }
    }
}

/// What two joined sides give, and the condition that stands for the names that they are joined by.
pub(super) fn join_of(
    left: ColumnSource,
    right: ColumnSource,
    join: &Join,
) -> Option<(ColumnSource, Option<Expr>)> {
    use JoinOperator as Kind;
    let (constraint, of_key): (_, fn(Expr, Expr) -> Expr) = match &join.join_operator {
        Kind::Join(by)
        | Kind::Inner(by)
        | Kind::Left(by)
        | Kind::LeftOuter(by)
        | Kind::LeftSemi(by)
        | Kind::LeftAnti(by)
        | Kind::CrossJoin(by @ JoinConstraint::None) => (by, |left, _| left),
        Kind::Right(by) | Kind::RightOuter(by) | Kind::RightSemi(by) | Kind::RightAnti(by) => {
            (by, |_, right| right)
        }
        Kind::FullOuter(by) => (by, first_of),
        _ => return None,
    };
    let keys: Vec<String> = match constraint {
        JoinConstraint::Using(names) => {
            let name = |name: &ObjectName| match name.0.as_slice() {
                [ObjectNamePart::Identifier(one)] => Some(folded(one)),
                _ => None,
            };
            names.iter().map(name).collect::<Option<_>>()?
        }
        JoinConstraint::Natural => {
            if left.has_nameless() && right.has_nameless() {
                return None;
            }
            let of_right: HashSet<&String> = right.names().collect();
            // A name that stands there twice is found to be ambiguous below.
            left.names().filter(|name| of_right.contains(name)).cloned().collect()
        }
        JoinConstraint::On(_) | JoinConstraint::None => Vec::new(),
    };
    let mut merged = Vec::with_capacity(keys.len());
    let mut condition: Option<Expr> = None;
    for key in keys {
        let (one, other) = (left.only(&key)?.value.clone(), right.only(&key)?.value.clone());
        let equal = binary(one.clone(), BinaryOperator::Eq, other.clone());
        condition = Some(match condition {
            Some(before) => binary(before, BinaryOperator::And, equal),
            None => equal,
        });
        merged.push(GivenColumn { name: Some(key), value: of_key(one, other), is_merged: true });
    }
    let takes_left = !matches!(join.join_operator, Kind::RightSemi(_) | Kind::RightAnti(_));
    let takes_right = !matches!(join.join_operator, Kind::LeftSemi(_) | Kind::LeftAnti(_));
    let key_of = |column: &GivenColumn| merged.iter().find(|key| key.name == column.name);
    let mut joined = ColumnSource::default();
    if takes_left {
        let columns = left.columns.into_iter().map(|column| key_of(&column).cloned().unwrap_or(column));
        joined.columns.extend(columns);
        joined.tables.extend(left.tables);
    }
    if takes_right {
        let is_new = |column: &GivenColumn| !takes_left || key_of(column).is_none();
        joined.columns.extend(right.columns.into_iter().filter(is_new));
        joined.tables.extend(right.tables);
    }
    Some((joined, condition))
}

impl ColumnSource {
    /// The column of a name, where there is one.
    pub(super) fn only(&self, name: &str) -> Option<&GivenColumn> {
        let mut of_name = self.columns.iter().filter(|column| column.name.as_deref() == Some(name));
        of_name.next().filter(|_| of_name.next().is_none())
    }

    /// Whether a column's name is not known.
    pub(super) fn has_nameless(&self) -> bool {
        self.columns.iter().any(|column| column.name.is_none())
    }

    /// What the names mean, where they stand alone, of which each is one column of several tables.
    pub(super) fn merged(&self) -> HashMap<String, Expr> {
        let mut merged = HashMap::new();
        for column in self.columns.iter().filter(|column| column.is_merged) {
            if let Some(name) = &column.name
                && self.only(name).is_some()
            {
                merged.insert(name.clone(), column.value.clone());
            }
        }
        merged
    }

    /// The names that are known.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().filter_map(|column| column.name.as_ref())
    }
}

/// The name as the planner knows it.
pub(super) fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    }
}

/// Whether nothing stands after a star.
pub(super) fn is_plain(options: &WildcardAdditionalOptions) -> bool {
    let plain =
        WildcardAdditionalOptions { wildcard_token: options.wildcard_token.clone(), ..Default::default() };
    *options == plain
}

/// Whether a name, perhaps without its schema, is that of a table.
pub(super) fn is_name_of(name: &ObjectName, table: &[Ident]) -> bool {
    let parts: Option<Vec<_>> = name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    let table: Vec<String> = table.iter().map(folded).collect();
    parts.is_some_and(|parts| !parts.is_empty() && table.ends_with(&parts))
}

fn known<T>(value: &mut Option<T>, of: impl FnOnce() -> Option<T>) -> Option<&T> {
    if value.is_none() {
        *value = of();
    }
    value.as_ref()
}

fn renamed(names: Rc<ColumnNames>, alias: &TableAlias) -> Option<Rc<ColumnNames>> {
    if alias.columns.is_empty() {
        return Some(names);
    }
    let given = alias.columns.iter().map(|column| Some(folded(&column.name)));
    (alias.columns.len() == names.len()).then(|| Rc::new(given.collect()))
}

fn table(name: Vec<Ident>, names: Rc<ColumnNames>) -> ColumnSource {
    let column = |of: &Option<String>| {
        let mut parts = name.clone();
        parts.push(Ident::with_quote('"', of.clone().unwrap_or_default()));
        GivenColumn { name: of.clone(), value: Expr::CompoundIdentifier(parts), is_merged: false }
    };
    let columns = names.iter().map(column).collect();
    ColumnSource { columns, tables: vec![(name, names)] }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// The first of two values that is not NULL.
fn first_of(left: Expr, right: Expr) -> Expr {
    call("coalesce", vec![left, right])
}

/// The call of a function.
pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
