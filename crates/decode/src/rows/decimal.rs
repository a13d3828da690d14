//! Numbers as the digits that are written, never by way of a double.
//!
//! Owns what a number's text says exactly, and whether a decimal or a double can keep all of it. Comes in: a text. Goes out:
//! digits and an exponent, or the whole number that a decimal of some scale is kept as. Must not know: columns, files.

use super::column::Misfit;

/// The most digits that are kept: those of the largest decimal.
const DIGITS: u32 = 38;

/// A number: `significant` times ten to the power of `exponent`, in the one form without zeros at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    significant: i128,
    digits: u32,
    exponent: i64,
}

impl Number {
    const ZERO: Self = Self { significant: 0, digits: 0, exponent: 0 };

    /// What a text says: digits with a sign, a point and an exponent, as each is there.
    ///
    /// # Errors
    /// [`Misfit::Type`] where it is no number, [`Misfit::Range`] or [`Misfit::Fraction`] where it has over 38 digits.
    pub fn parse(text: &str) -> Result<Self, Misfit> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
            None => (text, 0),
        };
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let mut number = Self::ZERO;
        let (mut zeros, mut place, mut has_digit, mut is_fraction) = (0_u32, 0_i64, false, false);
        for byte in unsigned.bytes() {
            match byte {
                b'.' if !is_fraction => {
                    is_fraction = true;
                    continue;
                }
                b'0'..=b'9' => has_digit = true,
                _ => return Err(Misfit::Type),
            }
            place -= i64::from(is_fraction);
            if byte == b'0' {
                zeros += u32::from(number.digits > 0);
                number.exponent += i64::from(number.digits > 0 && !is_fraction);
                continue;
            }
            let digits = number.digits + zeros + 1;
            if digits > DIGITS {
                return Err(if is_fraction { Misfit::Fraction } else { Misfit::Range });
            }
            number.significant = number.significant * 10_i128.pow(zeros + 1) + i128::from(byte - b'0');
            number.digits = digits;
            number.exponent = place;
            zeros = 0;
        }
        if !has_digit {
            return Err(Misfit::Type);
        }
        if number.digits == 0 {
            return Ok(Self::ZERO);
        }
        number.exponent = number.exponent.saturating_add(exponent);
        if mantissa.starts_with('-') {
            number.significant = -number.significant;
        }
        Ok(number)
    }

    /// The number that a decimal of a scale keeps as `unscaled`.
    pub fn of_decimal(unscaled: i128, scale: i8) -> Self {
        if unscaled == 0 {
            return Self::ZERO;
        }
        let (mut significant, mut exponent) = (unscaled, -i64::from(scale));
        while significant % 10 == 0 {
            significant /= 10;
            exponent += 1;
        }
        Self { significant, digits: significant.unsigned_abs().ilog10() + 1, exponent }
    }

    /// The number as `decimal(precision, scale)` keeps it.
    ///
    /// # Errors
    /// Where it has more digits behind the point, or before it, than the decimal has.
    pub fn unscaled(self, precision: u8, scale: i8) -> Result<i128, Misfit> {
        if self.digits == 0 {
            return Ok(0);
        }
        let zeros = self.exponent.saturating_add(i64::from(scale));
        let zeros =
            u32::try_from(zeros).map_err(|_| if zeros < 0 { Misfit::Fraction } else { Misfit::Range })?;
        if self.digits.saturating_add(zeros) > u32::from(precision) {
            return Err(Misfit::Range);
        }
        // At most 38 digits: any such number is an i128.
        Ok(self.significant * 10_i128.pow(zeros))
    }

    /// How many digits it has before the point and behind it.
    pub fn extent(self) -> (u32, u32) {
        let side = |digits: i64| u32::try_from(digits.max(0)).unwrap_or(u32::MAX);
        (side(i64::from(self.digits).saturating_add(self.exponent)), side(self.exponent.saturating_neg()))
    }

    /// The double next to it, where that is written with the same digits.
    pub fn double(self) -> Option<f64> {
        // Of so few digits both are exact in doubles, and what comes of them is the next double.
        if self.digits <= 15 && (-22..=22).contains(&self.exponent) {
            let power = 10_f64.powi(self.exponent.unsigned_abs() as i32);
            let significant = self.significant as f64;
            return Some(if self.exponent < 0 { significant / power } else { significant * power });
        }
        let double: f64 = format!("{}e{}", self.significant, self.exponent).parse().ok()?;
        (Self::of_double(double) == Ok(self)).then_some(double)
    }

    /// The number of the fewest digits to which a double is the next one.
    ///
    /// # Errors
    /// Where it is infinite or no number.
    pub fn of_double(double: f64) -> Result<Self, Misfit> {
        Self::parse(&format!("{double:e}"))
    }

    /// As [`Number::of_double`].
    ///
    /// # Errors
    /// Where it is infinite or no number.
    pub fn of_float(float: f32) -> Result<Self, Misfit> {
        Self::parse(&format!("{float:e}"))
    }
}

/// An exponent so large that it is no `i64` is as good as the largest.
fn exponent_of(text: &str) -> Result<i64, Misfit> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misfit::Type);
    }
    let limit = if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    Ok(text.parse().map_or(limit, |exponent: i64| exponent.clamp(i64::MIN / 2, i64::MAX / 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unscaled(text: &str, precision: u8, scale: i8) -> Result<i128, Misfit> {
        Number::parse(text)?.unscaled(precision, scale)
    }

    #[test]
    fn a_number_is_the_same_however_it_is_written() {
        for text in ["1250", "1250.0", "+1250.", "1.25e3", "0001250", "125E1", "12500000e-4", "1250.000e+0"] {
            assert_eq!(unscaled(text, 6, 2), Ok(125_000), "{text}");
        }
        for text in ["0", "-0", "0.000", "0e99999999999999999999", ".0"] {
            assert_eq!(Number::parse(text), Ok(Number::ZERO), "{text}");
        }
        assert_eq!(unscaled("-.05", 2, 2), Ok(-5));
        assert_eq!(Number::of_decimal(-125_000, 2), Number::parse("-1250").unwrap());
    }

    #[test]
    fn digits_that_a_decimal_has_no_place_for_are_never_dropped() {
        assert_eq!(unscaled("1.005", 10, 2), Err(Misfit::Fraction));
        assert_eq!(unscaled("1e-400", 38, 38), Err(Misfit::Fraction));
        assert_eq!(unscaled("100", 4, 2), Err(Misfit::Range));
        assert_eq!(unscaled("1e40", 38, 0), Err(Misfit::Range));
        assert_eq!(unscaled("1e99999999999999999999", 38, 0), Err(Misfit::Range));
        let largest = "9".repeat(38);
        assert_eq!(unscaled(&largest, 38, 0), Ok(10_i128.pow(38) - 1));
        assert_eq!(unscaled(&format!("{largest}1"), 38, 0), Err(Misfit::Range));
        assert_eq!(unscaled(&format!("0.{largest}1"), 38, 38), Err(Misfit::Fraction));
        for text in ["", "-", ".", "1e", "1.2.3", "0x1", "1_000", " 1", "nan", "inf", "e5"] {
            assert_eq!(Number::parse(text), Err(Misfit::Type), "{text}");
        }
    }

    #[test]
    fn a_double_keeps_a_number_where_it_is_written_with_the_same_digits() {
        let keeps = |text: &str| Number::parse(text).unwrap().double().is_some();
        for text in ["0.1", "0.30000000000000004", "1.10", "-273.15", "9007199254740992", "1e22", "1e300"] {
            assert!(keeps(text), "{text}");
        }
        for text in ["9007199254740993", "9007199254740993.21", "0.12345678901234567891", "1e999", "1e-999"] {
            assert!(!keeps(text), "{text}");
        }
    }

    #[test]
    fn a_number_says_how_many_digits_it_needs() {
        let extent = |text: &str| Number::parse(text).unwrap().extent();
        assert_eq!(extent("123.4500"), (3, 2));
        assert_eq!(extent("0.001"), (0, 3));
        assert_eq!(extent("1200"), (4, 0));
        assert_eq!(extent("0"), (0, 0));
    }
}
