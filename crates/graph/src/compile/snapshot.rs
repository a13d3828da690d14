//! A snapshot: the SELECT whose rows it keeps the versions of.

use mep_core::fingerprint::Fingerprint;
use mep_lang::jinja::SourceMap;
use mep_lang::project::{Problems, Snapshot};
use mep_sql::Recipe;

use super::reading;
use super::work::CompileWork;
use crate::asked::Own;
use crate::node::Node;
use crate::node_index::NodeIndex;
use crate::snapshot::CompiledSnapshot;
use crate::views::ViewsBelow;
use crate::{derived, snapshot};

impl CompileWork<'_> {
    pub(super) fn snapshot(
        &self,
        index: NodeIndex,
        node: &Node,
        snapshot: &Snapshot,
    ) -> Result<CompiledSnapshot, Problems> {
        let file = &snapshot.file;
        let names = self.names(index, false, None, Own::Nothing);
        let mut rendered = self.render_block(node, &file.text, file.block, names)?;
        if let Some(relation) = &snapshot.relation {
            rendered.map = SourceMap::whole(relation.place.clone());
        }
        let checked = self.checked(&rendered)?;
        self.check_inputs(index, &rendered, &checked)?;
        let plan = self.inlined(&rendered, &checked)?;
        let source = self.standalone(index, &rendered.sql);
        let stored = (self.compiler.stored)(node);
        let recipe = Recipe::of(&plan, 0..plan.schema().fields().len());
        let compiled = snapshot::compile(&self.scope, node, rendered, source, &plan, stored.as_ref())?;
        let (sql, schema) = (&compiled.rendered.sql, &compiled.schema);
        let views = ViewsBelow::of(self.compiler.graph, &self.compiled, index);
        let sql = derived::fingerprint(
            node,
            (sql, reading(self.compiler.project)),
            schema,
            recipe.as_ref(),
            &views,
        );
        let fingerprint = Fingerprint::of([sql.as_str(), compiled.fingerprint.as_str()]);
        let is_volatile =
            compiled.is_volatile || self.scope.calls_volatile(&compiled.rendered.sql) || views.are_volatile();
        Ok(CompiledSnapshot { fingerprint, is_volatile, ..compiled })
    }
}
