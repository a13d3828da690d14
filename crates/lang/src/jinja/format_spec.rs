//! What a format says of one value: `>10`, `05.2f`, `,`, `%`.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::given::described;
use super::problem::invalid;
use super::python_text::{float, shown};
use super::widths::within;

/// A format of one value.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) fill: char,
    /// `<`, `>`, `^`, or `=` for padding behind the sign.
    pub(super) align: Option<char>,
    pub(super) sign: Option<char>,
    pub(super) is_alternate: bool,
    pub(super) width: usize,
    /// What stands between groups of digits.
    pub(super) grouping: Option<char>,
    pub(super) precision: Option<usize>,
    pub(super) kind: Option<char>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            fill: ' ',
            align: None,
            sign: None,
            is_alternate: false,
            width: 0,
            grouping: None,
            precision: None,
            kind: None,
        }
    }
}

/// More digits than any number has.
const MOST_DIGITS: usize = 1_000;

impl Spec {
    /// Reads what stands behind the colon of a place.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let mut spec = Self::default();
        let characters: Vec<char> = text.chars().collect();
        let is_align = |at: usize| characters.get(at).is_some_and(|c| "<>=^".contains(*c));
        let mut at = 0;
        if is_align(1) {
            (spec.fill, spec.align, at) = (characters[0], Some(characters[1]), 2);
        } else if is_align(0) {
            (spec.align, at) = (Some(characters[0]), 1);
        }
        let next = |at: &mut usize, of: &str| {
            let found = characters.get(*at).copied().filter(|c| of.contains(*c));
            *at += usize::from(found.is_some());
            found
        };
        spec.sign = next(&mut at, "+- ").filter(|sign| *sign != '-');
        spec.is_alternate = next(&mut at, "#").is_some();
        if next(&mut at, "0").is_some() && spec.align.is_none() {
            (spec.fill, spec.align) = ('0', Some('='));
        }
        let digits = |at: &mut usize| {
            let start = *at;
            while characters.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            characters[start..*at].iter().collect::<String>().parse::<usize>().ok()
        };
        spec.width = digits(&mut at).unwrap_or(0);
        spec.grouping = next(&mut at, ",_");
        if next(&mut at, ".").is_some() {
            spec.precision =
                Some(digits(&mut at).ok_or_else(|| invalid(format!("the format `{text}` lacks digits")))?);
        }
        spec.kind = next(&mut at, "bcdeEfFgGnosxX%");
        within(spec.width)?;
        if at < characters.len() {
            return Err(invalid(format!("`{text}` is no format of a value")));
        }
        Ok(spec)
    }

    pub(super) fn with_kind(mut self, kind: char) -> Self {
        self.kind = Some(kind);
        self
    }

    /// A value of any kind.
    pub(super) fn value(&self, value: &Value) -> Result<String, Error> {
        match (value.kind(), self.kind) {
            (ValueKind::Bool, None | Some('s')) => Ok(self.text(&shown(value))),
            (ValueKind::Bool | ValueKind::Number, _) => self.number(value),
            (_, None | Some('s')) => Ok(self.text(&shown(value))),
            (_, Some(kind)) => {
                Err(invalid(format!("the format `{kind}` takes a number, found {}", described(value))))
            }
        }
    }

    /// A text, cut to the precision.
    pub(super) fn text(&self, text: &str) -> String {
        let cut = self.precision.map(|most| text.chars().take(most).collect::<String>());
        self.padded("", cut.as_deref().unwrap_or(text), '<')
    }

    /// A number.
    pub(super) fn number(&self, value: &Value) -> Result<String, Error> {
        let is_whole = value.is_integer() || value.kind() == ValueKind::Bool;
        if !is_whole && value.kind() != ValueKind::Number {
            let kind = self.kind.unwrap_or('d');
            return Err(invalid(format!("the format `{kind}` takes a number, found {}", described(value))));
        }
        let is_of_whole = matches!(self.kind, None | Some('b' | 'c' | 'd' | 'n' | 'o' | 'x' | 'X'));
        if is_whole && is_of_whole {
            return self.whole(i128::try_from(value.clone())?);
        }
        if !is_whole && matches!(self.kind, Some('b' | 'c' | 'd' | 'o' | 'x' | 'X')) {
            let kind = self.kind.unwrap_or('d');
            return Err(invalid(format!("the format `{kind}` takes a whole number, found {}", shown(value))));
        }
        let number = if value.kind() == ValueKind::Bool {
            f64::from(u8::from(value.is_true()))
        } else {
            f64::try_from(value.clone())?
        };
        Ok(self.broken(number))
    }

    fn whole(&self, number: i128) -> Result<String, Error> {
        let size = number.unsigned_abs();
        let (prefix, digits) = match self.kind {
            Some('b') => ("0b", format!("{size:b}")),
            Some('o') => ("0o", format!("{size:o}")),
            Some('x') => ("0x", format!("{size:x}")),
            Some('X') => ("0X", format!("{size:X}")),
            Some('c') => {
                let code = u32::try_from(number).ok().and_then(char::from_u32);
                let code = code.ok_or_else(|| invalid(format!("{number} is no character")))?;
                return Ok(self.padded("", &code.to_string(), '<'));
            }
            _ => ("", size.to_string()),
        };
        let every = if self.kind.is_some_and(|kind| "boxX".contains(kind)) { 4 } else { 3 };
        let prefix = if self.is_alternate { prefix } else { "" };
        let sign = format!("{}{prefix}", self.sign_of(number < 0));
        Ok(self.padded(&sign, &self.grouped(&digits, every), '>'))
    }

    fn broken(&self, number: f64) -> String {
        let sign = self.sign_of(number.is_sign_negative() && !number.is_nan());
        let size = number.abs();
        if !number.is_finite() {
            let is_upper = self.kind.is_some_and(char::is_uppercase);
            let text = float(size);
            return self.padded(sign, &if is_upper { text.to_uppercase() } else { text }, '>');
        }
        let digits = |default: usize| self.precision.unwrap_or(default).min(MOST_DIGITS);
        let text = match self.kind {
            Some('f' | 'F') => format!("{size:.*}", digits(6)),
            Some('%') => format!("{:.*}%", digits(6), size * 100.0),
            Some('e' | 'E') => exponent(size, digits(6)),
            Some('g' | 'G' | 'n') => self.general(size, digits(6).max(1)),
            _ => match self.precision {
                Some(_) => self.general(size, digits(6).max(1)),
                None => float(size),
            },
        };
        let text = if self.kind.is_some_and(char::is_uppercase) { text.to_uppercase() } else { text };
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let grouped = format!("{}{}", self.grouped(&text[..end], 3), &text[end..]);
        self.padded(sign, &grouped, '>')
    }

    /// As many digits as asked for, with an exponent where the number is large or small.
    fn general(&self, size: f64, digits: usize) -> String {
        let with_exponent = exponent(size, digits - 1);
        let power: i32 = with_exponent.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
        let is_plain = power >= -4 && power < i32::try_from(digits).unwrap_or(i32::MAX);
        let (text, rest) = if is_plain {
            let places = i32::try_from(digits).unwrap_or(0) - 1 - power;
            (format!("{size:.*}", usize::try_from(places).unwrap_or(0)), String::new())
        } else {
            let (text, rest) = with_exponent.split_once('e').unwrap_or((&with_exponent, ""));
            (text.to_owned(), format!("e{rest}"))
        };
        if self.is_alternate || !text.contains('.') {
            return format!("{text}{rest}");
        }
        format!("{}{rest}", text.trim_end_matches('0').trim_end_matches('.'))
    }

    fn sign_of(&self, is_negative: bool) -> &'static str {
        match (is_negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(_)) => " ",
            (false, None) => "",
        }
    }

    fn grouped(&self, digits: &str, every: usize) -> String {
        let Some(mark) = self.grouping else { return digits.to_owned() };
        let mut grouped = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(every) {
                grouped.push(mark);
            }
            grouped.push(digit);
        }
        grouped
    }

    fn padded(&self, sign: &str, text: &str, default: char) -> String {
        let more = self.width.saturating_sub(sign.chars().count() + text.chars().count());
        let fill = |count: usize| std::iter::repeat_n(self.fill, count).collect::<String>();
        match self.align.unwrap_or(default) {
            '<' => format!("{sign}{text}{}", fill(more)),
            '^' => format!("{}{sign}{text}{}", fill(more / 2), fill(more - more / 2)),
            '=' => format!("{sign}{}{text}", fill(more)),
            _ => format!("{}{sign}{text}", fill(more)),
        }
    }
}

/// A number with an exponent of at least two digits.
fn exponent(size: f64, places: usize) -> String {
    let written = format!("{size:.places$e}");
    let (digits, power) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}e{sign}{power:0>2}")
}
