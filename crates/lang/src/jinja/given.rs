//! The arguments of a call, by place or by name, as Python fits them to parameters.

use minijinja::value::Kwargs;
use minijinja::{Error, Value};

use super::problem::invalid;

/// Hands over the arguments of a call, one parameter after the other.
pub(super) struct GivenArguments<'a> {
    callee: &'a str,
    positional: &'a [Value],
    named: Option<Kwargs>,
}

impl<'a> GivenArguments<'a> {
    pub(super) fn of(callee: &'a str, arguments: &'a [Value]) -> Result<Self, Error> {
        Ok(match arguments.split_last() {
            Some((last, positional)) if last.is_kwargs() => {
                Self { callee, positional, named: Some(Kwargs::try_from(last.clone())?) }
            }
            _ => Self { callee, positional: arguments, named: None },
        })
    }

    /// The next argument, which can be given by this name too. `None`, where it is not given.
    pub(super) fn next(&mut self, name: &str) -> Result<Option<Value>, Error> {
        let named = match &self.named {
            Some(named) if named.has(name) => Some(named.get::<Value>(name)?),
            _ => None,
        };
        match (self.positional.split_first(), named) {
            (Some(_), Some(_)) => Err(invalid(format!("{}() is given `{name}` twice", self.callee))),
            (Some((first, rest)), None) => {
                self.positional = rest;
                Ok(Some(first.clone()))
            }
            (None, named) => Ok(named),
        }
    }

    /// The next argument, which has to be there.
    pub(super) fn needed(&mut self, name: &str) -> Result<Value, Error> {
        self.next(name)?.ok_or_else(|| invalid(format!("{}() needs the argument `{name}`", self.callee)))
    }

    /// The next argument; none stands for a default.
    pub(super) fn any(&mut self, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.next(name)?.filter(|value| !value.is_none()))
    }

    /// The next argument as a text; none stands for a default.
    pub(super) fn word(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.any(name)? {
            Some(value) => self.of_text(name, &value).map(Some),
            None => Ok(None),
        }
    }

    /// The next argument as a type; none stands for a default.
    pub(super) fn value<T>(&mut self, name: &str) -> Result<Option<T>, Error>
    where
        T: TryFrom<Value, Error = Error>,
    {
        match self.any(name)? {
            Some(value) => {
                T::try_from(value.clone()).map(Some).map_err(|error| self.misfit(name, &value, &error))
            }
            None => Ok(None),
        }
    }

    /// The next argument as a text, which has to be there.
    pub(super) fn text(&mut self, name: &str) -> Result<String, Error> {
        let value = self.needed(name)?;
        self.of_text(name, &value)
    }

    fn of_text(&self, name: &str, value: &Value) -> Result<String, Error> {
        match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(invalid(format!(
                "{}() takes a text as `{name}`, found {}",
                self.callee,
                described(value)
            ))),
        }
    }

    /// The next argument as a whole number.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<i64>, Error> {
        self.value(name)
    }

    /// All further arguments without a name.
    pub(super) fn rest(&mut self) -> &'a [Value] {
        std::mem::take(&mut self.positional)
    }

    /// # Errors
    /// Where more was given than the callee takes.
    pub(super) fn end(self) -> Result<(), Error> {
        if !self.positional.is_empty() {
            let more = self.positional.len();
            return Err(invalid(format!("{}() is given {more} arguments too many", self.callee)));
        }
        match &self.named {
            Some(named) => named.assert_all_used(),
            None => Ok(()),
        }
    }

    fn misfit(&self, name: &str, value: &Value, error: &Error) -> Error {
        let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        invalid(format!("{}(): `{name}` cannot be {}: {why}", self.callee, described(value)))
    }
}

/// A value as a message names it.
pub(super) fn described(value: &Value) -> String {
    if value.is_undefined() { "an undefined value".to_owned() } else { format!("{value:?}") }
}
