//! How values of config are read, of any kind of node.

use indexmap::IndexMap;
use mep_lang::project::Located;
use mep_sql::snapshot::HardDeletes;
use serde_json::Value as Json;

use super::reader::ConfigReader;
use super::snapshot::CheckColumns;
use super::threshold::Threshold;

impl ConfigReader<'_> {
    pub(super) fn limit(&mut self) -> Option<u64> {
        if self.located.value.is_null() {
            return None;
        }
        // What Jinja gives may be the text of a number.
        let of_text = |text: &str| text.trim().parse().ok();
        let number = self.located.value.as_u64().or_else(|| self.located.value.as_str().and_then(of_text));
        number.or_else(|| self.expected("a number of rows"))
    }

    pub(super) fn threshold(&mut self) -> Threshold {
        let threshold = self.located.value.as_str().and_then(Threshold::parse);
        threshold
            .or_else(|| self.expected("a comparison with a number, such as \">10\""))
            .unwrap_or(Threshold::NOT_ZERO)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        match &self.located.value {
            Json::String(text) => Some(text.clone()),
            Json::Null => None,
            _ => self.expected("a text"),
        }
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        match &self.located.value {
            Json::Bool(value) => Some(*value),
            Json::Null => None,
            _ => self.expected("true or false"),
        }
    }

    pub(super) fn list(&mut self) -> Vec<String> {
        match &self.located.value {
            Json::String(one) => vec![one.clone()],
            Json::Array(many) if many.iter().all(Json::is_string) => {
                many.iter().filter_map(Json::as_str).map(str::to_owned).collect()
            }
            Json::Null => Vec::new(),
            _ => self.expected("a text or a list of texts").unwrap_or_default(),
        }
    }

    /// Statements: texts, or mappings with `sql` and `transaction`.
    pub(super) fn hooks(&mut self) -> Vec<Located<String>> {
        let items = match &self.located.value {
            Json::Array(many) => &many[..],
            Json::Null => &[],
            one => std::slice::from_ref(one),
        };
        // What a transaction is begun for is published in one step here.
        let text = |item: &Json| item.as_str().or_else(|| item.get("sql")?.as_str()).map(str::to_owned);
        let texts: Option<Vec<String>> = items.iter().map(text).collect();
        let texts = texts.or_else(|| self.expected("SQL, a list of these, or mappings with `sql`"));
        let place = &self.located.place;
        let located = |value: String| Located { value, place: place.clone() };
        texts.unwrap_or_default().into_iter().map(located).collect()
    }

    /// Column names: one, several, or a mapping with `field` as adapters for warehouses in the cloud write it.
    pub(super) fn columns(&mut self) -> Vec<String> {
        match self.located.value.get("field").and_then(Json::as_str) {
            Some(field) => vec![field.to_owned()],
            None => self.list(),
        }
    }

    /// `all`, or columns.
    pub(super) fn check_columns(&mut self) -> CheckColumns {
        match self.located.value.as_str() {
            Some("all") => CheckColumns::All,
            _ => CheckColumns::These(self.list()),
        }
    }

    pub(super) fn column_types(&mut self) -> IndexMap<String, String> {
        let Json::Object(types) = &self.located.value else {
            return self.expected("a mapping from columns to types").unwrap_or_default();
        };
        let typed: Option<IndexMap<String, String>> =
            types.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        typed.or_else(|| self.expected("a type's name for each column")).unwrap_or_default()
    }

    pub(super) fn delimiter(&mut self) -> Option<char> {
        let text = self.located.value.as_str().unwrap_or_default();
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(one), None) if one.is_ascii() => Some(one),
            _ => self.expected("one ASCII character"),
        }
    }

    /// What the old name of `hard_deletes` says.
    pub(super) fn invalidates(&mut self) -> HardDeletes {
        if self.boolean().unwrap_or_default() { HardDeletes::Invalidate } else { HardDeletes::Ignore }
    }
}
