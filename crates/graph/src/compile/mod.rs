//! Compiling: every template becomes SQL, and every SQL is planned against the schemas of what it reads, with no data.

mod model;
mod snapshot;
mod sources;
mod test;
mod text;
mod work;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mep_core::relation::Relation;
use mep_lang::jinja::{Rendered, Subject, Templates};
use mep_lang::project::{Problem, Problems, Project, SourceTable, SourceText};
use mep_sql::{Division, Meanings, Scope};

use crate::asked::{Answers, Asking};
use crate::compiled::{Compiled, SourceRows};
use crate::config::PublishWhen;
use crate::dag::Graph;
use crate::names::{Names, NodeNames};
use crate::node::Node;
use crate::node_index::{NodeIndex, NodeSet};
use crate::serving::ServingPlace;
use crate::unbuilt::Unbuilt;
use work::CompileWork;

pub(super) use text::one_query;

/// What compiling needs beside the graph.
///
/// ```
/// use std::sync::Arc;
///
/// use mep_graph::{Answers, Compiled, Compiler, Graph, Node};
/// use mep_lang::jinja::Templates;
/// use mep_lang::project::{Problems, Project};
///
/// /// All of a project as it is before the first run: nothing is stored, so `this` has no columns yet, and each source table
/// /// declares its columns.
/// fn compiled(project: &Project, templates: &Templates, graph: &Graph) -> Result<Compiled, Problems> {
///     let nothing = |_: &Node| None;
///     let (nobody, found): (Arc<dyn Answers>, _) = (Arc::new(()), &());
///     let (stored, serving) = (&nothing, &());
///     let compiler = Compiler { project, templates, graph, stored, found, answers: &nobody, serving };
///     compiler.compile(&graph.indices().collect())
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// The files.
    pub project: &'a Project,
    /// The templates.
    pub templates: &'a Templates,
    /// The graph.
    pub graph: &'a Graph,
    /// The columns of `this`, where the warehouse holds it and it is not to be built anew.
    pub stored: &'a dyn Fn(&Node) -> Option<SchemaRef>,
    /// What finds the rows of source tables.
    pub found: &'a dyn FoundSources,
    /// What answers texts that ask for rows.
    pub answers: &'a Arc<dyn Answers>,
    /// What knows which tables the target can serve.
    pub serving: &'a dyn ServingPlace,
}

/// How a project's SQL is read, by the engine that it is written for.
pub fn reading(project: &Project) -> Meanings {
    let Some(dialect) = project.target.dialect else { return Meanings::default() };
    let division = if dialect.divides_in_fractions() { Division::Fraction } else { Division::Whole };
    Meanings { division, replaces_all: dialect.replaces_all() }
}

/// What finds the rows of source tables.
pub trait FoundSources {
    /// Where its rows are, and which columns these have where that is not declared.
    ///
    /// # Errors
    /// Where they are nowhere that is known, or what is said of it is wrong, or its files are.
    fn rows_of(&self, table: &SourceTable, node: &Node) -> Result<SourceRows, Problem>;
}

/// All are landed.
impl FoundSources for () {
    fn rows_of(&self, _: &SourceTable, _: &Node) -> Result<SourceRows, Problem> {
        Ok(SourceRows::Landed)
    }
}

impl Compiler<'_> {
    /// Compiles these nodes and all that they need.
    ///
    /// # Errors
    /// All that is wrong with any of them. What reads a model that is wrong is not looked at.
    pub fn compile(&self, wanted: &NodeSet) -> Result<Compiled, Problems> {
        self.compile_each(wanted).whole()
    }

    /// Compiles these nodes and all that they need, but for what is broken and what needs that.
    pub fn compile_each(&self, wanted: &NodeSet) -> Compiled {
        let mut work = CompileWork {
            compiler: self,
            checking: Scope::for_planning().reading(reading(self.project)),
            scope: Scope::for_planning().reading(reading(self.project)),
            views: HashMap::new(),
            names: Arc::new(Names::of(self.project, self.graph, wanted)),
            questions: Arc::default(),
            compiled: Compiled::default(),
            ephemerals: Arc::default(),
            unbuilt: Unbuilt::default(),
            unknown: HashMap::new(),
            nowhere: NodeSet::new(),
            warned_of_division: false,
        };
        let needed = self.graph.ancestors(wanted, None);
        for index in &needed {
            if work.does_without_sources(*index) {
                continue;
            }
            work.blame_sources(*index);
            if work.unbuilt.skip_after(self.graph.parents(*index), *index) {
                continue;
            }
            let done = work.refused(*index).none_or(()).and_then(|()| work.at_its_time(*index));
            if let Err(problems) = done {
                work.unbuilt.broken.insert(*index, problems);
            }
        }
        while self.break_untested(wanted, &mut work.unbuilt) {
            for index in &needed {
                work.unbuilt.skip_after(self.graph.parents(*index), *index);
            }
        }
        work.compiled.without(work.unbuilt)
    }

    /// Whether there are more tables that cannot be tested before they are shown.
    fn break_untested(&self, wanted: &NodeSet, unbuilt: &mut Unbuilt) -> bool {
        let open = wanted.iter().filter(|index| !unbuilt.has(**index));
        let untested = open.filter_map(|index| Some((*index, self.untested(*index, unbuilt)?.into())));
        let untested: Vec<(NodeIndex, Problems)> = untested.collect();
        let has_any = !untested.is_empty();
        unbuilt.broken.extend(untested);
        has_any
    }

    /// A table is not shown before it has passed its tests, so it needs all of them.
    fn untested(&self, index: NodeIndex, unbuilt: &Unbuilt) -> Option<Problem> {
        let node = self.graph.node(index);
        let tests =
            (node.config.model().publish == PublishWhen::AfterTests).then(|| self.graph.own_tests(index))?;
        let test = tests.into_iter().find(|test| unbuilt.has(*test))?;
        let of = unbuilt.skipped.get(&test).map_or(test, |of| *of);
        let why =
            if of == test { String::new() } else { format!(", because of `{}`", self.graph.node(of).name) };
        let message = format!(
            "`{}` is shown once it has passed its tests, and `{}` cannot be run{why}",
            node.name,
            self.graph.node(test).name
        );
        let problem = Problem::new(message).help("take `publish` away, or the test");
        Some(match node.config.places.get("publish").or(node.place.as_ref()) {
            Some(place) => problem.at(place),
            None => problem,
        })
    }

    /// Compiles a query over the project's nodes, such as `mep show --inline` is given.
    ///
    /// # Errors
    /// Where the template cannot be rendered.
    pub fn query(&self, text: &SourceText) -> Result<Rendered, Problem> {
        let other = Some(text.text());
        let names = Arc::new(Names::beside(self.project, self.graph, &NodeSet::new(), other));
        // It makes no table, so it may ask for whatever is stored.
        let asking = Asking::anything(self.answers.clone(), Arc::default(), &names);
        let subject = Subject {
            text,
            block: None,
            name: "inline",
            unique_id: "inline",
            resource_type: "operation",
            fqn: &[],
            this: Relation::new(&self.project.target.schema, "inline"),
            config: indexmap::IndexMap::new(),
            description: "",
            columns: &[],
        };
        let rendered = self.templates.render_seeing(
            &subject,
            Arc::new(NodeNames {
                names,
                is_incremental: false,
                parts: None,
                scope: None,
                asking: Some(asking),
            }),
            &[],
        )?;
        Ok(one_query(rendered))
    }
}
