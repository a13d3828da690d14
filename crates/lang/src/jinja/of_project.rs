//! `graph` and `selected_resources`: what a text can see of the rest of the project.
//!
//! A file of macros looks up all names that it uses when it is loaded, so nothing is worked out before a text looks into it.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

use super::collections::List;
use super::scope::RenderScope;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfProjectName {
    /// `graph`.
    Graph,
    /// `selected_resources`.
    Selected,
}

/// One of the two, in a text.
pub(super) struct OfProject {
    pub(super) scope: Arc<RenderScope>,
    pub(super) named: OfProjectName,
}

impl fmt::Debug for OfProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.named {
            OfProjectName::Graph => "graph",
            OfProjectName::Selected => "selected_resources",
        })
    }
}

impl OfProject {
    fn value(&self) -> Value {
        self.scope.noted().asks_execute = true;
        let resolver = self.scope.resolver.as_ref();
        match self.named {
            OfProjectName::Graph => self.scope.graph().clone(),
            OfProjectName::Selected => {
                let selected = resolver.map(|resolver| resolver.selected()).unwrap_or_default();
                List::of(selected.into_iter().map(Value::from).collect())
            }
        }
    }
}

impl Object for OfProject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.named {
            OfProjectName::Graph => ObjectRepr::Map,
            OfProjectName::Selected => ObjectRepr::Seq,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value().get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.named {
            OfProjectName::Graph => {
                Enumerator::Values(self.value().try_iter().into_iter().flatten().collect())
            }
            OfProjectName::Selected => Enumerator::Seq(self.value().len().unwrap_or_default()),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        self.value().call_method(state, method, arguments)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}
