//! Rendering texts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, Template, UndefinedBehavior, Value,
    escape_formatter,
};

use super::adapter::{ADAPTER, dispatched};
use super::arithmetic;
use super::collections::{Dict, of_json};
use super::depth::is_writable;
use super::macros::{BUILTIN_FILES, LOADER_TEXT, Macro};
use super::methods::unknown_method;
use super::namespaces::{DBT, Macros, Namespaces};
use super::noted::{config_place, located};
use super::overridden::Overridden;
use super::overrides;
use super::problem::{Origin, PlaceFinder, invalid, invalid_with_help, is_missing_macro, root, valid};
use super::python_text::shown;
use super::rewrite::{Definition, LOADER, Materialization, Rewritten};
use super::scope::{About, RenderScope, Shared};
use super::source_map::SourceMap;
use super::subject::{Invocation, Parsed, Rendered, Resolver, Subject};
use super::visits::{self, bounded};
use super::{adapter, filters, functions, passes, tests_of_values};
use crate::project::{
    Column, Dialect, OF_OTHER_TARGETS, Overrides, Place, Problem, Problems, Project, SourceText, Span, Weight,
};
use mep_core::guard::guarded;
use mep_core::warnings::{self, WarningKind};

/// The template that calls a generic test.
pub(super) const TEST_CALL: &str = "mep/test";
const TEST_CALL_TEXT: &str = "{% include 'mep/loader' %}{{ __mep_test(**__mep_arguments) }}";

/// How deep texts may nest; macros have a limit of their own, which is met first.
const RECURSION_LIMIT: usize = 10_000;

/// How much work one rendering may do: a unit is an instruction, or 64 bytes of text that is made. So no text takes more
/// than a few seconds, or more than 1 GiB.
const FUEL: u64 = 16 << 20;

/// What a file defines, by name.
pub(super) type DefinedMacros = IndexMap<String, (Place, Definition)>;

/// Renders texts, on any number of threads.
pub struct Templates {
    pub(super) environment: Environment<'static>,
    /// The same, where what is not defined is nothing.
    lenient: Environment<'static>,
    is_strict: bool,
    pub(super) shared: Arc<Shared>,
    macro_files: HashMap<String, Origin>,
    /// What files of macros define, by package.
    pub(super) defined: Vec<(String, DefinedMacros)>,
    /// Macros of the project that dbt would ask and mep does not.
    pub warnings: Vec<Problem>,
}

impl Templates {
    /// Makes the macros of the project known, and the built-in tests.
    ///
    /// # Errors
    /// All syntax errors of files of macros, and macros that are defined twice.
    pub fn new(project: &Project, invocation: Invocation) -> Result<Self, Problems> {
        let mut environment = environment();
        let mut problems = Problems::default();
        let mut macro_files = HashMap::new();
        let mut defined = Vec::new();
        let mut warnings = Vec::new();
        let builtin = BUILTIN_FILES.map(|(path, text)| SourceText::new(path, text));
        let packages = project.packages.iter().map(|package| (package.name.as_str(), &package.macros[..]));
        for (package, texts) in [(DBT, &builtin[..])]
            .into_iter()
            .chain([(project.name.as_str(), &project.macros[..])])
            .chain(packages)
        {
            let mut definitions: DefinedMacros = IndexMap::new();
            let mut materializations = Vec::new();
            for text in texts {
                let name = text.path().to_string_lossy().into_owned();
                let origin = Origin { text: text.clone(), rewritten: Rewritten::of_macros(text.text()) };
                let added = origin
                    .rewritten
                    .parsed(|rewritten| environment.add_template_owned(name.clone(), rewritten.to_owned()));
                if let Err(error) = added {
                    let none = HashMap::new();
                    let places = PlaceFinder { subject: (&name, &origin), macros: &none, names: Vec::new() };
                    problems.push(places.problem(&error));
                    continue;
                }
                for definition in &origin.rewritten.definitions {
                    let place = text.at(Span::range(definition.place.start, definition.place.end));
                    let earlier =
                        definitions.insert(definition.name.clone(), (place.clone(), definition.clone()));
                    problems.extend(
                        earlier.map(|(earlier, _)| defined_twice(&definition.name, &earlier, &place)),
                    );
                }
                if package == project.name {
                    let placed = |one: &Materialization| {
                        (one.clone(), text.at(Span::range(one.place.start, one.place.end)))
                    };
                    materializations.extend(origin.rewritten.materializations.iter().map(placed));
                }
                macro_files.insert(name, origin);
            }
            let ignored = overrides::ignored_materializations(&materializations);
            let ignored = ignored.into_iter();
            warnings.extend(ignored.map(|problem| problem.kind(WarningKind::MacroNotAsked)));
            defined.push((package, definitions));
        }
        let of_project = defined.iter().find(|(package, _)| *package == project.name);
        let ignored = of_project.into_iter().flat_map(|(_, definitions)| overrides::ignored(definitions));
        warnings.extend(ignored.map(|problem| problem.kind(WarningKind::MacroNotAsked)));
        let macros = namespaces(project, &defined);
        for name in macros.names() {
            if let Some(found) = macros.get(name) {
                environment.add_global(name.to_owned(), Macro::value(found));
            }
        }
        let mut vars = IndexMap::from([(project.name.clone(), project.vars.clone())]);
        vars.extend(project.packages.iter().map(|package| (package.name.clone(), package.vars.clone())));
        let known = [
            ("name", project.target.name.as_str().into()),
            ("target_name", project.target.name.as_str().into()),
            ("profile_name", project.target.profile.as_str().into()),
            ("schema", project.target.schema.as_str().into()),
            ("dataset", project.target.schema.as_str().into()),
            ("threads", project.target.threads.into()),
            ("type", ADAPTER.into()),
        ];
        let nothing = OF_OTHER_TARGETS.map(|name| (name, Value::from(())));
        let target = nothing.into_iter().chain(known).map(|(name, value)| (Value::from(name), value));
        let target = Dict::of(target.collect());
        let dependencies = project.packages.iter().map(|package| {
            let of = [("project_name", &package.name), ("version", &package.version)];
            (package.name.as_str().into(), Dict::with(of.map(|(key, value)| (key, value.as_str().into()))))
        });
        let dependencies = Dict::of(dependencies.collect());
        let shared = Shared {
            invocation,
            project_name: project.name.clone(),
            own_package_first: project.own_package_first,
            vars,
            target,
            dependencies,
            macros,
            overridden: Overridden::default(),
        };
        let mut lenient = environment.clone();
        lenient.set_undefined_behavior(UndefinedBehavior::Lenient);
        let (shared, is_strict) = (Arc::new(shared), project.is_strict);
        let defined = defined.into_iter().map(|(package, of)| (package.to_owned(), of)).collect();
        problems.none_or(Self { environment, lenient, is_strict, shared, macro_files, defined, warnings })
    }

    /// When this call of mep began.
    pub fn run_started_at(&self) -> DateTime<Utc> {
        self.shared.invocation.run_started_at
    }

    /// The names of all generic tests.
    pub fn generic_tests(&self) -> impl Iterator<Item = &str> {
        self.macro_names().filter_map(|name| name.strip_prefix("test_"))
    }

    /// The names of all macros; a generic test is a macro whose name starts with `test_`.
    pub fn macro_names(&self) -> impl Iterator<Item = &str> {
        self.shared.macros.names()
    }

    /// Whether there is a macro of that name.
    pub fn has_macro(&self, name: &str) -> bool {
        self.shared.macros.get(name).is_some()
    }

    /// Whether the project has a macro of that name, which mep may have too.
    pub(super) fn has_own_macro(&self, name: &str) -> bool {
        self.shared.macros.get(name).is_some_and(|defined| !defined.is_builtin())
    }

    /// The first pass: what a text refers to and how it is configured.
    ///
    /// # Errors
    /// Where the text cannot be rendered.
    pub fn parse(&self, subject: &Subject<'_>) -> Result<Parsed, Problem> {
        match self.parse_as_far(subject) {
            (parsed, None) => Ok(parsed),
            (_, Some(problem)) => Err(problem),
        }
    }

    /// The first pass as far as it goes, and what is wrong where it does not go to the end.
    pub fn parse_as_far(&self, subject: &Subject<'_>) -> (Parsed, Option<Problem>) {
        let origin = Origin::of(subject);
        let pass = |resolver: Option<Arc<dyn Resolver>>| {
            let scope = || self.scope(subject, resolver.clone());
            let (rendered, scope, missing) = self.rendered(&origin, &scope, &Template::render);
            let mut noted = std::mem::take(&mut *scope.noted());
            noted.missing.extend(missing.filter(|_| !noted.asks_rows));
            // As in dbt, a macro that is not there stops what calls it, and not all else: the second pass ends with an error.
            let rendered = match rendered {
                Err(problem) if noted.lacks_macro && !self.is_strict => {
                    noted.missing.push(problem.weighing(Weight::Warning));
                    Ok(())
                }
                rendered => rendered.map(|_| ()),
            };
            (rendered, noted)
        };
        let (passed, noted) = passes::all(&subject.this, &pass);
        let parsed = located(noted, &origin);
        let problem = match passed {
            Ok(depending) => {
                depending.map(|key| passes::config_depends(&key).at(&config_place(&origin, &key)))
            }
            Err(problem) => Some(problem),
        };
        (parsed, problem)
    }

    /// The second pass: the SQL.
    ///
    /// # Errors
    /// Where the text cannot be rendered.
    pub fn render(&self, subject: &Subject<'_>, resolver: Arc<dyn Resolver>) -> Result<Rendered, Problem> {
        let (rendered, missing) = self.in_full(&self.shared, subject, resolver, &[])?;
        if let Some((missing, true)) = missing {
            tell(&missing);
        }
        Ok(rendered)
    }

    /// The SQL as a unit test renders it, with what it says in the place of macros, variables and the environment.
    ///
    /// # Errors
    /// Where the text cannot be rendered.
    pub fn render_overriding(
        &self,
        subject: &Subject<'_>,
        resolver: Arc<dyn Resolver>,
        overrides: &Overrides,
        sees: &[(&'static str, serde_json::Value)],
    ) -> Result<Rendered, Problem> {
        let mut shared = Shared::clone(&self.shared);
        shared.overridden = Overridden::of(overrides);
        for vars in shared.vars.values_mut() {
            vars.extend(overrides.vars.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Ok(self.in_full(&Arc::new(shared), subject, resolver, sees)?.0)
    }

    /// The only pass over a text that may see more than all texts see.
    ///
    /// # Errors
    /// Where the text cannot be rendered.
    pub fn render_seeing(
        &self,
        subject: &Subject<'_>,
        resolver: Arc<dyn Resolver>,
        sees: &[(&'static str, serde_json::Value)],
    ) -> Result<Rendered, Problem> {
        let (rendered, missing) = self.in_full(&self.shared, subject, resolver, sees)?;
        if let Some((missing, _)) = missing {
            tell(&missing);
        }
        Ok(rendered)
    }

    /// The SQL, and what is not defined and taken for nothing, with whether the first pass has kept that to itself.
    fn in_full(
        &self,
        shared: &Arc<Shared>,
        subject: &Subject<'_>,
        resolver: Arc<dyn Resolver>,
        sees: &[(&'static str, serde_json::Value)],
    ) -> Result<(Rendered, Option<(Problem, bool)>), Problem> {
        let origin = Origin::of(subject);
        let extra: Vec<(&'static str, Value)> =
            sees.iter().map(|(name, value)| (*name, of_json(value))).collect();
        let scope = move || scope_seeing(shared, subject, Some(resolver.clone()), extra.clone());
        let (rendered, scope, missing) = self.rendered(&origin, &scope, &Template::render_with_spans);
        let (sql, spans) = rendered?;
        let map = SourceMap::new(subject.text, &sql, &spans, &origin.rewritten);
        let noted = std::mem::take(&mut *scope.noted());
        let asks_rows = noted.asks_rows;
        let Parsed { refs, sources, config, .. } = located(noted, &origin);
        Ok((Rendered { sql, map, refs, sources, config }, missing.map(|missing| (missing, asks_rows))))
    }

    pub(super) fn is_macro_file(&self, name: &str) -> bool {
        self.macro_files.contains_key(name)
    }

    fn scope(&self, subject: &Subject<'_>, resolver: Option<Arc<dyn Resolver>>) -> Arc<RenderScope> {
        scope_seeing(&self.shared, subject, resolver, Vec::new())
    }

    /// Renders. Where something is not defined that is printed, gone through or given to a filter, it is nothing, as for
    /// Jinja2, and comes back as a warning; in a strict project it is a problem.
    fn rendered<'a, T>(
        &'a self,
        origin: &'a Origin,
        scope: &dyn Fn() -> Arc<RenderScope>,
        render: &dyn Fn(&Template<'a, 'a>, Value) -> Result<T, Error>,
    ) -> (Result<T, Problem>, Arc<RenderScope>, Option<Problem>) {
        let once = |environment: &'a Environment<'static>, told: usize| {
            let scope = scope();
            scope.tells_after(told);
            (rendered_by(environment, origin, &scope, render), scope)
        };
        let (rendered, scope) = once(&self.environment, 0);
        let missing = match &rendered {
            Err(error) if self.forgives(error) => error,
            Err(error) => {
                scope.noted().lacks_macro = is_missing_macro(error);
                return (rendered.map_err(|error| self.problem(origin, &error)), scope, None);
            }
            Ok(_) => return (rendered.map_err(|error| self.problem(origin, &error)), scope, None),
        };
        let missing = self.problem(origin, missing);
        // What was told on the way is not told again.
        let (rendered, scope) = once(&self.lenient, scope.told());
        match rendered {
            Ok(rendered) => (Ok(rendered), scope, Some(printed_as_nothing(missing))),
            Err(error) => {
                scope.noted().lacks_macro = is_missing_macro(&error);
                let problem = self.problem(origin, &error);
                (Err(problem), scope, None)
            }
        }
    }

    /// Whether rendering goes on after an error, with nothing in the place of what is not defined.
    pub(super) fn forgives(&self, error: &Error) -> bool {
        !self.is_strict && root(error).kind() == ErrorKind::UndefinedError
    }

    /// The engine for which what is not defined is nothing.
    pub(super) fn lenient(&self) -> &Environment<'static> {
        &self.lenient
    }

    fn problem(&self, origin: &Origin, error: &Error) -> Problem {
        let names = self.macro_names().collect();
        PlaceFinder { subject: (origin.name(), origin), macros: &self.macro_files, names }.problem(error)
    }
}

/// What a text sees.
fn scope_seeing(
    shared: &Arc<Shared>,
    subject: &Subject<'_>,
    resolver: Option<Arc<dyn Resolver>>,
    extra: Vec<(&'static str, Value)>,
) -> Arc<RenderScope> {
    let about = About {
        name: subject.name.to_owned(),
        unique_id: subject.unique_id.to_owned(),
        package: shared.macros.package_of(subject.unique_id).to_owned(),
        resource_type: subject.resource_type.to_owned(),
        fqn: subject.fqn.to_vec(),
        path: subject.text.path().to_string_lossy().into_owned(),
        this: subject.this.clone(),
        config: subject.config.clone(),
        description: subject.description.to_owned(),
        columns: described(subject.columns),
        raw: match subject.block {
            Some(block) => subject.text.text().get(block.start..block.end()).unwrap_or_default().to_owned(),
            None => subject.text.text().to_owned(),
        },
    };
    RenderScope::new(shared.clone(), about, resolver, extra)
}

/// Renders by an engine.
fn rendered_by<'a, T>(
    environment: &'a Environment<'static>,
    origin: &'a Origin,
    scope: &Arc<RenderScope>,
    render: &dyn Fn(&Template<'a, 'a>, Value) -> Result<T, Error>,
) -> Result<T, Error> {
    let name = origin.name();
    let template =
        origin.rewritten.parsed(|_| environment.template_from_named_str(name, &origin.rewritten.text));
    // A format with a width that no text can have makes the engine panic.
    template.and_then(|template| {
        guarded(|| bounded(|| render(&template, Value::from_dyn_object(scope.clone()))))
            .unwrap_or_else(|panicked| Err(Error::new(ErrorKind::InvalidOperation, panicked.to_string())))
    })
}

/// `model.columns`: what the files say of each column.
fn described(columns: &[Column]) -> serde_json::Value {
    let described = columns.iter().map(|column| {
        let of_column = serde_json::json!({
            "name": column.name.value,
            "description": column.description.as_deref().unwrap_or_default(),
            "data_type": column.data_type.as_ref().map(|data_type| &data_type.value),
            "meta": {},
            "tags": column.tags,
            "quote": column.quote,
        });
        (column.name.value.clone(), of_column)
    });
    serde_json::Value::Object(described.collect())
}

/// Tells what is not defined in a text of which it was not known before it was rendered.
pub(super) fn tell(missing: &Problem) {
    if !warnings::note(WarningKind::UndefinedName) {
        return;
    }
    if let Some(place) = missing.place() {
        tracing::warn!("{}:{}: {missing}", place.text.path().display(), place.line_column().0);
    } else {
        tracing::warn!("{missing}");
    }
}

/// What is said of something that is not defined, where it is taken for nothing.
pub(super) fn printed_as_nothing(problem: Problem) -> Problem {
    let problem = problem.weighing(Weight::Once).kind(WarningKind::UndefinedName);
    problem.saying(|message| format!("{message}: nothing stands in its place"))
}

/// The engine with all that is the same for every project.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(unknown_method);
    environment.set_recursion_limit(RECURSION_LIMIT);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(printed);
    // Without it, an error knows no range and an undefined value not where it came from.
    environment.set_debug(true);
    minijinja_contrib::add_to_environment(&mut environment);
    functions::add_to(&mut environment);
    filters::add_to(&mut environment);
    tests_of_values::add_to(&mut environment);
    arithmetic::add_to(&mut environment);
    #[expect(clippy::expect_used, reason = "the text is a literal that the tests compile")]
    environment
        .add_template(LOADER, LOADER_TEXT)
        .and_then(|()| environment.add_template(TEST_CALL, TEST_CALL_TEXT))
        .expect("mep's own templates compile");
    environment
}

/// Prints a value, and refuses what is no value: a function, or a name that dbt's own parts go by.
fn printed(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if let Some(thing) = adapter::thing(value) {
        return Err(invalid_with_help(
            format!("{thing} cannot be printed: it is not a value"),
            "call it, or take one of its parts",
        ));
    }
    valid(value)?;
    // The engine's tuples do not count how often they are looked at.
    if value.is_tuple() && !is_writable(value) {
        return Err(invalid_with_help(
            "a tuple is too large to be printed: what lies in it, counted as often as it does, is too much to look at",
            "make it smaller, or move the work into SQL",
        ));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::String | ValueKind::Bytes => escape_formatter(out, state, value)?,
        _ => out.write_str(&shown(value)).map_err(|error| invalid(error.to_string()))?,
    }
    visits::check()
}

/// A macro of the project may replace a built-in one, not another one of the project.
fn defined_twice(name: &str, earlier: &Place, place: &Place) -> Problem {
    let path = earlier.text.path().display();
    Problem::new(format!("the macro `{name}` is defined twice, first in {path}"))
        .at(place)
        .help("give one of them another name")
}

/// The macros that packages define, by their names.
type Defined<'a> = [(&'a str, DefinedMacros)];

/// The macros of all files, and which of them reach further than their arguments.
fn namespaces(project: &Project, defined: &Defined<'_>) -> Namespaces {
    let reaching = reaching(defined);
    let mut packages: IndexMap<String, Macros> = IndexMap::new();
    for (package, definitions) in defined {
        let macros = definitions.iter().map(|(name, (place, definition))| {
            let file = place.text.path().to_string_lossy();
            let reaches = reaching.contains(name.as_str());
            (name.clone(), Arc::new(Macro::new(package, &file, definition, reaches)))
        });
        packages.insert((*package).to_owned(), macros.collect());
    }
    let builtin = packages.swap_remove(DBT).unwrap_or_default();
    Namespaces::new(
        &project.name,
        packages,
        builtin,
        project.dispatch.clone(),
        project.missing_packages.clone(),
    )
    .written_for(project.target.dialect.map(Dialect::adapter))
}

/// The macros that note something when they are called, themselves or by a macro that they name.
fn reaching<'a>(defined: &'a Defined<'_>) -> HashSet<&'a str> {
    const NOTING: [&str; 14] = [
        // A variable may hold any of the others.
        "var",
        "ref",
        "source",
        "config",
        "builtins",
        "is_incremental",
        "run_started_at",
        "invocation_id",
        "modules",
        "run_query",
        "statement",
        "load_result",
        "graph",
        "selected_resources",
    ];
    let mut reaching: HashSet<&str> = HashSet::new();
    loop {
        let before = reaching.len();
        for (name, (_, definition)) in defined.iter().flat_map(|(_, definitions)| definitions) {
            let reaches = |word: &String| {
                NOTING.contains(&word.as_str())
                    || reaching.contains(word.as_str())
                    || dispatched(word).iter().any(|name| reaching.contains(name.as_str()))
            };
            if !reaching.contains(name.as_str()) && definition.words.iter().any(reaches) {
                reaching.insert(name);
            }
        }
        if reaching.len() == before {
            return reaching;
        }
    }
}
