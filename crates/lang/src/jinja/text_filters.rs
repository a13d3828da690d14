//! Filters of texts that the engine has not, or otherwise than Jinja2.

use std::fmt::Write;

use minijinja::value::{ObjectRepr, Tuple};
use minijinja::{Environment, Error, Value};

use super::filters::add;
use super::formats::percent;
use super::given::GivenArguments;
use super::problem::invalid;
use super::python_text::{charged, shown};
use super::text_methods::{capitalized, centered, replaced_text};
use super::widths::within;

/// Makes the filters known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    add(environment, "string", |_, value, _| Ok(shown(value).into()));
    add(environment, "upper", |state, value, _| charged(state, shown(value).to_uppercase()));
    add(environment, "lower", |state, value, _| charged(state, shown(value).to_lowercase()));
    add(environment, "capitalize", |_, value, _| Ok(capitalized(&shown(value)).into()));
    add(environment, "title", |_, value, _| Ok(title(&shown(value)).into()));
    add(environment, "trim", |_, value, arguments| {
        let mut given = GivenArguments::of("trim", arguments)?;
        let characters = given.word("chars")?;
        given.end()?;
        Ok(trimmed(&shown(value), characters.as_deref()).into())
    });
    add(environment, "center", |_, value, arguments| {
        let mut given = GivenArguments::of("center", arguments)?;
        let width = given.number("width")?.unwrap_or(80);
        given.end()?;
        Ok(centered(&shown(value), usize::try_from(width).unwrap_or(0), ' ')?.into())
    });
    add(environment, "replace", |state, value, arguments| {
        let mut given = GivenArguments::of("replace", arguments)?;
        let (old, new) = (shown(&given.needed("old")?), shown(&given.needed("new")?));
        let count = given.number("count")?.and_then(|count| usize::try_from(count).ok());
        given.end()?;
        replaced_text(state, &shown(value), &old, &new, count)
    });
    add(environment, "truncate", |_, value, arguments| truncated(value, arguments).map(Value::from));
    add(environment, "wordcount", |_, value, _| Ok(word_count(&shown(value)).into()));
    add(environment, "wordwrap", |state, value, arguments| {
        charged(state, wrapped(&shown(value), arguments)?)
    });
    for name in ["escape", "e", "forceescape"] {
        add(environment, name, |_, value, _| Ok(escaped(&shown(value)).into()));
    }
    add(environment, "indent", |state, value, arguments| charged(state, indented(&shown(value), arguments)?));
    add(environment, "format", |state, value, arguments| {
        let text = shown(value);
        let values = match arguments.split_last() {
            // Values by name are a mapping.
            Some((last, [])) if last.is_kwargs() => last.clone(),
            _ => Tuple::from(arguments).into(),
        };
        charged(state, percent(&text, &values)?)
    });
    add(environment, "urlencode", |_, value, _| url_encoded(value).map(Value::from));
    add(environment, "striptags", |_, value, _| Ok(without_tags(&shown(value)).into()));
    add(environment, "xmlattr", |_, value, arguments| attributes(value, arguments).map(Value::from));
    add(environment, "urlize", |_, value, arguments| linked(&shown(value), arguments).map(Value::from));
    add(environment, "filesizeformat", |_, value, arguments| file_size(value, arguments).map(Value::from));
}

/// Words begin after spaces and the like, and have a capital.
fn title(text: &str) -> String {
    let starts_word = |c: char| c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
    let mut titled = String::with_capacity(text.len());
    let mut is_first = true;
    for c in text.chars() {
        if starts_word(c) {
            titled.push(c);
            is_first = true;
        } else if is_first {
            titled.extend(c.to_uppercase());
            is_first = false;
        } else {
            titled.extend(c.to_lowercase());
        }
    }
    titled
}

fn trimmed(text: &str, characters: Option<&str>) -> String {
    text.trim_matches(|c: char| characters.map_or_else(|| c.is_whitespace(), |of| of.contains(c))).to_owned()
}

/// `truncate(length=255, killwords=false, end='...', leeway=5)`.
fn truncated(value: &Value, arguments: &[Value]) -> Result<String, Error> {
    let mut given = GivenArguments::of("truncate", arguments)?;
    let whole = |number: Option<i64>, default: usize| {
        number.map_or(default, |number| usize::try_from(number).unwrap_or(0))
    };
    let length = whole(given.number("length")?, 255);
    let splits_words = given.value::<bool>("killwords")?.unwrap_or(false);
    let end = given.next("end")?.map_or_else(|| "...".to_owned(), |end| shown(&end));
    let leeway = whole(given.number("leeway")?, 5);
    given.end()?;
    let text = shown(value);
    let ending = end.chars().count();
    if length < ending {
        return Err(invalid(format!("truncate() to {length} characters leaves no room for `{end}`")));
    }
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let kept: String = text.chars().take(length - ending).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !splits_words => words,
        _ => &kept,
    };
    Ok(format!("{kept}{end}"))
}

fn word_count(text: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count()
}

/// `wordwrap(width=79, break_long_words=true, wrapstring='\n', break_on_hyphens=true)`.
fn wrapped(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut given = GivenArguments::of("wordwrap", arguments)?;
    let width = usize::try_from(given.number("width")?.unwrap_or(79)).unwrap_or(0);
    let breaks_words = given.value::<bool>("break_long_words")?.unwrap_or(true);
    let between = given.word("wrapstring")?.unwrap_or_else(|| "\n".to_owned());
    let breaks_at_hyphens = given.value::<bool>("break_on_hyphens")?.unwrap_or(true);
    given.end()?;
    if width == 0 {
        return Err(invalid("wordwrap() takes a width of at least 1"));
    }
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let chunks = chunks(paragraph, breaks_at_hyphens);
        lines.push(filled(chunks, width, breaks_words).join(&between));
    }
    Ok(lines.join(&between))
}

/// Words and the spaces between them.
fn chunks(text: &str, breaks_at_hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut last_space = None;
    for c in text.chars() {
        let is_space = c.is_whitespace();
        let after_hyphen = breaks_at_hyphens
            && chunks.last().is_some_and(|chunk| {
                chunk.ends_with('-') && chunk.trim_end_matches('-').ends_with(char::is_alphabetic)
            })
            && c.is_alphabetic();
        match chunks.last_mut() {
            Some(chunk) if last_space == Some(is_space) && !after_hyphen => chunk.push(c),
            _ => chunks.push(c.to_string()),
        }
        last_space = Some(is_space);
    }
    chunks
}

fn filled(chunks: Vec<String>, width: usize, breaks_words: bool) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let mut lines: Vec<String> = Vec::new();
    let mut rest: std::collections::VecDeque<String> = chunks.into();
    while !rest.is_empty() {
        // A line does not begin with spaces, save the first one.
        if !lines.is_empty() && rest.front().is_some_and(|chunk| chunk.trim().is_empty()) {
            rest.pop_front();
            continue;
        }
        let mut line = String::new();
        while let Some(chunk) = rest.front() {
            if length(&line) + length(chunk) > width {
                break;
            }
            line.push_str(&rest.pop_front().unwrap_or_default());
        }
        if let Some(chunk) = rest.front().filter(|chunk| length(chunk) > width).cloned() {
            rest.pop_front();
            if breaks_words {
                let room = (width - length(&line)).max(1);
                let (head, tail) =
                    chunk.split_at(chunk.char_indices().nth(room).map_or(chunk.len(), |(at, _)| at));
                line.push_str(head);
                rest.push_front(tail.to_owned());
            } else if line.is_empty() {
                line = chunk;
            } else {
                rest.push_front(chunk);
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// `indent(width=4, first=false, blank=false)`.
fn indented(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut given = GivenArguments::of("indent", arguments)?;
    let width = given.any("width")?.unwrap_or_else(|| Value::from(4));
    let is_first = given.value::<bool>("first")?.unwrap_or(false);
    let is_blank = given.value::<bool>("blank")?.unwrap_or(false);
    given.end()?;
    let lines: Vec<&str> = text.split('\n').collect();
    let indent = if let Some(indent) = width.as_str() {
        indent.to_owned()
    } else {
        let width = usize::try_from(width.as_i64().unwrap_or(0)).unwrap_or(0);
        within(width.saturating_mul(lines.len()))?;
        " ".repeat(width)
    };
    let mut indented = String::new();
    for (at, line) in lines.into_iter().enumerate() {
        if at > 0 {
            indented.push('\n');
        }
        if (at > 0 || is_first) && (is_blank || at == 0 || !line.trim().is_empty()) {
            indented.push_str(&indent);
        }
        indented.push_str(line);
    }
    Ok(indented)
}

/// `urlencode`: a text, or the pairs of a mapping or list.
fn url_encoded(value: &Value) -> Result<String, Error> {
    let encoded = |text: &str, keeps_slash: bool| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                    encoded.push(byte as char);
                }
                b'/' if keeps_slash => encoded.push('/'),
                b' ' if !keeps_slash => encoded.push('+'),
                _ => {
                    let _ = write!(encoded, "%{byte:02X}");
                }
            }
        }
        encoded
    };
    let Some(object) = value.as_object() else { return Ok(encoded(&shown(value), true)) };
    let mut pairs = Vec::new();
    for item in value.try_iter()? {
        let (key, held) = if object.repr() == ObjectRepr::Map {
            (item.clone(), value.get_item(&item)?)
        } else {
            (item.get_item_by_index(0)?, item.get_item_by_index(1)?)
        };
        pairs.push(format!("{}={}", encoded(&shown(&key), false), encoded(&shown(&held), false)));
    }
    Ok(pairs.join("&"))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        kept.push_str(&rest[..at]);
        let end = if rest[at..].starts_with("<!--") { "-->" } else { ">" };
        rest = if let Some(close) = rest[at..].find(end) {
            &rest[at + close + end.len()..]
        } else {
            kept.push_str(&rest[at..]);
            ""
        };
    }
    kept.push_str(rest);
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `xmlattr`: the entries of a mapping as attributes; those that are none are left out.
fn attributes(value: &Value, arguments: &[Value]) -> Result<String, Error> {
    let mut given = GivenArguments::of("xmlattr", arguments)?;
    let is_spaced = given.value::<bool>("autospace")?.unwrap_or(true);
    given.end()?;
    let mut attributes = Vec::new();
    for key in value.try_iter()? {
        let held = value.get_item(&key)?;
        if held.is_none() || held.is_undefined() {
            continue;
        }
        let name = shown(&key);
        if name.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '=')) {
            return Err(invalid(format!("xmlattr: `{name}` is no name of an attribute")));
        }
        attributes.push(format!("{}=\"{}\"", escaped(&name), escaped(&shown(&held))));
    }
    let space = if is_spaced && !attributes.is_empty() { " " } else { "" };
    Ok(format!("{space}{}", attributes.join(" ")))
}

/// `urlize(trim_url_limit, nofollow=false, target, rel)`: addresses become links.
fn linked(text: &str, arguments: &[Value]) -> Result<String, Error> {
    let mut given = GivenArguments::of("urlize", arguments)?;
    let limit = given.number("trim_url_limit")?.and_then(|limit| usize::try_from(limit).ok());
    let nofollow = given.value::<bool>("nofollow")?.unwrap_or(false);
    let target = given.word("target")?;
    let rel = given.word("rel")?;
    given.end()?;
    let mut rels: Vec<&str> = rel.as_deref().unwrap_or_default().split_whitespace().collect();
    rels.push("noopener");
    if nofollow {
        rels.push("nofollow");
    }
    rels.sort_unstable();
    rels.dedup();
    let mut more = format!(" rel=\"{}\"", rels.join(" "));
    if let Some(target) = target {
        let _ = write!(more, " target=\"{}\"", escaped(&target));
    }
    let mut linked = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let (word, space) = word.split_at(word.trim_end().len());
        let address = word.trim_end_matches(['.', ',', ')', '>']);
        let ending = &word[address.len()..];
        let is_full = address.starts_with("http://") || address.starts_with("https://");
        if is_full || address.starts_with("www.") {
            let scheme = if is_full { "" } else { "https://" };
            let address = escaped(address);
            let name = match limit.filter(|limit| address.chars().count() > *limit) {
                Some(limit) => format!("{}...", address.chars().take(limit).collect::<String>()),
                None => address.clone(),
            };
            let _ =
                write!(linked, "<a href=\"{scheme}{address}\"{more}>{name}</a>{}{space}", escaped(ending));
        } else {
            linked.push_str(&escaped(word));
            linked.push_str(space);
        }
    }
    Ok(linked)
}

/// `filesizeformat(binary=false)`.
fn file_size(value: &Value, arguments: &[Value]) -> Result<String, Error> {
    const DECIMAL: [&str; 8] = ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    const BINARY: [&str; 8] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
    let mut given = GivenArguments::of("filesizeformat", arguments)?;
    let is_binary = given.value::<bool>("binary")?.unwrap_or(false);
    given.end()?;
    let (base, units) = if is_binary { (1024.0, BINARY) } else { (1000.0, DECIMAL) };
    let bytes = match value.as_str() {
        Some(text) => text.trim().parse().map_err(|_| invalid(format!("`{text}` is no number of bytes")))?,
        None => f64::try_from(value.clone())?,
    };
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok("1 Byte".to_owned());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes as i64));
    }
    let mut size = bytes;
    let mut unit = units[0];
    for name in units {
        size /= base;
        unit = name;
        if size < base {
            break;
        }
    }
    Ok(format!("{size:.1} {unit}"))
}
