//! `graph` and `selected_resources`: what a text can see of the rest of the project.
//!
//! A file of macros looks up all names that it uses when it is loaded, so nothing is worked out before a text looks into it.

use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};

use super::collections::{List, of_json};
use super::scope::RenderScope;

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// `graph`.
    Graph,
    /// `selected_resources`.
    Selected,
}

/// One of the two, in a text.
pub(super) struct OfProject {
    pub(super) scope: Arc<RenderScope>,
    pub(super) named: Named,
}

impl fmt::Debug for OfProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.named {
            Named::Graph => "graph",
            Named::Selected => "selected_resources",
        })
    }
}

impl OfProject {
    fn value(&self) -> Value {
        self.scope.noted().asks_execute = true;
        let resolver = self.scope.resolver.as_ref();
        match self.named {
            Named::Graph => of_json(&self.scope.graph()),
            Named::Selected => {
                let selected = resolver.map(|resolver| resolver.selected()).unwrap_or_default();
                List::of(selected.into_iter().map(Value::from).collect())
            }
        }
    }
}

impl Object for OfProject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.named {
            Named::Graph => ObjectRepr::Map,
            Named::Selected => ObjectRepr::Seq,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.value().get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        match self.named {
            Named::Graph => Enumerator::Str(&["nodes", "sources", "exposures", "metrics", "groups"]),
            Named::Selected => Enumerator::Seq(self.value().len().unwrap_or_default()),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value())
    }
}
