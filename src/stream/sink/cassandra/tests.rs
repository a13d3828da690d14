//! What is pure: types, values as bytes, CQL texts, and what a change of a model comes to.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::cells::cells_of;
use super::shape::{ColumnShape, Role, Shape};
use super::types::cql_type;
use super::{Connection, Consistency, Login, Replication, create_keyspace};
use crate::relation::Relation;
use crate::stream::sink::{Clustering, SinkTable};

fn table(columns: &[(&str, DataType)], partition_key: &[&str], clustering: &[(&str, bool)]) -> SinkTable {
    let fields: Vec<Field> =
        columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect();
    let clustering = clustering
        .iter()
        .map(|(column, descending)| Clustering { column: (*column).into(), descending: *descending });
    SinkTable {
        relation: Relation::new("music", "top_songs"),
        schema: Arc::new(Schema::new(fields)),
        partition_key: partition_key.iter().map(|column| (*column).to_owned()).collect(),
        clustering: clustering.collect(),
        ttl: Some(Duration::from_secs(86_400)),
        description: "the listeners' songs".into(),
        column_descriptions: Vec::new(),
    }
}

fn top_songs() -> Shape {
    let columns = [
        ("song", DataType::Utf8View),
        ("window_start", DataType::Timestamp(TimeUnit::Nanosecond, None)),
        ("rank", DataType::UInt64),
        ("a \"quoted\" name", DataType::Decimal128(10, 2)),
        ("city", DataType::Utf8),
    ];
    Shape::of(&table(&columns, &["city", "window_start"], &[("rank", true), ("song", false)])).unwrap()
}

#[test]
fn every_type_has_its_own() {
    let types = [
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(38, 9),
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Second, None),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Null,
        DataType::Date64,
        DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))),
    ];
    let told: Vec<String> =
        types.iter().map(|of| format!("{of} -> {}", cql_type(of).unwrap_or("nothing"))).collect();
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn statements_quote_names_and_texts() {
    let shape = top_songs();
    let late = Shape::of_late("top_songs");
    let all = [
        shape.create("music"),
        shape.insert("music"),
        shape.delete("music"),
        late.create("music"),
        super::lease::create("music"),
        super::stream_row::create("music"),
        super::checkpoint::create("music"),
    ];
    insta::assert_snapshot!(all.join(";\n\n"), @"");
}

#[test]
fn a_keyspace_is_replicated_as_was_said() {
    let mut connection = Connection {
        contact_points: vec!["a:9042".into()],
        keyspace: "music".into(),
        replication: Replication::Simple(1),
        consistency: Consistency::LocalQuorum,
        local_dc: None,
        login: Some(Login { username: "u".into(), password: "hush".into() }),
        tls: None,
        timeout: Duration::from_secs(10),
    };
    insta::assert_snapshot!(create_keyspace(&connection), @"");
    connection.replication = Replication::PerDatacenter(vec![("dc1".into(), 3), ("it's".into(), 2)]);
    insta::assert_snapshot!(create_keyspace(&connection), @"");
    assert!(!format!("{connection:?}").contains("hush"));
}

#[test]
fn what_can_be_changed_is_and_the_rest_is_refused() {
    let wanted = top_songs();
    assert_eq!(wanted.changes(&wanted, "music").unwrap(), Vec::<String>::new());
    let column =
        |name: &str, cql_type: &str, role| ColumnShape { name: name.into(), cql_type: cql_type.into(), role };
    let mut found = wanted.clone();
    found.columns.remove(3);
    found.columns.push(column("gone", "text", Role::Regular));
    (found.ttl, found.comment) = (0, String::new());
    insta::assert_snapshot!(wanted.changes(&found, "music").unwrap().join("\n"), @"");
    assert_eq!(wanted.gone(&found).collect::<Vec<_>>(), ["gone"]);
    let mut told = Vec::new();
    let mut differs = |change: &dyn Fn(&mut Shape)| {
        let mut found = wanted.clone();
        change(&mut found);
        told.push(wanted.changes(&found, "music").unwrap_err().to_string());
    };
    differs(&|found| found.columns[3].cql_type = "double".into());
    differs(&|found| found.columns[4].role = Role::Regular);
    differs(&|found| found.columns[2].role = Role::Clustering { position: 0, descending: false });
    differs(&|found| found.columns[4].name = "town".into());
    insta::assert_snapshot!(told.join("\n"), @"");
}

#[test]
fn a_model_that_cassandra_has_no_table_for_is_refused() {
    let text = ("song", DataType::Utf8);
    let mut told = Vec::new();
    for table in [
        table(&[text.clone()], &[], &[]),
        table(&[text.clone()], &["artist"], &[]),
        table(&[text.clone()], &["song"], &[("song", true)]),
        table(&[text.clone(), ("at", DataType::Time64(TimeUnit::Microsecond))], &["song"], &[]),
        SinkTable { ttl: Some(Duration::from_secs(1 << 40)), ..table(&[text], &["song"], &[]) },
    ] {
        told.push(Shape::of(&table).unwrap_err().to_string());
    }
    insta::assert_snapshot!(told.join("\n"), @"");
}

/// The bytes of a column's values; its table has another column as key.
fn bytes(values: impl Array + 'static) -> Result<Vec<Option<Vec<u8>>>, String> {
    let values: ArrayRef = Arc::new(values);
    let shape = table(&[("key", DataType::Utf8), ("value", values.data_type().clone())], &["key"], &[]);
    let key = Arc::new(StringArray::from(vec!["k"; values.len()]));
    let rows = values.len();
    let batch = RecordBatch::try_from_iter([("key", key as ArrayRef), ("value", values)]).unwrap();
    let cells =
        cells_of(&Shape::of(&shape).unwrap(), &["value"], &batch).map_err(|error| error.to_string())?;
    Ok((0..rows).map(|row| cells[0].get(row).map(<[u8]>::to_vec)).collect())
}

#[test]
fn decimals_take_as_few_bytes_as_they_need() {
    let digits = vec![Some(0), Some(127), Some(128), Some(-128), Some(-129), None, Some(i128::MIN)];
    let expected: Vec<Option<Vec<u8>>> = vec![
        Some(vec![0]),
        Some(vec![0x7f]),
        Some(vec![0, 0x80]),
        Some(vec![0x80]),
        Some(vec![0xff, 0x7f]),
        None,
        Some(i128::MIN.to_be_bytes().to_vec()),
    ];
    let with_scale = |value: Vec<u8>| [2_i32.to_be_bytes().to_vec(), value].concat();
    let expected: Vec<_> = expected.into_iter().map(|value| value.map(with_scale)).collect();
    let array = Decimal128Array::from(digits).with_data_type(DataType::Decimal128(38, 2));
    assert_eq!(bytes(array).unwrap(), expected);
}

#[test]
fn days_and_times_are_those_of_cassandra() {
    let days = bytes(Date32Array::from(vec![0, -1])).unwrap();
    assert_eq!(days, [Some(vec![0x80, 0, 0, 0]), Some(vec![0x7f, 0xff, 0xff, 0xff])]);
    let times = bytes(TimestampNanosecondArray::from(vec![Some(1_999_999), Some(-1), None])).unwrap();
    assert_eq!(times, [Some(1_i64.to_be_bytes().to_vec()), Some((-1_i64).to_be_bytes().to_vec()), None]);
}

#[test]
fn a_slice_is_read_from_where_it_begins() {
    let texts = StringArray::from(vec![Some("a"), None, Some("c")]).slice(1, 2);
    assert_eq!(bytes(texts).unwrap(), [None, Some(b"c".to_vec())]);
    let numbers = UInt64Array::from(vec![Some(1), None, Some(3)]).slice(1, 2);
    assert_eq!(bytes(numbers).unwrap(), [None, Some(3_i64.to_be_bytes().to_vec())]);
    insta::assert_snapshot!(bytes(UInt64Array::from(vec![u64::MAX])).unwrap_err(), @"");
}
