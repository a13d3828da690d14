//! Macros: each is known to every text, may call any other, and may end with a value by `return()`.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::Dict;
use super::depth::is_writable;
use super::problem::{invalid, invalid_with_help};
use super::rewrite::{BODY, Definition, Parameter};
use super::scope::{RenderScope, SCOPE};
use crate::project::nearest;

/// What a text includes: the macro that loads a file of macros into the rendering, where it can be called from then on.
pub(super) const LOADER_TEXT: &str = "\
{%- macro __mep_load(__mep_file) -%}\
{%- import __mep_file as __mep_module -%}{%- do __mep_keep(__mep_file, __mep_module) -%}\
{%- endmacro -%}\
{%- do __mep_start(__mep_load) -%}";

/// The folder of mep's own macros.
const BUILTIN: &str = "mep/builtin/";

/// The files of mep's own macros.
pub(super) const BUILTIN_FILES: [(&str, &str); 2] = [
    ("mep/builtin/macros.sql", include_str!("builtin/macros.sql")),
    ("mep/builtin/cross_database.sql", include_str!("builtin/cross_database.sql")),
];

/// Whether a file is one of mep's own.
pub(super) fn is_builtin_file(path: &Path) -> bool {
    path.starts_with(BUILTIN)
}

/// How deep macros may call each other.
const MOST_CALLS: usize = 200;

/// A macro of some file, callable from any text.
///
/// A macro of the engine lives and dies with one rendering. So the first call of a macro loads its file into the
/// rendering of the text that calls.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    /// Whether what it does depends on, or notes, anything but its arguments.
    pub(super) reaches: bool,
    /// The package that it is of.
    package: String,
    file: String,
    body: String,
    /// Whether it takes arguments beyond its parameters, as `varargs` and `kwargs`.
    takes_any: bool,
    takes_caller: bool,
}

/// The value that `return()` was given, on its way out of the macro.
struct Returned(Value);

/// How deep macros have called each other.
struct Depth(usize);

impl Macro {
    pub(super) fn new(package: &str, file: &str, definition: &Definition, reaches: bool) -> Self {
        Self {
            name: definition.name.clone(),
            parameters: definition.parameters.clone(),
            reaches,
            package: package.to_owned(),
            file: file.to_owned(),
            body: format!("{BODY}{}", definition.name),
            takes_any: definition.takes_any(),
            takes_caller: definition.words.contains("caller"),
        }
    }

    pub(super) fn value(this: &Arc<Self>) -> Value {
        Value::from_dyn_object(this.clone())
    }

    /// Its unique id, in dbt's form.
    pub(super) fn unique_id(&self) -> String {
        format!("macro.{}.{}", self.package, self.name)
    }

    /// Whether it is one of mep's own.
    pub(super) fn is_builtin(&self) -> bool {
        self.file.starts_with(BUILTIN)
    }

    pub(super) fn takes(&self, argument: &str) -> bool {
        self.takes_any
            || (argument == "caller" && self.takes_caller)
            || self.parameters.iter().any(|parameter| parameter.name == argument)
    }

    /// A help that names what is near to an argument, or else all that the macro takes.
    pub(super) fn parameters_help(&self, argument: &str) -> String {
        let names = || self.parameters.iter().map(|parameter| parameter.name.as_str());
        match nearest(argument, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if self.parameters.is_empty() => "it takes no arguments".to_owned(),
            None => {
                format!("it takes {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The engine's macro, loaded into this rendering.
    fn body(&self, state: &mut State<'_, '_>, scope: &RenderScope) -> Result<Value, Error> {
        if scope.module(&self.file).is_none() {
            // What a file names is looked up when it is loaded.
            scope.in_package(&self.package, || {
                scope.loader().call(state, &[Value::from(self.file.as_str())])
            })?;
        }
        scope.module(&self.file).unwrap_or_default().get_attr(&self.body)
    }

    /// The arguments as the engine's macro takes them.
    fn fitted<'a>(&self, arguments: &'a [Value]) -> Result<Cow<'a, [Value]>, Error> {
        let (positional, named) = match arguments.split_last() {
            Some((last, rest)) if last.is_kwargs() => (rest, Some(Kwargs::try_from(last.clone())?)),
            _ => (arguments, None),
        };
        if !self.takes_any {
            if positional.len() > self.parameters.len() {
                return Err(invalid_with_help(
                    format!(
                        "found {} arguments, but the macro `{}` takes at most {}",
                        positional.len(),
                        self.name,
                        self.parameters.len()
                    ),
                    &self.parameters_help(""),
                ));
            }
            if let Some(unknown) = named.iter().flat_map(Kwargs::args).find(|name| !self.takes(name)) {
                return Err(self.unknown_argument(unknown));
            }
            return Ok(Cow::Borrowed(arguments));
        }
        let (positional, more) = positional.split_at(self.parameters.len().min(positional.len()));
        let mut fitted = vec![("varargs".to_owned(), Tuple::from(more).into())];
        let mut others = indexmap::IndexMap::new();
        for name in named.iter().flat_map(Kwargs::args) {
            let value =
                named.as_ref().map_or_else(|| Ok(Value::UNDEFINED), |named| named.get::<Value>(name))?;
            let is_own = (name == "caller" && self.takes_caller)
                || self.parameters.iter().any(|parameter| parameter.name == name);
            if is_own {
                fitted.push((name.to_owned(), value));
            } else {
                others.insert(Value::from(name), value);
            }
        }
        fitted.push(("kwargs".to_owned(), Dict::of(others)));
        let mut arguments = positional.to_vec();
        arguments.push(Kwargs::from_iter(fitted).into());
        Ok(Cow::Owned(arguments))
    }

    fn unknown_argument(&self, argument: &str) -> Error {
        if argument == "caller" {
            return invalid_with_help(
                format!("the macro `{}` is called with a block but never uses `caller()`", self.name),
                "call it by {{ ... }}",
            );
        }
        invalid_with_help(
            format!("the macro `{}` has no parameter `{argument}`", self.name),
            &self.parameters_help(argument),
        )
    }

    /// An error inside the macro, with room for the place of the call. An error that has no place yet is about the
    /// call itself.
    fn with_call(&self, error: Error) -> Error {
        if error.line().is_none() {
            return error;
        }
        Error::new(ErrorKind::InvalidOperation, format!("in the macro `{}`", self.name)).with_source(error)
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let names = self.parameters.iter().map(|parameter| Value::from(parameter.name.as_str()));
        Some(match key.as_str()? {
            "name" => self.name.as_str().into(),
            "arguments" => Tuple::from(names.collect::<Vec<_>>()).into(),
            "catch_varargs" | "catch_kwargs" => self.takes_any.into(),
            "caller" => self.takes_caller.into(),
            _ => return None,
        })
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        if arguments.iter().any(|value| value.is_tuple() && !is_writable(value)) {
            return Err(invalid_with_help("an argument is too large", "move the work into SQL"));
        }
        let arguments = self.fitted(arguments)?;
        let scope = state.lookup(SCOPE).and_then(|scope| scope.downcast_object::<RenderScope>());
        let Some(scope) = scope else {
            return Err(invalid(format!("the macro `{}` cannot be called here", self.name)));
        };
        let depth = state.get_or_insert_extension(Depth(0));
        if depth.0 == 0 {
            scope.noted().calls(self.unique_id());
        }
        if depth.0 == MOST_CALLS {
            return Err(invalid_with_help(
                format!("macros call each other more than {MOST_CALLS} deep, at last `{}`", self.name),
                "let the macro end its recursion by an `if`",
            ));
        }
        depth.0 += 1;
        let result = self.body(state, &scope).and_then(|body| body.call(state, &arguments));
        state.get_or_insert_extension(Depth(0)).0 -= 1;
        result.or_else(|error| {
            let returned = state.get_extension_mut::<Option<Returned>>().and_then(Option::take);
            returned.map(|returned| returned.0).ok_or_else(|| self.with_call(error))
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.name)
    }
}

/// `return(value)`: ends the macro with a value of any type.
pub(super) fn return_value(state: &mut State<'_, '_>, value: Option<Value>) -> Result<Value, Error> {
    if state.get_extension::<Depth>().is_none_or(|depth| depth.0 == 0) {
        return Err(invalid_with_help("return() outside of a macro", "print the value by {{ ... }}"));
    }
    let slot = state.get_or_insert_extension::<Option<Returned>>(None);
    *slot = Some(Returned(value.unwrap_or_else(|| Value::from(()))));
    Err(invalid("return()"))
}
