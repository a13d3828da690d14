//! Types.

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit, UnionFields, UnionMode};

use mep_core::fingerprint::Structure;

/// Adds the columns of a table: their names and types, in order.
pub fn columns(structure: &mut Structure, schema: &Schema) {
    structure.count(schema.fields().len());
    for field in schema.fields() {
        structure.text(field.name());
        data_type(structure, field.data_type());
    }
}

/// Adds a field: its name and type, whether it may be NULL, and what else is noted of it.
pub(super) fn field(structure: &mut Structure, field: &Field) {
    structure.text(field.name()).flag(field.is_nullable());
    data_type(structure, field.data_type());
    let mut notes: Vec<_> = field.metadata().iter().collect();
    notes.sort();
    structure.count(notes.len());
    for (key, value) in notes {
        structure.text(key).text(value);
    }
}

/// Adds a type.
pub fn data_type(structure: &mut Structure, data_type: &DataType) {
    match data_type {
        DataType::Null => structure.tag("null"),
        DataType::Boolean => structure.tag("boolean"),
        DataType::Int8 => structure.tag("int8"),
        DataType::Int16 => structure.tag("int16"),
        DataType::Int32 => structure.tag("int32"),
        DataType::Int64 => structure.tag("int64"),
        DataType::UInt8 => structure.tag("uint8"),
        DataType::UInt16 => structure.tag("uint16"),
        DataType::UInt32 => structure.tag("uint32"),
        DataType::UInt64 => structure.tag("uint64"),
        DataType::Float16 => structure.tag("float16"),
        DataType::Float32 => structure.tag("float32"),
        DataType::Float64 => structure.tag("float64"),
        DataType::Timestamp(unit, zone) => {
            structure.tag("timestamp").tag(time_unit(*unit)).name(zone.as_deref())
        }
        DataType::Date32 => structure.tag("date32"),
        DataType::Date64 => structure.tag("date64"),
        DataType::Time32(unit) => structure.tag("time32").tag(time_unit(*unit)),
        DataType::Time64(unit) => structure.tag("time64").tag(time_unit(*unit)),
        DataType::Duration(unit) => structure.tag("duration").tag(time_unit(*unit)),
        DataType::Interval(unit) => structure.tag("interval").tag(match unit {
            IntervalUnit::YearMonth => "year month",
            IntervalUnit::DayTime => "day time",
            IntervalUnit::MonthDayNano => "month day nano",
        }),
        DataType::Binary => structure.tag("binary"),
        DataType::FixedSizeBinary(size) => structure.tag("fixed size binary").number(*size),
        DataType::LargeBinary => structure.tag("large binary"),
        DataType::BinaryView => structure.tag("binary view"),
        DataType::Utf8 => structure.tag("utf8"),
        DataType::LargeUtf8 => structure.tag("large utf8"),
        DataType::Utf8View => structure.tag("utf8 view"),
        DataType::List(item) => of_items(structure.tag("list"), item),
        DataType::ListView(item) => of_items(structure.tag("list view"), item),
        DataType::FixedSizeList(item, size) => of_items(structure.tag("fixed size list").number(*size), item),
        DataType::LargeList(item) => of_items(structure.tag("large list"), item),
        DataType::LargeListView(item) => of_items(structure.tag("large list view"), item),
        DataType::Struct(fields) => {
            structure.tag("struct").count(fields.len());
            for one in fields {
                field(structure, one);
            }
            structure
        }
        DataType::Union(fields, mode) => {
            structure.tag("union");
            union(structure, fields, *mode);
            structure
        }
        DataType::Dictionary(key, value) => {
            structure.tag("dictionary");
            self::data_type(structure, key);
            self::data_type(structure, value);
            structure
        }
        DataType::Decimal32(precision, scale) => structure.tag("decimal32").number(*precision).number(*scale),
        DataType::Decimal64(precision, scale) => structure.tag("decimal64").number(*precision).number(*scale),
        DataType::Decimal128(precision, scale) => {
            structure.tag("decimal128").number(*precision).number(*scale)
        }
        DataType::Decimal256(precision, scale) => {
            structure.tag("decimal256").number(*precision).number(*scale)
        }
        DataType::Map(entries, is_sorted) => of_items(structure.tag("map").flag(*is_sorted), entries),
        DataType::RunEndEncoded(ends, values) => {
            structure.tag("run end encoded");
            field(structure, ends);
            field(structure, values);
            structure
        }
    };
}

fn of_items<'a>(structure: &'a mut Structure, item: &Field) -> &'a mut Structure {
    field(structure, item);
    structure
}

pub(super) fn union(structure: &mut Structure, fields: &UnionFields, mode: UnionMode) {
    structure.tag(match mode {
        UnionMode::Sparse => "sparse",
        UnionMode::Dense => "dense",
    });
    structure.count(fields.len());
    for (id, one) in fields.iter() {
        structure.number(id);
        field(structure, one);
    }
}

pub(super) fn time_unit(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "second",
        TimeUnit::Millisecond => "millisecond",
        TimeUnit::Microsecond => "microsecond",
        TimeUnit::Nanosecond => "nanosecond",
    }
}
