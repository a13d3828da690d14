//! What a text can see, and what is noted while it is rendered.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{State, Value};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value as Json;

use super::adapter::{Adapter, Exceptions, PackageMacros, Unsupported};
use super::bound::{Bound, Function};
use super::collections::{Dict, of_json};
use super::column_value::Api;
use super::macros::Macro;
use super::model_value::{Model, Names};
use super::namespaces::Namespaces;
use super::of_project::{OfProject, OfProjectName};
use super::overridden::Overridden;
use super::relation_value::RelationValue;
use super::subject::{Invocation, Resolver};
use super::time::{Modules, Path, Timestamp};
use crate::project::Problem;
use mep_core::relation::Relation;

/// The name by which a macro's call finds the scope of the text that is being rendered.
pub(super) const SCOPE: &str = "__mep_scope";

/// The dbt whose projects mep runs: packages ask for it.
const DBT_VERSION: &str = "1.11.16";

/// What is the same for all texts: from the project and the invocation.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) invocation: Invocation,
    pub(super) project_name: String,
    /// Whether `ref()` looks in the package of the text before it looks in the project.
    pub(super) own_package_first: bool,
    /// The variables of the project, and as each of its packages sees them.
    pub(super) vars: IndexMap<String, IndexMap<String, Json>>,
    pub(super) target: Value,
    /// The packages by name, with the version of each.
    pub(super) dependencies: Value,
    pub(super) macros: Namespaces,
    /// What a unit test says that names mean.
    pub(super) overridden: Overridden,
}

impl Shared {
    /// The project's own macro that stands in place of a function of dbt.
    fn overriding(&self, name: &str) -> Option<&Arc<Macro>> {
        let own = self.macros.get(name).filter(|own| !own.is_builtin());
        own.filter(|_| OVERRIDABLE.contains(&name))
    }
}

/// Functions of dbt that a macro of the project may stand in for; they are then found in `builtins`.
pub(super) const OVERRIDABLE: [&str; 6] =
    ["ref", "source", "config", "var", "is_incremental", "should_full_refresh"];

/// What `model` and `this` say.
#[derive(Debug)]
pub(super) struct About {
    pub(super) name: String,
    pub(super) unique_id: String,
    pub(super) package: String,
    pub(super) resource_type: String,
    pub(super) fqn: Vec<String>,
    pub(super) path: String,
    pub(super) this: Relation,
    pub(super) config: IndexMap<String, Json>,
    pub(super) description: String,
    /// Of each column what the files say.
    pub(super) columns: Json,
    /// The text as it is in its file.
    pub(super) raw: String,
}

impl About {
    /// Of a model with versions, which one it is: the end of its id says it.
    pub(super) fn version(&self) -> Option<&str> {
        let id = self.unique_id.strip_prefix("model.")?;
        let (_, rest) = id.split_once('.')?;
        rest.strip_prefix(&self.name)?.strip_prefix(".v")
    }
}

/// What a text refers to, noted while it is rendered.
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that a text may have asked")]
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    pub(super) refs: Vec<(Option<String>, String)>,
    pub(super) sources: Vec<(String, String)>,
    /// The macros that the text itself called, by their unique ids.
    pub(super) macros: Vec<String>,
    /// What `ref()` and `source()` stood for.
    pub(super) relations: Vec<Relation>,
    pub(super) config: IndexMap<String, Json>,
    pub(super) uses_is_incremental: bool,
    pub(super) uses_run_time: bool,
    /// Whether anything asked `execute`.
    pub(super) asks_execute: bool,
    /// Whether it asks for rows, so that what it holds before there are any says nothing of what will be defined.
    pub(super) asks_rows: bool,
    /// Whether it ended at a call of a macro that is not there.
    pub(super) lacks_macro: bool,
    /// What was not defined and taken for nothing.
    pub(super) missing: Vec<Problem>,
}

impl Noted {
    /// Notes a macro that the text called.
    pub(super) fn calls(&mut self, called: String) {
        if !self.macros.contains(&called) {
            self.macros.push(called);
        }
    }

    /// Adds what another pass noted; config is that of the first one.
    pub(super) fn add(&mut self, more: Self) {
        for used in more.refs {
            if !self.refs.contains(&used) {
                self.refs.push(used);
            }
        }
        for used in more.sources {
            if !self.sources.contains(&used) {
                self.sources.push(used);
            }
        }
        for used in more.macros {
            self.calls(used);
        }
        self.uses_is_incremental |= more.uses_is_incremental;
        self.uses_run_time |= more.uses_run_time;
        self.asks_execute |= more.asks_execute;
        self.asks_rows |= more.asks_rows;
        self.missing.extend(more.missing);
    }
}

/// What one rendering has loaded: the engine's macros live no longer than that.
#[derive(Default)]
struct Loaded {
    /// The macro that loads a file of macros.
    loader: Value,
    /// The files of macros that were needed so far.
    modules: BTreeMap<String, Value>,
}

/// What a text sees while it is rendered.
pub(super) struct RenderScope {
    pub(super) shared: Arc<Shared>,
    pub(super) about: About,
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    pub(super) extra: Vec<(&'static str, Value)>,
    noted: Mutex<Noted>,
    loaded: Mutex<Loaded>,
    /// What statements gave, by the names that they were given.
    results: Mutex<BTreeMap<String, Value>>,
    /// What an expression evaluated to, where that is what the rendering is for.
    given: Mutex<Option<Value>>,
    /// How many variables are being rendered, each within the one before.
    vars: AtomicUsize,
    /// The nodes of the project, as the text has changed them.
    graph: OnceLock<Value>,
    /// The package of what is looking names up.
    package: Mutex<String>,
    /// How many messages the text had for the user so far, and how many of them an earlier rendering told.
    told: AtomicUsize,
    told_before: AtomicUsize,
}

impl fmt::Debug for RenderScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("about", &self.about).finish_non_exhaustive()
    }
}

impl RenderScope {
    pub(super) fn new(
        shared: Arc<Shared>,
        about: About,
        resolver: Option<Arc<dyn Resolver>>,
        extra: Vec<(&'static str, Value)>,
    ) -> Arc<Self> {
        Arc::new(Self {
            package: Mutex::new(about.package.clone()),
            shared,
            about,
            resolver,
            extra,
            noted: Mutex::default(),
            loaded: Mutex::default(),
            results: Mutex::default(),
            graph: OnceLock::new(),
            given: Mutex::default(),
            vars: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
            told_before: AtomicUsize::new(0),
        })
    }

    /// The first messages were told by an earlier rendering of the same text.
    pub(super) fn tells_after(&self, told_before: usize) {
        self.told_before.store(told_before, Ordering::Relaxed);
    }

    /// How many messages the text had.
    pub(super) fn told(&self) -> usize {
        self.told.load(Ordering::Relaxed)
    }

    /// Notes that the text asks for rows.
    pub(super) fn asks_for_rows(&self) {
        let mut noted = self.noted();
        noted.asks_execute = true;
        noted.asks_rows = true;
    }

    /// Whether the user is told the next message of the text that is being rendered.
    pub(super) fn is_told(state: &State<'_, '_>) -> bool {
        let scope = state.lookup(SCOPE).and_then(|scope| scope.downcast_object::<Self>());
        scope.is_none_or(|scope| {
            scope.told.fetch_add(1, Ordering::Relaxed) >= scope.told_before.load(Ordering::Relaxed)
        })
    }

    /// Renders a text of its own within this rendering: `work` may load macros anew, which end with it.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = std::mem::take(&mut *self.loaded.lock());
        let done = work();
        *self.loaded.lock() = outer;
        done
    }

    /// Does `work` as the rendering of a variable; `None` where variables are made of each other without an end.
    pub(super) fn as_var<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        const MOST: usize = 20;
        let depth = self.vars.fetch_add(1, Ordering::Relaxed);
        let done = (depth < MOST).then(|| self.within(work));
        self.vars.fetch_sub(1, Ordering::Relaxed);
        done
    }

    /// Does `work`, whose names are looked up as a package sees them.
    pub(super) fn in_package<T>(&self, package: &str, work: impl FnOnce() -> T) -> T {
        let outer = std::mem::replace(&mut *self.package.lock(), package.to_owned());
        let done = work();
        *self.package.lock() = outer;
        done
    }

    /// The variables that the text sees.
    pub(super) fn variables(&self) -> &IndexMap<String, Json> {
        static NONE: LazyLock<IndexMap<String, Json>> = LazyLock::new(IndexMap::new);
        let vars = &self.shared.vars;
        vars.get(&self.about.package).or_else(|| vars.get(&self.shared.project_name)).unwrap_or(&NONE)
    }

    pub(super) fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock()
    }

    /// A rendering begins, and here is the macro by which it loads files of macros.
    pub(super) fn start(&self, loader: Value) {
        *self.loaded.lock() = Loaded { loader, modules: BTreeMap::new() };
    }

    pub(super) fn loader(&self) -> Value {
        self.loaded.lock().loader.clone()
    }

    pub(super) fn module(&self, file: &str) -> Option<Value> {
        self.loaded.lock().modules.get(file).cloned()
    }

    pub(super) fn keep_module(&self, file: &str, module: Value) {
        self.loaded.lock().modules.insert(file.to_owned(), module);
    }

    pub(super) fn keep_result(&self, name: &str, result: Value) {
        self.results.lock().insert(name.to_owned(), result);
    }

    pub(super) fn kept_result(&self, name: &str) -> Option<Value> {
        self.results.lock().get(name).cloned()
    }

    pub(super) fn give(&self, value: Value) {
        *self.given.lock() = Some(value);
    }

    pub(super) fn take_given(&self) -> Option<Value> {
        self.given.lock().take()
    }

    /// `run_started_at`: whoever asks is different on every run.
    pub(super) fn run_started_at(&self) -> DateTime<Utc> {
        self.noted().uses_run_time = true;
        self.shared.invocation.run_started_at
    }

    /// A config value as far as it is known: what `config()` said so far wins.
    pub(super) fn config_value(&self, key: &str) -> Option<Value> {
        let noted = self.noted();
        noted.config.get(key).or_else(|| self.about.config.get(key)).map(of_json)
    }

    /// What the command line asked for; of what mep has no word for, what dbt has without it.
    fn flags(&self) -> Value {
        let invocation = &self.shared.invocation;
        let off =
            ["EMPTY", "STORE_FAILURES", "FAIL_FAST", "DEBUG", "QUIET", "WARN_ERROR", "DEFER", "NO_PRINT"];
        let on = ["PARTIAL_PARSE", "VERSION_CHECK", "STATIC_PARSER", "USE_COLORS", "PRINT"];
        let mut entries: IndexMap<Value, Value> = IndexMap::from([
            ("FULL_REFRESH".into(), Value::from(invocation.full_refresh)),
            ("WHICH".into(), invocation.command.as_str().into()),
            ("INDIRECT_SELECTION".into(), "eager".into()),
            ("INVOCATION_COMMAND".into(), format!("dbt {}", invocation.command).into()),
        ]);
        entries.extend(off.map(|name| (name.into(), false.into())));
        entries.extend(on.map(|name| (name.into(), true.into())));
        Dict::of(entries)
    }

    /// `invocation_args_dict`.
    fn invocation_arguments(&self) -> Value {
        let invocation = &self.shared.invocation;
        Dict::with([
            ("full_refresh", Value::from(invocation.full_refresh)),
            ("which", invocation.command.as_str().into()),
            ("target", self.shared.target.get_attr("name").unwrap_or_default()),
        ])
    }

    /// The nodes of the project, as far as they are known: a mapping that a text may change for itself, as packages do to keep
    /// something between their macros.
    pub(super) fn graph(&self) -> &Value {
        self.graph.get_or_init(|| {
            let known = self.resolver.as_ref().map(|resolver| resolver.graph());
            of_json(&known.unwrap_or_else(
                || serde_json::json!({ "nodes": {}, "sources": {}, "exposures": {}, "metrics": {}, "groups": {} }),
            ))
        })
    }

    fn builtins(self: &Arc<Self>) -> Value {
        let bound = |name: &'static str| {
            let function = Function::named(name)?;
            Some((name, Value::from_object(Bound { scope: self.clone(), function })))
        };
        Dict::of(
            OVERRIDABLE.into_iter().filter_map(bound).map(|(name, value)| (name.into(), value)).collect(),
        )
    }
}

impl Object for RenderScope {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some((_, value)) = self.extra.iter().find(|(extra, _)| *extra == name) {
            return Some(value.clone());
        }
        if let Some(value) = self.shared.overridden.get(name) {
            return Some(value.clone());
        }
        if let Some(function) = Function::named(name) {
            return Some(match self.shared.overriding(name) {
                Some(own) => Macro::value(own),
                None => Value::from_object(Bound { scope: self.clone(), function }),
            });
        }
        let invocation = &self.shared.invocation;
        Some(match name {
            SCOPE => Value::from_dyn_object(self.clone()),
            "this" => RelationValue::of(self.about.this.clone().into()),
            "schema" => self.about.this.schema.clone().into(),
            "model" => Value::from_object(Model(self.clone())),
            "target" => self.shared.target.clone(),
            "execute" => {
                self.noted().asks_execute = true;
                self.resolver.is_some().into()
            }
            "run_started_at" => Value::from_object(Timestamp::utc(invocation.run_started_at)),
            "logical_date" => invocation.logical_date.to_string().into(),
            "invocation_id" => invocation.invocation_id.as_str().into(),
            "project_name" => self.shared.project_name.as_str().into(),
            "database" => Value::from(()),
            "thread_id" => "Thread-1".into(),
            "dbt_version" => DBT_VERSION.into(),
            "invocation_args_dict" => self.invocation_arguments(),
            "dbt_metadata_envs" => Dict::of(IndexMap::new()),
            "context" => Value::from_object(Names(self.clone())),
            "adapter" => {
                let package = self.package.lock().clone();
                Value::from_object(Adapter { scope: self.clone(), package })
            }
            "api" => Value::from_object(Api::Whole),
            "exceptions" => Value::from_object(Exceptions),
            "modules" => Value::from_object(Modules { scope: self.clone(), path: Path::Modules }),
            "flags" => self.flags(),
            "graph" => Value::from_object(OfProject { scope: self.clone(), named: OfProjectName::Graph }),
            "selected_resources" => {
                Value::from_object(OfProject { scope: self.clone(), named: OfProjectName::Selected })
            }
            "builtins" => self.builtins(),
            name => {
                // The engine knows what the project sees; what a package sees besides stands before it.
                let package = self.package.lock();
                let macros = &self.shared.macros;
                let own = if *package == macros.root() { None } else { macros.of_package(&package, name) };
                if let Some(own) = own {
                    return Some(Macro::value(own));
                }
                match PackageMacros::named(name, &self.shared) {
                    Some(package) => Value::from_object(package),
                    None => Unsupported::named(name)?.value(),
                }
            }
        })
    }
}
