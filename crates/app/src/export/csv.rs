//! Rows as comma-separated values (RFC 4180), as PostgreSQL's `COPY … (FORMAT csv, HEADER)` and DuckDB's `read_csv` take them.
//!
//! NULL is nothing between two commas, and a text without characters is `""`. Lists, structs and maps are JSON; bytes are `\x` and their hexadecimal
//! digits, which PostgreSQL takes for `bytea`.

use std::fmt::Write as _;
use std::io::Write;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// The line with the names of the columns.
pub(super) fn write_header(out: &mut impl Write, schema: &Schema) -> Result<(), ArrowError> {
    let mut line = String::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        push_field(&mut line, field.name());
    }
    line.push('\n');
    Ok(out.write_all(line.as_bytes())?)
}

/// A line for each row.
pub(super) fn write_rows(out: &mut impl Write, batch: &RecordBatch) -> Result<(), ArrowError> {
    let encoding = EncoderOptions::default().with_explicit_nulls(true);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let mut cells = columns
        .map(|(field, values)| {
            Ok(match field.data_type() {
                of if of.is_nested() => CsvCells::Json(make_encoder(field, values.as_ref(), &encoding)?),
                DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
                | DataType::FixedSizeBinary(_) => CsvCells::Bytes(formatter(values.as_ref())?),
                _ => CsvCells::Text(formatter(values.as_ref())?),
            })
        })
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let (mut lines, mut value, mut json) = (String::new(), String::new(), Vec::new());
    for row in 0..batch.num_rows() {
        for (at, cells) in cells.iter_mut().enumerate() {
            if at > 0 {
                lines.push(',');
            }
            if batch.column(at).is_null(row) {
                continue;
            }
            value.clear();
            match cells {
                CsvCells::Text(values) => values.value(row).write(&mut value)?,
                CsvCells::Bytes(values) => {
                    value.push_str("\\x");
                    values.value(row).write(&mut value)?;
                }
                CsvCells::Json(values) => {
                    json.clear();
                    values.encode(row, &mut json);
                    let _ = write!(value, "{}", String::from_utf8_lossy(&json));
                }
            }
            push_field(&mut lines, &value);
        }
        lines.push('\n');
    }
    Ok(out.write_all(lines.as_bytes())?)
}

/// How the values of a column become text.
enum CsvCells<'a> {
    Text(ArrayFormatter<'a>),
    Bytes(ArrayFormatter<'a>),
    Json(NullableEncoder<'a>),
}

fn formatter(values: &dyn Array) -> Result<ArrayFormatter<'_>, ArrowError> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new()
        .with_display_error(false)
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));
    ArrayFormatter::try_new(values, &OPTIONS)
}

fn push_field(line: &mut String, value: &str) {
    // `\.` alone on a line ends the input of older versions of PostgreSQL.
    if !value.is_empty() && value != "\\." && !value.contains([',', '"', '\n', '\r']) {
        line.push_str(value);
        return;
    }
    line.push('"');
    line.push_str(&value.replace('"', "\"\""));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        ListArray, StringViewArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn values_of_each_type_are_read_again_as_what_they_were() {
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("a,b", Arc::new(Int64Array::from(vec![Some(-1), None]))),
            ("f", Arc::new(Float64Array::from(vec![0.1, f64::NAN]))),
            ("m", Arc::new(Decimal128Array::from(vec![105, -1]).with_precision_and_scale(10, 2).unwrap())),
            ("t", Arc::new(BooleanArray::from(vec![Some(true), None]))),
            ("s", Arc::new(StringViewArray::from(vec!["say \"a\",\nthen", ""]))),
            ("d", Arc::new(Date32Array::from(vec![Some(19_782), None]))),
            ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1_709_200_800_000_001, 0]))),
            ("z", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("+01:00"))),
            ("b", Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice(), b""]))),
            ("l", Arc::new(list)),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut out = Vec::new();
        write_header(&mut out, &batch.schema()).unwrap();
        write_rows(&mut out, &batch).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        "a,b",f,m,t,s,d,ts,z,b,l
        -1,0.1,1.05,true,"say ""a"",
        then",2024-02-29,2024-02-29 10:00:00.000001,1970-01-01 01:00:00+01:00,\x00ff,"[1,null]"
        ,NaN,-0.01,,"",,1970-01-01 00:00:00,1970-01-01 01:00:01.500+01:00,\x,
        "#);
    }
}
