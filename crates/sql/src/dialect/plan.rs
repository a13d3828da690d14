//! A logical plan as nested SELECTs.

use std::cell::Cell;
use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, TableReference};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, FetchType, Limit, LogicalPlan, Projection, SkipType, SubqueryAlias, TableScan,
    Values, Window,
};

use super::expression::Writer;
use super::literal::identifier;
use super::select::{Select, SelectPiece, Stage, subquery};
use super::{Dialect, Result, Untranslatable, aggregate, mojibake, names, types};

/// The SELECT that gives what the plan gives.
pub(super) fn statement(dialect: Dialect, plan: &LogicalPlan) -> Result<String> {
    let plans = Plans { dialect, subqueries: Cell::new(0) };
    // The rows of a relation have no order.
    let plan = match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => sort.input.as_ref(),
        other => other,
    };
    let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().to_lowercase()).collect();
    Ok(plans.select(plan)?.statement(dialect, &names))
}

/// Writes plans as SELECTs.
pub(super) struct Plans {
    pub(super) dialect: Dialect,
    subqueries: Cell<usize>,
}

impl Plans {
    pub(super) fn refused(&self, construct: impl Into<String>) -> Untranslatable {
        Untranslatable::new(self.dialect, construct)
    }

    pub(super) fn select(&self, plan: &LogicalPlan) -> Result<Select> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, None),
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => {
                let predicate = std::slice::from_ref(&filter.predicate);
                let (mut select, replaced) = self.ready(&filter.input, predicate, Stage::Rows)?;
                let sql =
                    self.writer(&select, filter.input.schema(), &replaced).expression(&filter.predicate)?;
                select.filters.push(sql);
                Ok(select)
            }
            LogicalPlan::Aggregate(node) => self.aggregate(node),
            LogicalPlan::Window(node) => self.window(node),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => {
                let names = names::inner(plan);
                let mut branches = Vec::new();
                for input in &union.inputs {
                    branches.push(self.limited(input)?.statement(self.dialect, &names));
                }
                Ok(self.over(&branches.join("\nUNION ALL\n"), &names, None))
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                self.comparable(input.schema(), "distinct")?;
                let mut select = self.up_to(self.select(input)?, input, Stage::Windowed);
                select.stage = Stage::Distinct;
                Ok(select)
            }
            LogicalPlan::Distinct(Distinct::On(_)) => Err(self.refused("`distinct on`")),
            // Without a limit, an order within a query means nothing.
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.select(&sort.input),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                Ok(Select::from(None, Vec::new(), Vec::new()))
            }
            LogicalPlan::Values(values) => self.values(plan, values),
            LogicalPlan::Unnest(_) => Err(self.refused("`unnest`")),
            LogicalPlan::RecursiveQuery(_) => Err(self.refused("`with recursive`")),
            other => {
                let node = other.display().to_string();
                Err(self.refused(node.split([':', ' ']).next().unwrap_or_default()))
            }
        }
    }

    /// A SELECT with a LIMIT within a UNION needs its own parentheses.
    fn limited(&self, plan: &LogicalPlan) -> Result<Select> {
        Ok(self.up_to(self.select(plan)?, plan, Stage::Distinct))
    }

    pub(super) fn writer<'a>(
        &self,
        select: &'a Select,
        schema: &'a DFSchema,
        replaced: &'a HashMap<Expr, String>,
    ) -> Writer<'a> {
        Writer::new(self.dialect, schema, &select.columns, replaced)
    }

    fn scan(&self, scan: &TableScan, called: Option<&str>) -> Result<Select> {
        if scan.table_name.schema().is_none() {
            return Err(self.refused(format!("the function `{}`", scan.table_name.table())));
        }
        if !scan.filters.is_empty() || scan.fetch.is_some() {
            return Err(self.refused("a scan that filters"));
        }
        Ok(self.stored(&scan.table_name, &scan.projected_schema, called))
    }

    /// The rows of a table or view of the metastore.
    fn stored(&self, relation: &TableReference, schema: &DFSchema, called: Option<&str>) -> Select {
        let quoted = |name: &str| identifier(self.dialect, name);
        let alias = quoted(called.unwrap_or(relation.table()));
        let columns = schema.fields().iter().map(|field| {
            let sql = format!("{alias}.{}", quoted(field.name()));
            match (self.dialect, field.data_type()) {
                // How many digits Trino reads is a setting of its catalog, so none is relied on.
                (Dialect::Trino, DataType::Timestamp(unit, None)) => {
                    SelectPiece::name(format!("CAST({sql} AS timestamp({}))", types::digits(*unit)))
                }
                _ => SelectPiece::name(sql),
            }
        });
        let name = match relation.schema() {
            Some(schema) => format!("{}.{}", quoted(schema), quoted(relation.table())),
            None => quoted(relation.table()),
        };
        Select::from(Some(format!("{name} AS {alias}")), vec![alias.clone()], columns.collect())
    }

    fn alias(&self, alias: &SubqueryAlias) -> Result<Select> {
        // A view stands in the plan as its SELECT under its full name, which no alias in SQL can be.
        if alias.alias.schema().is_some() {
            return Ok(self.stored(&alias.alias, &alias.schema, None));
        }
        let called = alias.alias.table();
        match alias.input.as_ref() {
            LogicalPlan::TableScan(scan) => self.scan(scan, Some(called)),
            LogicalPlan::SubqueryAlias(inner) if inner.alias.schema().is_some() => {
                Ok(self.stored(&inner.alias, &inner.schema, Some(called)))
            }
            input => {
                let mut select = self.select(input)?;
                select.called = Some(called.to_owned());
                Ok(select)
            }
        }
    }

    fn projection(&self, projection: &Projection) -> Result<Select> {
        let exprs = &projection.expr;
        let (mut select, replaced) = self.ready(&projection.input, exprs, Stage::Windowed)?;
        if select.is_one_group && !exprs.iter().any(|expr| expr.any_column_refs()) {
            // It is the aggregates that make it one row.
            select = self.wrapped(&select, &projection.input);
        }
        let writer = self.writer(&select, projection.input.schema(), &replaced);
        let columns = exprs.iter().map(|expr| writer.piece(expr)).collect::<Result<_>>()?;
        select.columns = columns;
        Ok(select)
    }

    fn aggregate(&self, node: &Aggregate) -> Result<Select> {
        let all: Vec<Expr> = node.group_expr.iter().chain(&node.aggr_expr).cloned().collect();
        let (mut select, mut replaced) = self.ready(&node.input, &all, Stage::Rows)?;
        let schema = node.input.schema();
        // An expression in GROUP BY may be read as a position, so it gets a name first.
        let computed: Vec<&Expr> =
            node.group_expr.iter().filter(|expr| !matches!(expr, Expr::Column(_))).collect();
        if !computed.is_empty() {
            let writer = self.writer(&select, schema, &replaced);
            let mut pieces = Vec::new();
            for expr in &computed {
                pieces.push(writer.expression(expr)?);
            }
            let (hoisted, found) = self.hoisted(&select, &node.input, pieces, "key");
            replaced = computed.into_iter().cloned().zip(found).collect();
            select = hoisted;
        }
        let writer = self.writer(&select, schema, &replaced);
        let mut columns = Vec::new();
        for expr in &node.group_expr {
            if matches!(expr, Expr::GroupingSet(_)) {
                return Err(self.refused("`grouping sets`, `cube` or `rollup`"));
            }
            writer.comparable(expr, "group by")?;
            columns.push(SelectPiece::name(writer.expression(expr)?));
        }
        let groups = columns.iter().map(|column| column.sql.clone()).collect();
        for expr in &node.aggr_expr {
            columns.push(SelectPiece::expression(aggregate::aggregate(&writer, expr)?));
        }
        select.columns = columns;
        select.groups = groups;
        select.is_one_group = node.group_expr.is_empty();
        select.stage = Stage::Grouped;
        Ok(select)
    }

    fn window(&self, node: &Window) -> Result<Select> {
        // Several window nodes may stand on each other; they are evaluated over the same rows.
        let is_on_window = matches!(node.input.as_ref(), LogicalPlan::Window(_));
        let stage = if is_on_window { Stage::Windowed } else { Stage::Rows };
        let (mut select, replaced) = self.ready(&node.input, &node.window_expr, stage)?;
        let writer = self.writer(&select, node.input.schema(), &replaced);
        let mut columns = Vec::new();
        for expr in &node.window_expr {
            columns.push(SelectPiece::expression(aggregate::window(&writer, expr)?));
        }
        select.columns.extend(columns);
        select.stage = Stage::Windowed;
        Ok(select)
    }

    fn limit(&self, limit: &Limit) -> Result<Select> {
        if !matches!(limit.get_skip_type(), Ok(SkipType::Literal(0))) {
            return Err(self.refused("`offset`"));
        }
        let Ok(FetchType::Literal(Some(rows))) = limit.get_fetch_type() else {
            return Err(self.refused("`limit` by an expression"));
        };
        let LogicalPlan::Sort(sort) = limit.input.as_ref() else {
            return Err(self
                .refused("`limit` without `order by`")
                .help("which rows it gives is not defined"));
        };
        let names = names::inner(&sort.input);
        let inner = self.select(&sort.input)?;
        let mut select = self.over(&inner.statement(self.dialect, &names), &names, inner.called.as_deref());
        let none = HashMap::new();
        let writer = self.writer(&select, sort.input.schema(), &none);
        let order = aggregate::order(&writer, &sort.expr)?;
        select.tail = Some(format!("{order}\nLIMIT {rows}"));
        select.stage = Stage::Limited;
        Ok(select)
    }

    fn values(&self, plan: &LogicalPlan, values: &Values) -> Result<Select> {
        let names = names::inner(plan);
        let (none, schema) = (HashMap::new(), DFSchema::empty());
        let writer = Writer::new(self.dialect, &schema, &[], &none);
        let mut rows = Vec::new();
        for row in &values.values {
            let columns = row.iter().map(|value| writer.piece(value)).collect::<Result<_>>()?;
            rows.push(Select::from(None, Vec::new(), columns).statement(self.dialect, &names));
        }
        Ok(self.over(&rows.join("\nUNION ALL\n"), &names, None))
    }

    /// The input's SELECT, ready to be given a clause of `stage` with these expressions, and the expressions that got a
    /// column of their own.
    fn ready(
        &self,
        input: &LogicalPlan,
        exprs: &[Expr],
        stage: Stage,
    ) -> Result<(Select, HashMap<Expr, String>)> {
        let mut select = self.up_to(self.select(input)?, input, stage);
        if !can_inline(&select, input.schema(), exprs, stage) {
            select = self.wrapped(&select, input);
        }
        let calls = if self.dialect == Dialect::Hive { mojibake::calls(exprs) } else { Vec::new() };
        if calls.is_empty() {
            return Ok((select, HashMap::new()));
        }
        let none = HashMap::new();
        let writer = self.writer(&select, input.schema(), &none);
        let mut found = Vec::new();
        for (_, argument) in &calls {
            found.push(writer.expression(argument)?);
        }
        // One layer for each time that a text may have been misread; a text has a name there, and is not computed twice.
        for _ in 0..mojibake::LAYERS {
            let steps = found.iter().map(|text| mojibake::hive_step(text)).collect();
            (select, found) = self.hoisted(&select, input, steps, "text");
        }
        let checked = found.iter().map(|text| mojibake::hive_checked(text));
        let replaced = calls.into_iter().map(|(call, _)| call).zip(checked).collect();
        Ok((select, replaced))
    }

    /// The SELECT, or one over it where it has grown past a stage.
    fn up_to(&self, select: Select, plan: &LogicalPlan, stage: Stage) -> Select {
        if select.stage <= stage { select } else { self.wrapped(&select, plan) }
    }

    /// A SELECT of all columns of a SELECT.
    pub(super) fn wrapped(&self, select: &Select, plan: &LogicalPlan) -> Select {
        if select.columns.is_empty() {
            return select.clone();
        }
        let names = names::inner(plan);
        self.over(&select.statement(self.dialect, &names), &names, select.called.as_deref())
    }

    /// A SELECT of all columns of a statement.
    fn over(&self, statement: &str, names: &[String], called: Option<&str>) -> Select {
        let alias = called.map_or_else(
            || {
                self.subqueries.set(self.subqueries.get() + 1);
                format!("t{}", self.subqueries.get())
            },
            str::to_owned,
        );
        let alias = identifier(self.dialect, &alias);
        let column = |name: &String| SelectPiece::name(format!("{alias}.{}", identifier(self.dialect, name)));
        let from = subquery(statement, &alias);
        let columns = names.iter().map(column).collect();
        Select::from(Some(from), vec![alias.clone()], columns)
    }

    /// A SELECT over this one in which expressions have a column of their own, and how those are named.
    fn hoisted(
        &self,
        select: &Select,
        plan: &LogicalPlan,
        expressions: Vec<String>,
        what: &str,
    ) -> (Select, Vec<String>) {
        let mut names = names::inner(plan);
        let own = names.len();
        let mut inner = select.clone();
        for (index, sql) in expressions.into_iter().enumerate() {
            let mut name = format!("{what}_{}", index + 1);
            while names.contains(&name) {
                name.push('_');
            }
            names.push(name);
            inner.columns.push(SelectPiece::expression(sql));
        }
        let mut over = self.over(&inner.statement(self.dialect, &names), &names, select.called.as_deref());
        let found = over.columns.split_off(own).into_iter().map(|piece| piece.sql).collect();
        over.called.clone_from(&select.called);
        (over, found)
    }

    fn comparable(&self, schema: &DFSchema, what: &str) -> Result<()> {
        match schema.fields().iter().find(|field| !types::is_comparable(field.data_type())) {
            Some(field) => Err(self.refused(format!("`{what}` of a {}", field.data_type()))),
            None => Ok(()),
        }
    }
}

/// Whether expressions can take the place of the columns that they name: where each is a name or is used once.
fn can_inline(select: &Select, schema: &DFSchema, exprs: &[Expr], stage: Stage) -> bool {
    let mut uses = vec![0_usize; select.columns.len()];
    for expr in exprs {
        for (column, count) in expr.column_refs_counts() {
            if let Ok(index) = schema.index_of_column(column)
                && let Some(uses) = uses.get_mut(index)
            {
                *uses += count;
            }
        }
    }
    let most = usize::from(stage == Stage::Windowed);
    select.columns.iter().zip(uses).all(|(column, uses)| column.is_name || uses <= most)
}
