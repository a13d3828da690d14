//! The macros of a project as texts, with what each calls: for the artifacts.

use std::path::PathBuf;

use super::called::MacroCall;
use super::macros::is_builtin_file;
use super::namespaces::Namespaces;
use super::templates::Templates;

/// A macro where it is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroText {
    /// `macro.<package>.<name>`.
    pub unique_id: String,
    /// Its name; a generic test's begins with `test_`.
    pub name: String,
    /// The package that it is of; `dbt` for what is built in.
    pub package: String,
    /// The file, relative to the project's root; of what is built in, a name that no file has.
    pub path: PathBuf,
    /// Whether it is built in.
    pub is_builtin: bool,
    /// Its text, from its first tag to its last.
    pub text: String,
    /// The unique ids of the macros that it calls, as far as its text says.
    pub calls: Vec<String>,
}

impl Templates {
    /// All macros, by package in the order in which they are defined.
    pub fn macro_texts(&self) -> impl Iterator<Item = MacroText> {
        let macros = &self.shared.macros;
        self.defined.iter().flat_map(move |(package, definitions)| {
            definitions.iter().map(move |(name, (place, definition))| {
                let path = place.text.path().to_owned();
                let mut calls: Vec<String> = Vec::new();
                for call in definition.calls.iter().filter_map(|call| called(macros, package, call)) {
                    if !calls.contains(&call) {
                        calls.push(call);
                    }
                }
                MacroText {
                    unique_id: format!("macro.{package}.{name}"),
                    name: name.clone(),
                    package: package.clone(),
                    is_builtin: is_builtin_file(&path),
                    path,
                    text: place.text.text().get(definition.block.clone()).unwrap_or_default().to_owned(),
                    calls,
                }
            })
        })
    }
}

/// The macro that a call in a package means; `None` where it is a function, or a variable.
fn called(macros: &Namespaces, package: &str, call: &MacroCall) -> Option<String> {
    let found = match call {
        MacroCall::Named { package: None, name } => macros.seen_from(package, name)?,
        MacroCall::Named { package: Some(of), name } if macros.is_package(of) => {
            macros.qualified(of, name)?
        }
        MacroCall::Named { .. } => return None,
        MacroCall::Dispatched { name, namespace } => {
            macros.dispatched(package, name, namespace.as_deref()).ok()?
        }
    };
    Some(found.unique_id())
}
