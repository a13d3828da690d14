//! What a macro calls, as its text says it: names before a bracket, and what `adapter.dispatch` is asked for.
//!
//! Nothing is rendered for it: a macro that no text calls has its place among the artifacts too.

use super::tokens::{Token, TokenKind};

/// A call in a macro's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MacroCall {
    /// `name(…)`, or `package.name(…)`.
    Named { package: Option<String>, name: String },
    /// `adapter.dispatch('name', 'namespace')`.
    Dispatched { name: String, namespace: Option<String> },
}

/// The calls among these tokens, each once. Whether a name is that of a macro is not known here.
pub(super) fn in_tokens(text: &str, tokens: &[Token]) -> Vec<MacroCall> {
    let mut calls = Vec::new();
    let word = |at: usize| {
        tokens.get(at).filter(|token| token.kind == TokenKind::Name).map(|token| token.text(text))
    };
    let is = |at: usize, symbol: u8| tokens.get(at).is_some_and(|token| token.is(symbol));
    for at in (1..tokens.len()).filter(|at| is(*at, b'(')) {
        let Some(name) = word(at - 1) else { continue };
        // A filter or a test of a value.
        let is_filter = at > 1 && (is(at - 2, b'|') || word(at - 2) == Some("is"));
        if is_filter {
            continue;
        }
        let owner = at.checked_sub(3).filter(|_| is(at - 2, b'.')).map(&word);
        let called = match owner {
            Some(Some("adapter")) if name == "dispatch" => {
                let Some(called) = dispatched(text, &tokens[at + 1..]) else { continue };
                called
            }
            Some(Some(package)) => {
                MacroCall::Named { package: Some(package.to_owned()), name: name.to_owned() }
            }
            // A method of what a bracket or a text gives.
            Some(None) => continue,
            None => MacroCall::Named { package: None, name: name.to_owned() },
        };
        if !calls.contains(&called) {
            calls.push(called);
        }
    }
    calls
}

/// What stands behind the bracket of `adapter.dispatch(`, where both are texts.
fn dispatched(text: &str, arguments: &[Token]) -> Option<MacroCall> {
    let end = arguments.iter().position(|token| token.is(b')')).unwrap_or(arguments.len());
    let is_text = |token: &&Token| token.kind == TokenKind::Text;
    let mut texts = arguments[..end].iter().filter(is_text).map(|token| text[token.unquoted()].to_owned());
    Some(MacroCall::Dispatched { name: texts.next()?, namespace: texts.next() })
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    #[test]
    fn calls_are_names_before_a_bracket() {
        let text = "{% do a(b.c(1)) %}{{ adapter.dispatch('d', 'e')(x) }} f() {{ [1].append(2) }}{{ a() }}{{ x | g(1) }}{% if x is h(2) %}";
        let named = |package: Option<&str>, name: &str| MacroCall::Named {
            package: package.map(str::to_owned),
            name: name.to_owned(),
        };
        let dispatched = MacroCall::Dispatched { name: "d".to_owned(), namespace: Some("e".to_owned()) };
        assert_eq!(in_tokens(text, &tokens(text)), [named(None, "a"), named(Some("b"), "c"), dispatched]);
    }
}
