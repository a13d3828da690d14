//! What is pure: types, values as bytes, CQL texts, and what a change of a model comes to.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::cells::cells_of;
use super::create_keyspace;
use super::shape::{ColumnShape, Role, Shape};
use super::types::cql_type;
use super::writing::{BoundRow, ROWS, Requests, TimestampAt, in_order};
use mep_contract::sink::{Clustering, SinkTable};
use mep_core::connection::{CassandraConnection, CassandraConsistency, CassandraLogin, CassandraReplication};
use mep_core::relation::Relation;

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
        ttl: Some(Duration::from_hours(24)),
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
    insta::assert_snapshot!(told.join("\n"), @r#"
    Utf8 -> text
    LargeUtf8 -> text
    Utf8View -> text
    Binary -> blob
    LargeBinary -> blob
    BinaryView -> blob
    Boolean -> boolean
    Int8 -> tinyint
    Int16 -> smallint
    Int32 -> int
    Int64 -> bigint
    UInt8 -> smallint
    UInt16 -> int
    UInt32 -> bigint
    UInt64 -> bigint
    Float32 -> float
    Float64 -> double
    Decimal128(38, 9) -> decimal
    Date32 -> date
    Timestamp(s) -> timestamp
    Timestamp(ns) -> timestamp
    Timestamp(ns, "UTC") -> nothing
    Null -> nothing
    Date64 -> nothing
    List(Int64) -> nothing
    "#);
}

#[test]
fn statements_quote_names_and_texts() {
    let shape = top_songs();
    let late = Shape::of_late(&shape);
    let all = [
        shape.create("music"),
        shape.insert("music"),
        shape.delete("music"),
        late.create("music"),
        super::lease::create("music"),
        super::stream_row::create("music"),
        super::checkpoint::create("music"),
    ];
    insta::assert_snapshot!(all.join(";\n\n"), @r#"
    CREATE TABLE IF NOT EXISTS "music"."top_songs" (
        "song" text,
        "window_start" timestamp,
        "rank" bigint,
        "a ""quoted"" name" decimal,
        "city" text,
        PRIMARY KEY (("city", "window_start"), "rank", "song")
    ) WITH CLUSTERING ORDER BY ("rank" DESC, "song" ASC)
        AND default_time_to_live = 86400 AND comment = 'the listeners'' songs';

    INSERT INTO "music"."top_songs" ("song", "window_start", "rank", "a ""quoted"" name", "city") VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?;

    DELETE FROM "music"."top_songs" USING TIMESTAMP ? WHERE "city" = ? AND "window_start" = ? AND "rank" = ? AND "song" = ?;

    CREATE TABLE IF NOT EXISTS "music"."top_songs_late" (
        "epoch" bigint,
        "topic" text,
        "partition" int,
        "offset" bigint,
        "window" timestamp,
        PRIMARY KEY (("epoch"), "topic", "partition", "offset")
    ) WITH CLUSTERING ORDER BY ("topic" ASC, "partition" ASC, "offset" ASC)
        AND default_time_to_live = 86400 AND comment = 'events that came after their window of top_songs was closed';

    CREATE TABLE IF NOT EXISTS "music".mep_leases (
        model text PRIMARY KEY,
        holder text,
        since timestamp
    ) WITH comment = 'which instance of mep streams a model; changed by mep alone';

    CREATE TABLE IF NOT EXISTS "music".mep_streams (
        model text PRIMARY KEY,
        holder text,
        holder_since timestamp,
        epoch bigint,
        checkpoint uuid,
        chunks int,
        bytes bigint,
        prepared_epoch bigint,
        prepared_cut blob,
        next_checkpoint uuid,
        stale_checkpoints frozen<set<uuid>>,
        clearing boolean
    ) WITH comment = 'where the streaming models of mep stand; changed by mep alone';

    CREATE TABLE IF NOT EXISTS "music".mep_checkpoints (
        model text,
        id uuid,
        chunk int,
        data blob,
        PRIMARY KEY ((model, id), chunk)
    ) WITH gc_grace_seconds = 86400 AND comment = 'the checkpoints that mep_streams points at; changed by mep alone'
    "#);
}

#[test]
fn a_keyspace_is_replicated_as_was_said() {
    let mut connection = CassandraConnection {
        contact_points: vec!["a:9042".into()],
        keyspace: "music".into(),
        replication: CassandraReplication::Simple(1),
        consistency: CassandraConsistency::LocalQuorum,
        local_dc: None,
        login: Some(CassandraLogin { username: "u".into(), password: "hush".into() }),
        tls: None,
        timeout: Duration::from_secs(10),
        concurrency: 64,
        settles_after: Duration::ZERO,
    };
    insta::assert_snapshot!(create_keyspace(&connection), @r#"CREATE KEYSPACE IF NOT EXISTS "music" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"#);
    connection.replication = CassandraReplication::PerDatacenter(vec![("dc1".into(), 3), ("it's".into(), 2)]);
    insta::assert_snapshot!(create_keyspace(&connection), @r#"CREATE KEYSPACE IF NOT EXISTS "music" WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'it''s': 2}"#);
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
    insta::assert_snapshot!(wanted.changes(&found, "music").unwrap().join("\n"), @r#"
    ALTER TABLE "music"."top_songs" ADD "a ""quoted"" name" decimal
    ALTER TABLE "music"."top_songs" WITH default_time_to_live = 86400 AND comment = 'the listeners'' songs'
    "#);
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
    insta::assert_snapshot!(told.join("\n"), @r#"
    top_songs: the column `a "quoted" name` is decimal in the model and double in the table; cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    top_songs: the model's key is ((city, window_start), rank desc, song), that of the table is ((window_start), rank desc, song); cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    top_songs: the model's key is ((city, window_start), rank desc, song), that of the table is ((city, window_start), rank, song); cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    top_songs: the model's key is ((city, window_start), rank desc, song), that of the table is ((town, window_start), rank desc, song); cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    "#);
}

#[test]
fn a_model_that_cassandra_has_no_table_for_is_refused() {
    let text = [("song", DataType::Utf8)];
    let at = ("at", DataType::Time64(TimeUnit::Microsecond));
    let mut told = Vec::new();
    for table in [
        table(&text, &[], &[]),
        table(&text, &["artist"], &[]),
        table(&text, &["song"], &[("song", true)]),
        table(&[text[0].clone(), at], &["song"], &[]),
        SinkTable { ttl: Some(Duration::from_secs(1 << 40)), ..table(&text, &["song"], &[]) },
    ] {
        told.push(Shape::of(&table).unwrap_err().to_string());
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    top_songs: expected a column in the partition key, found none
    top_songs: the key names `artist`, which is not a column of the model
    top_songs: `song` is named twice in the key
    top_songs: the column `at` is of type Time64(µs), which cassandra has no type for; cast it to another one
    top_songs: expected a time to live of at most 20 years, found 1099511627776 seconds
    ");
}

#[test]
fn rows_of_a_partition_go_together_in_order_and_of_one_key_the_last_one_counts() {
    let shape = table(
        &[("city", DataType::Utf8), ("rank", DataType::UInt64), ("song", DataType::Utf8)],
        &["city"],
        &[("rank", true)],
    );
    let shape = Shape::of(&shape).unwrap();
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let cities: Vec<String> = (0..600).map(|row| ["x", "y"][row / 590].to_owned()).collect();
    let ranks: ArrayRef = Arc::new(UInt64Array::from_iter_values(
        (0..600).map(|row| if row < 590 { 600 - row % 500 } else { row }),
    ));
    let songs = text((0..600).map(|row| format!("song {row}")).collect());
    let batch =
        RecordBatch::try_from_iter([("city", text(cities)), ("rank", ranks), ("song", songs)]).unwrap();
    let cells = cells_of(&shape, &["city", "rank", "song"], &batch).unwrap();
    let values = |row: &BoundRow<'_>| {
        let [city, rank, song] = [0, 1, 2].map(|column| cells[column].get(row.index).unwrap());
        let rank = u64::from_be_bytes(rank.try_into().unwrap());
        (String::from_utf8_lossy(city).into_owned(), rank, String::from_utf8_lossy(song).into_owned())
    };
    let rows = in_order(BoundRow::all(&cells, 600, 7, TimestampAt::End).collect(), &[0, 1]);
    let requests: Vec<Vec<_>> =
        Requests::of(&rows, vec![0]).map(|rows| rows.iter().map(values).collect()).collect();
    assert!(requests.iter().all(|rows| rows.len() <= ROWS && rows.iter().all(|row| row.0 == rows[0].0)));
    assert_eq!(requests.len(), 500_usize.div_ceil(ROWS) + 1);
    let all = requests.concat();
    assert_eq!(all.len(), 510);
    assert!(all.is_sorted_by_key(|(city, rank, _)| (city.clone(), *rank)));
    assert!(
        all.contains(&("x".into(), 600, "song 500".into()))
            && !all.contains(&("x".into(), 600, "song 0".into()))
    );
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
    insta::assert_snapshot!(bytes(UInt64Array::from(vec![u64::MAX])).unwrap_err(), @"top_songs: the column `value` has the value 18446744073709551615, which does not fit into a bigint of cassandra");
}
