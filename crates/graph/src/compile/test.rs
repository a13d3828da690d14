//! A test: the SELECT of the rows that fail it.

use std::sync::Arc;

use arrow::datatypes::Schema;
use mep_lang::jinja::TestSubject;
use mep_lang::project::{Problem, Problems};

use super::text::one_query;
use super::work::CompileWork;
use crate::asked::Own;
use crate::attached_tests::tested_relation;
use crate::compiled::CompiledTest;
use crate::inputs;
use crate::node::{Node, TestDetail};
use crate::node_index::NodeIndex;
use crate::tested_column::TestedColumn;
use crate::unit_tests::UnitCompiler;

impl CompileWork<'_> {
    /// A tested column, as the columns of what is tested say it.
    pub(super) fn tested_column(&self, attached: NodeIndex, name: &str) -> TestedColumn {
        let described = &self.compiler.graph.node(attached).columns;
        let filler = self.compiler.graph.parents(attached).first().copied();
        let is_filled = self.compiler.graph.node(attached).is_filled();
        let attached = filler.filter(|_| is_filled).unwrap_or(attached);
        let schema = self.compiled.schema(attached);
        let quote = described.iter().any(|column| column.name.value == name && column.quote);
        TestedColumn::of(name, quote, &schema.unwrap_or_else(|| Arc::new(Schema::empty())))
    }

    pub(super) fn test(
        &self,
        index: NodeIndex,
        node: &Node,
        detail: &TestDetail,
    ) -> Result<CompiledTest, Problems> {
        let rendered = match detail {
            TestDetail::Unit { index: of, inputs } => {
                let compiler = UnitCompiler {
                    project: self.compiler.project,
                    templates: self.compiler.templates,
                    graph: self.compiler.graph,
                    scope: &self.checking,
                    names: &self.names,
                    sources: &self.compiled.sources,
                };
                let test = &self.compiler.project.unit_tests[*of];
                return Ok(compiler.compile(test, self.compiler.graph.parents(index), inputs)?);
            }
            TestDetail::Singular { index: of } => {
                let text = &self.compiler.project.tests[*of].text;
                self.render(node, text, self.names(index, false, None, Own::Nothing))?
            }
            TestDetail::Generic { test, attached, column } => {
                let Some(attached) = self.compiler.graph.position(attached) else {
                    return Err(Problem::new(format!("the test `{}` tests nothing", node.name)).into());
                };
                let column = column.as_deref().map(|name| self.tested_column(attached, name));
                let subject = TestSubject {
                    test,
                    relation: tested_relation(self.compiler.graph.node(attached)),
                    column: column.as_ref().map(|column| column.sql.as_str()),
                    is_boolean: column.as_ref().is_some_and(|column| column.is_boolean),
                    config: &node.config.raw,
                    unique_id: node.id.as_str(),
                };
                let names = self.names(index, false, None, Own::Nothing);
                one_query(self.compiler.templates.render_test(&subject, names)?)
            }
        };
        inputs::check(self.compiler.graph, node, &rendered)?;
        self.check_config(node, &rendered)?;
        let checked = self.checked(&rendered).map_err(|placed| match detail {
            TestDetail::Singular { .. } | TestDetail::Unit { .. } => placed,
            TestDetail::Generic { .. } => placed.label(format!("in the SQL of `{}`", node.name)),
        })?;
        self.check_inputs(index, &rendered, &checked)?;
        Ok(CompiledTest { sql: self.standalone(index, &rendered.sql), rendered, unit: None })
    }
}
