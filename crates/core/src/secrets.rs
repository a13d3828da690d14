//! What mep never writes out: passwords of the profile, and the environment's `DBT_ENV_SECRET_…`.
//!
//! Owns which values are secret, and what stands in their place in whatever mep writes: each way out, the terminal, the log
//! and the artifacts, passes its text through [`masked`]. Must not know what the text is about.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::LazyLock;

use parking_lot::RwLock;
use serde_json::Value as Json;

/// What stands in a secret's place.
const MASK: &str = "*****";
/// dbt's own name for variables that may be used in profiles alone, and are never shown.
pub const PREFIX: &str = "DBT_ENV_SECRET_";
/// What to do about a variable that may not be used where it is.
pub const MISPLACED_HELP: &str =
    "what is rendered into SQL or config is stored and shown; name the variable otherwise if it is no secret";
/// A shorter value is no secret, and to mask it would mangle everything.
const SHORTEST: usize = 4;
/// A shorter line of a value of several lines is not masked where it stands alone.
const SHORTEST_LINE: usize = 8;

/// The values by now, in each way that they may be spelled, the longest first.
static SECRETS: LazyLock<RwLock<Vec<String>>> = LazyLock::new(|| {
    let of_dbt = std::env::vars_os().filter_map(|(name, value)| {
        name.to_str().is_some_and(|name| name.starts_with(PREFIX)).then(|| value.into_string().ok())?
    });
    let mut secrets = Vec::new();
    of_dbt.for_each(|value| add(&mut secrets, &value));
    RwLock::new(secrets)
});

/// What the names of keys and variables that hold secrets have in them.
const WORDS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "private_key",
    "api_key",
    "apikey",
    "access_key",
    "key_pem",
    "user_info",
    "userinfo",
    "jaas",
    "oauthbearer_config",
];

/// Whether the name of a key or variable says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '.', ' '], "_");
    WORDS.iter().any(|word| name.contains(word))
}

/// What is wrong with a secret variable outside of profiles.
pub fn misplaced(name: &str) -> String {
    format!("the secret variable `{name}` may be used in profiles.yml alone")
}

/// Never writes this value out from now on.
pub fn keep(value: &str) {
    add(&mut SECRETS.write(), value);
}

fn add(secrets: &mut Vec<String>, value: &str) {
    let value = value.trim();
    let is_word = ["true", "false", "null", "none"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if value.len() < SHORTEST || is_word {
        return;
    }
    let lines =
        value.lines().map(str::trim).filter(|line| value.contains('\n') && line.len() >= SHORTEST_LINE);
    for value in std::iter::once(value).chain(lines) {
        let json = Json::from(value).to_string();
        let debug = format!("{value:?}");
        let unquoted = |text: &str| text[1..text.len() - 1].to_owned();
        for spelled in [
            value.to_owned(),
            unquoted(&json),
            unquoted(&debug),
            percent_encoded(value),
            value.replace('\'', "''"),
        ] {
            if !secrets.contains(&spelled) {
                secrets.push(spelled);
            }
        }
    }
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// As it stands in a URL.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The text without secrets.
pub fn masked(text: &str) -> Cow<'_, str> {
    mask(&SECRETS.read(), text)
}

/// Takes secrets out of the texts of a JSON value: what has no secret keeps its form, whatever the secret is.
pub fn mask_json(json: &mut Json) {
    let secrets = SECRETS.read();
    if !secrets.is_empty() {
        mask_texts(&secrets, json);
    }
}

fn mask_texts(secrets: &[String], json: &mut Json) {
    match json {
        Json::String(text) => {
            if let Cow::Owned(masked) = mask(secrets, text) {
                *text = masked;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| mask_texts(secrets, item)),
        Json::Object(entries) => entries.iter_mut().for_each(|(_, value)| mask_texts(secrets, value)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// Bytes of a text, without secrets.
pub fn masked_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes) {
        Ok(text) => match masked(text) {
            Cow::Borrowed(_) => Cow::Borrowed(bytes),
            Cow::Owned(masked) => Cow::Owned(masked.into_bytes()),
        },
        Err(_) => Cow::Borrowed(bytes),
    }
}

fn mask<'t>(secrets: &[String], text: &'t str) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text);
    for secret in secrets {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), MASK));
        }
    }
    text
}

/// Writes what is written to it without secrets; each call has whole lines.
#[derive(Debug)]
pub struct Masking<W>(pub W);

impl<W: Write> Write for Masking<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_all(&masked_bytes(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Vec<String> {
        let mut secrets = Vec::new();
        for value in values {
            add(&mut secrets, value);
        }
        secrets
    }

    #[test]
    fn a_secret_is_masked_however_it_is_spelled() {
        let secrets = of(&["pa\"ss 'w/rd", "pass"]);
        let texts = [
            "pa\"ss 'w/rd",
            r#"{"a": "pa\"ss 'w/rd"}"#,
            "select 'pa\"ss ''w/rd'",
            "https://me:pa%22ss%20%27w%2Frd@host",
        ];
        for text in texts {
            let masked = mask(&secrets, text);
            assert!(masked.contains(MASK) && !masked.contains("rd'") && !masked.contains("rd@"), "{masked}");
        }
        assert_eq!(mask(&secrets, "no word of it"), "no word of it");
    }

    #[test]
    fn a_key_of_several_lines_is_masked_line_by_line() {
        let secrets = of(&["-----BEGIN KEY-----\nMIIEvQIBADANBg\nx\n"]);
        assert_eq!(mask(&secrets, "| MIIEvQIBADANBg\n| x"), "| *****\n| x");
    }

    #[test]
    fn what_is_too_short_to_be_a_secret_mangles_nothing() {
        assert_eq!(mask(&of(&["", " ", "1", "dev"]), "dev 1"), "dev 1");
    }

    #[test]
    fn names_say_what_is_secret() {
        let secret = [
            "password",
            "sasl_password",
            "ssl.key.password",
            "API-KEY",
            "basic.auth.user.info",
            "sasl.oauthbearer.client.secret",
            "TOKEN",
        ];
        assert!(secret.into_iter().all(is_secret_name));
        assert!(
            !["schema", "path", "host", "sasl_username", "partition_key", "topic"]
                .into_iter()
                .any(is_secret_name)
        );
    }
}
