//! The sink of streaming models in a real Cassandra: what the tables hold after each call, after calls that were cut short, and while
//! two instances want the same model.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use mep_cassandra::{CassandraCluster, CassandraSink, Owner};
use mep_contract::sink::{Epoch, LateEvent, Sink, SinkError, SinkTable, Standing};

use crate::services::cassandra::{Cassandra, table};
use crate::services::outage::{Outage, Way};
use crate::services::{NULL, address};

/// Rows of plays by song and hour.
fn plays(rows: &[(&str, i64, Option<i64>)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        ("song", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))) as ArrayRef, true),
        ("hour", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1))), true),
        ("plays", Arc::new(rows.iter().map(|row| row.2).collect::<Int64Array>()), true),
    ])
    .unwrap()
}

fn plays_table() -> SinkTable {
    table("plays", &plays(&[]).schema(), &["song"], &["-hour"])
}

const PLAYS: &str = "SELECT song, hour, plays FROM KS.plays";

async fn sorted_plays(cassandra: &Cassandra) -> Vec<String> {
    let mut rows: Vec<String> = cassandra.rows(PLAYS).await.iter().map(|row| row.join(" ")).collect();
    rows.sort();
    rows
}

#[track_caller]
fn refused(result: Result<impl std::fmt::Debug, SinkError>) -> String {
    match result {
        Err(SinkError::Refused(message)) => message,
        other => panic!("expected a refusal, found {other:?}"),
    }
}

#[track_caller]
fn lost(result: Result<impl std::fmt::Debug, SinkError>) -> String {
    match result {
        Err(SinkError::Lost(message)) => message,
        other => panic!("expected a loss, found {other:?}"),
    }
}

/// What differs from one run to the next: ids, times, the keyspace.
fn steady(message: &str, cassandra: &Cassandra) -> String {
    let id = regex::Regex::new(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let message = id.replace_all(message, "[id]").replace(&cassandra.keyspace, "[keyspace]");
    let message = message.replace(&address("MEP_TEST_CASSANDRA"), "[address]");
    time.replace_all(&message, "[time]").into_owned()
}

#[tokio::test]
async fn an_epoch_leaves_rows_and_where_the_model_stands() {
    let cassandra = Cassandra::new("epoch").await;
    let sink = cassandra.sink(&plays_table(), 1);
    assert_eq!(sink.open().await.unwrap(), Standing::default());
    sink.prepare(Epoch(1), b"to 10").await.unwrap();
    sink.upsert(Epoch(1), &[plays(&[("A", 1, Some(3)), ("B", 1, Some(1))]), plays(&[("A", 2, Some(4))])])
        .await
        .unwrap();
    sink.keep_late(
        Epoch(1),
        &[LateEvent { topic: "listens".into(), partition: 3, offset: 1 << 40, window: 1_541_030_400_000 }],
    )
    .await
    .unwrap();
    sink.renew().await.unwrap();
    sink.commit(Epoch(1), b"one").await.unwrap();
    // Again, as after an answer that was lost.
    sink.commit(Epoch(1), b"one").await.unwrap();
    sink.prepare(Epoch(2), b"to 20").await.unwrap();
    sink.prepare(Epoch(2), b"to 20").await.unwrap();
    sink.delete(Epoch(2), &[plays(&[("B", 1, None)])]).await.unwrap();
    sink.upsert(Epoch(2), &[plays(&[("A", 1, Some(5))])]).await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 5", "A 2 4"]);
    let in_order = cassandra.rows("SELECT hour FROM KS.plays WHERE song = 'A'").await;
    assert_eq!(in_order, [["2"], ["1"]]);
    assert_eq!(
        cassandra.rows("SELECT * FROM KS.plays_late").await,
        [["1", "listens", "3", "1099511627776", "1541030400000"]]
    );
    sink.release().await.unwrap();

    let next = cassandra.sink(&plays_table(), 2);
    let standing = next.open().await.unwrap();
    assert_eq!(standing.committed, Some((Epoch(1), b"one".to_vec())));
    assert_eq!(standing.prepared, Some((Epoch(2), b"to 20".to_vec())));
    next.upsert(Epoch(2), &[plays(&[("A", 1, Some(5))])]).await.unwrap();
    next.commit(Epoch(2), b"").await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 5", "A 2 4"]);
    next.release().await.unwrap();
    let standing = cassandra.sink(&plays_table(), 3).open().await.unwrap();
    assert_eq!(standing, Standing { committed: Some((Epoch(2), Vec::new())), prepared: None });
    insta::assert_snapshot!(steady(&sink.describe(), &cassandra), @"the keyspace [keyspace] of cassandra at [address]");
    cassandra.end().await;
}

#[tokio::test]
async fn every_type_comes_back_as_it_went() {
    let cassandra = Cassandra::new("types").await;
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("key", Arc::new(StringArray::from(vec!["1 high", "2 low", "3 null"]))),
        ("utf8", Arc::new(StringArray::from(vec![Some("Björk — 'é'"), Some(""), None]))),
        (
            "view",
            Arc::new(StringViewArray::from(vec![
                Some("a text of more than twelve bytes"),
                Some("short"),
                None,
            ])),
        ),
        (
            "large",
            arrow::compute::cast(
                &StringArray::from(vec![Some("x"), Some("y"), None]),
                &arrow::datatypes::DataType::LargeUtf8,
            )
            .unwrap(),
        ),
        ("int8", Arc::new(Int8Array::from(vec![Some(i8::MAX), Some(i8::MIN), None]))),
        ("int16", Arc::new(Int16Array::from(vec![Some(i16::MAX), Some(i16::MIN), None]))),
        ("int32", Arc::new(Int32Array::from(vec![Some(i32::MAX), Some(i32::MIN), None]))),
        ("int64", Arc::new(Int64Array::from(vec![Some(i64::MAX), Some(i64::MIN), None]))),
        ("uint8", Arc::new(UInt8Array::from(vec![Some(u8::MAX), Some(0), None]))),
        ("uint16", Arc::new(UInt16Array::from(vec![Some(u16::MAX), Some(0), None]))),
        ("uint32", Arc::new(UInt32Array::from(vec![Some(u32::MAX), Some(0), None]))),
        ("uint64", Arc::new(UInt64Array::from(vec![Some(i64::MAX as u64), Some(0), None]))),
        ("float32", Arc::new(Float32Array::from(vec![Some(1.5), Some(f32::NEG_INFINITY), None]))),
        ("float64", Arc::new(Float64Array::from(vec![Some(f64::NAN), Some(-0.0), None]))),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("date", Arc::new(Date32Array::from(vec![Some(17_836), Some(-1), None]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![Some(1_541_030_400), Some(-1), None]))),
        ("millis", Arc::new(TimestampMillisecondArray::from(vec![Some(1_541_030_400_123), Some(-1), None]))),
        (
            "micros",
            Arc::new(TimestampMicrosecondArray::from(vec![Some(1_541_030_400_123_999), Some(-1), None])),
        ),
        (
            "nanos",
            Arc::new(TimestampNanosecondArray::from(vec![Some(1_541_030_400_123_000_000), Some(-1), None])),
        ),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from(vec![Some(i128::MAX >> 1), Some(-128), None])
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
        ),
        (
            "zero",
            Arc::new(
                Decimal128Array::from(vec![Some(0), Some(128), None])
                    .with_precision_and_scale(10, 0)
                    .unwrap(),
            ),
        ),
        ("binary", Arc::new(BinaryArray::from_opt_vec(vec![Some(b"\x00\xff"), Some(b""), None]))),
    ];
    let rows = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let sink = cassandra.sink(&table("all_types", &rows.schema(), &["key"], &[]), 1);
    sink.open().await.unwrap();
    sink.upsert(Epoch(1), std::slice::from_ref(&rows)).await.unwrap();
    let names: Vec<String> =
        rows.schema().fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
    let mut found = cassandra.rows(&format!("SELECT {} FROM KS.all_types", names.join(", "))).await;
    found.sort();
    let told: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            format!("{name}: {}", found.iter().map(|row| row[index].as_str()).collect::<Vec<_>>().join(" | "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    "key": 1 high | 2 low | 3 null
    "utf8": Björk — 'é' |  | NULL
    "view": a text of more than twelve bytes | short | NULL
    "large": x | y | NULL
    "int8": 127 | -128 | NULL
    "int16": 32767 | -32768 | NULL
    "int32": 2147483647 | -2147483648 | NULL
    "int64": 9223372036854775807 | -9223372036854775808 | NULL
    "uint8": 255 | 0 | NULL
    "uint16": 65535 | 0 | NULL
    "uint32": 4294967295 | 0 | NULL
    "uint64": 9223372036854775807 | 0 | NULL
    "float32": 1.5 | -inf | NULL
    "float64": NaN | -0.0 | NULL
    "boolean": true | false | NULL
    "date": 17836 | -1 | NULL
    "seconds": 1541030400000 | -1000 | NULL
    "millis": 1541030400123 | -1 | NULL
    "micros": 1541030400123 | -1 | NULL
    "nanos": 1541030400123 | -1 | NULL
    "decimal": 85070591730234615865843651857942052863e-2 in 16 bytes | -128e-2 in 1 bytes | NULL
    "zero": 0e-0 in 1 bytes | 128e-0 in 2 bytes | NULL
    "binary": [00, ff] | [] | NULL
    "#);
    // A null takes the place of what an earlier epoch wrote.
    let nulls = arrow::compute::concat_batches(&rows.schema(), [&rows.slice(2, 1)]).unwrap();
    let mut columns = nulls.columns().to_vec();
    columns[0] = Arc::new(StringArray::from(vec!["1 high"]));
    sink.upsert(Epoch(2), &[RecordBatch::try_new(rows.schema(), columns).unwrap()]).await.unwrap();
    let row = cassandra
        .rows(&format!("SELECT {} FROM KS.all_types WHERE key = '1 high'", names[1..].join(", ")))
        .await;
    assert!(row[0].iter().all(|value| value == NULL), "{row:?}");
    cassandra.end().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_by_name() {
    let cassandra = Cassandra::new("values").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    let mut told = Vec::new();
    let keys = |song: Option<String>, hour: Option<i64>| {
        RecordBatch::try_from_iter_with_nullable([
            ("song", Arc::new(StringArray::from(vec![song])) as ArrayRef, true),
            ("hour", Arc::new(Int64Array::from(vec![hour])), true),
            ("plays", Arc::new(Int64Array::from(vec![1])), true),
        ])
        .unwrap()
    };
    for rows in [
        keys(None, Some(1)),
        keys(Some("A".into()), None),
        keys(Some(String::new()), Some(1)),
        keys(Some("x".repeat(70_000)), Some(1)),
        keys(Some("A".into()), Some(1)).project(&[0, 2]).unwrap(),
    ] {
        // Nothing of a call is written where one row of it is refused.
        told.push(refused(sink.upsert(Epoch(1), &[plays(&[("good", 1, Some(1))]), rows]).await));
    }
    assert_eq!(sorted_plays(&cassandra).await, Vec::<String>::new());
    let counted = |count: u64, at: i64| {
        RecordBatch::try_from_iter_with_nullable([
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![at])) as ArrayRef, true),
            ("count", Arc::new(UInt64Array::from(vec![count])), true),
        ])
        .unwrap()
    };
    let sink = cassandra.sink(&table("counted", &counted(0, 0).schema(), &["at"], &[]), 1);
    sink.open().await.unwrap();
    told.push(refused(sink.upsert(Epoch(1), &[counted(u64::MAX, 0)]).await));
    told.push(refused(sink.upsert(Epoch(1), &[counted(0, 1_001)]).await));
    insta::assert_snapshot!(told.join("\n"), @r"
    plays: the column `song` is part of the key and is null in a row; cassandra has no such keys
    plays: the column `hour` is part of the key and is null in a row; cassandra has no such keys
    plays: the column `song` is all of the partition key and is empty in a row; cassandra has no such keys
    plays: the column `song` is part of the key and has a value of 70000 bytes; cassandra takes at most 65535
    plays: the column `hour` is missing in the rows
    counted: the column `count` has the value 18446744073709551615, which does not fit into a bigint of cassandra
    counted: the column `at` is part of the key and has a time with more than milliseconds (1001); cassandra keeps milliseconds, so that different keys would be the same: round it in the model
    ");
    cassandra.end().await;
}

#[tokio::test]
async fn an_older_epoch_never_replaces_a_newer_one() {
    let cassandra = Cassandra::new("older").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    sink.upsert(Epoch(3), &[plays(&[("A", 1, Some(3)), ("B", 1, Some(3))])]).await.unwrap();
    sink.upsert(Epoch(2), &[plays(&[("A", 1, Some(2)), ("C", 1, Some(2))])]).await.unwrap();
    sink.delete(Epoch(2), &[plays(&[("B", 1, None)])]).await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 3", "B 1 3", "C 1 2"]);
    sink.delete(Epoch(4), &[plays(&[("A", 1, None)])]).await.unwrap();
    sink.upsert(Epoch(3), &[plays(&[("A", 1, Some(3)), ("B", 1, Some(3))])]).await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["B 1 3", "C 1 2"]);
    cassandra.end().await;
}

#[tokio::test]
async fn of_rows_with_one_key_the_last_one_stays() {
    let cassandra = Cassandra::new("twice").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    let first = plays(&[("A", 1, Some(9)), ("A", 1, Some(3)), ("B", 1, Some(1))]);
    sink.upsert(Epoch(1), &[first, plays(&[("A", 1, Some(2)), ("B", 1, None)])]).await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 2", "B 1 NULL"]);
    cassandra.end().await;
}

#[tokio::test]
async fn many_rows_of_many_partitions_all_arrive() {
    let cassandra = Cassandra::new("many").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    let songs: Vec<String> = (0..300).map(|song| format!("song {song}")).collect();
    let rows: Vec<(&str, i64, Option<i64>)> =
        (0..6_000).map(|row| (songs[row % 300].as_str(), (row / 300) as i64, Some(row as i64))).collect();
    // One partition alone is more than goes in one request.
    let wide: Vec<(&str, i64, Option<i64>)> = (0..1_000).map(|row| ("wide", row, Some(row))).collect();
    sink.upsert(Epoch(1), &[plays(&rows), plays(&wide)]).await.unwrap();
    assert_eq!(cassandra.value("SELECT count(*) FROM KS.plays").await, "7000");
    assert_eq!(cassandra.value("SELECT sum(plays) FROM KS.plays WHERE song = 'wide'").await, "499500");
    sink.delete(Epoch(2), &[plays(&wide)]).await.unwrap();
    assert_eq!(cassandra.value("SELECT count(*) FROM KS.plays").await, "6000");
    cassandra.end().await;
}

#[tokio::test]
async fn a_table_follows_its_model_as_far_as_cassandra_can() {
    let cassandra = Cassandra::new("changes").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    sink.upsert(Epoch(1), &[plays(&[("A", 1, Some(3))])]).await.unwrap();
    sink.release().await.unwrap();
    // A column more, one less, another time to live, another description.
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("song", Arc::new(StringArray::from(vec!["A"])) as ArrayRef, true),
        ("hour", Arc::new(Int64Array::from(vec![1])), true),
        ("userCount", Arc::new(Int64Array::from(vec![7])), true),
    ])
    .unwrap();
    let mut changed = table("plays", &rows.schema(), &["song"], &["-hour"]);
    (changed.ttl, changed.description) = (Some(Duration::from_hours(1)), "other".to_owned());
    let sink = cassandra.sink(&changed, 2);
    sink.open().await.unwrap();
    sink.upsert(Epoch(2), std::slice::from_ref(&rows)).await.unwrap();
    assert_eq!(
        cassandra.rows("SELECT song, hour, plays, \"userCount\" FROM KS.plays").await,
        [["A", "1", "3", "7"]]
    );
    let options = format!(
        "SELECT default_time_to_live, comment FROM system_schema.tables WHERE keyspace_name = '{}' AND table_name = 'plays'",
        cassandra.keyspace
    );
    assert_eq!(cassandra.rows(&options).await, [["3600", "other"]]);
    assert!(cassandra.value("SELECT TTL(\"userCount\") FROM KS.plays").await.parse::<u32>().unwrap() > 3_000);
    sink.release().await.unwrap();

    let mut told = Vec::new();
    let texts = RecordBatch::try_from_iter_with_nullable([
        ("song", Arc::new(StringArray::from(vec!["A"])) as ArrayRef, true),
        ("hour", Arc::new(Int64Array::from(vec![1])), true),
        ("plays", Arc::new(StringArray::from(vec!["many"])), true),
    ])
    .unwrap();
    let zoned = TimestampMillisecondArray::from(vec![0]).with_timezone("UTC");
    let zoned = RecordBatch::try_from_iter([("at", Arc::new(zoned) as ArrayRef)]).unwrap();
    for wrong in [
        table("plays", &plays(&[]).schema(), &["song"], &["hour"]),
        table("plays", &plays(&[]).schema(), &["song", "hour"], &[]),
        table("plays", &texts.schema(), &["song"], &["-hour"]),
        table("plays", &plays(&[]).schema(), &["artist"], &["-hour"]),
        table("plays", &plays(&[]).schema(), &[], &[]),
        table("plays", &plays(&[]).schema(), &["song"], &["-song"]),
        table("zoned", &zoned.schema(), &["at"], &[]),
        table("mep_streams", &plays(&[]).schema(), &["song"], &[]),
        table("a-b", &plays(&[]).schema(), &["song"], &[]),
    ] {
        told.push(refused(cassandra.sink(&wrong, 3).open().await));
    }
    cassandra.run("CREATE TABLE KS.foreign_table (id int PRIMARY KEY)").await;
    let foreign = table("foreign_table", &plays(&[]).schema(), &["song"], &[]);
    told.push(refused(cassandra.sink(&foreign, 3).open().await));
    told.push(refused(cassandra.sink(&foreign, 3).open_anew().await));
    insta::assert_snapshot!(steady(&told.join("\n"), &cassandra), @r#"
    plays: the model's key is ((song), hour), that of the table is ((song), hour desc); cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    plays: the model's key is ((song, hour)), that of the table is ((song), hour desc); cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    plays: the column `plays` is text in the model and bigint in the table; cassandra cannot change that: `mep stream --full-refresh` makes the table anew and drops its rows
    plays: the key names `artist`, which is not a column of the model
    plays: expected a column in the partition key, found none
    plays: `song` is named twice in the key
    zoned: the column `at` is of type Timestamp(ms, "UTC"), which cassandra has no type for; cast it to another one
    mep_streams is a table of mep's own in cassandra; give the model another name
    a table of cassandra has at most 48 letters, digits and `_`, and `a-b` needs the name `a-b_late` too; give the model a shorter or simpler name
    [keyspace].foreign_table is in cassandra already, and mep did not make it; drop it, or give the model another name
    [keyspace].foreign_table is in cassandra already, and mep did not make it; drop it, or give the model another name
    "#);
    // What is refused holds no lease.
    cassandra.sink(&changed, 4).open().await.unwrap();
    cassandra.end().await;
}

#[tokio::test]
async fn beginning_anew_takes_all_of_it_away_and_takes_other_keys() {
    let cassandra = Cassandra::new("anew").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    sink.prepare(Epoch(7), b"to 10").await.unwrap();
    sink.upsert(Epoch(7), &[plays(&[("A", 1, Some(3))])]).await.unwrap();
    sink.keep_late(Epoch(7), &[LateEvent { topic: "t".into(), partition: 0, offset: 0, window: 0 }])
        .await
        .unwrap();
    sink.commit(Epoch(7), b"seven").await.unwrap();
    sink.prepare(Epoch(8), b"to 20").await.unwrap();
    sink.release().await.unwrap();

    let other = table("plays", &plays(&[]).schema(), &["hour"], &["song"]);
    let sink = cassandra.sink(&other, 2);
    sink.open_anew().await.unwrap();
    // Again, as after an answer that was lost.
    sink.open_anew().await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, Vec::<String>::new());
    assert!(cassandra.rows("SELECT * FROM KS.plays_late").await.is_empty());
    assert_eq!(cassandra.value("SELECT count(*) FROM KS.mep_checkpoints").await, "0");
    sink.prepare(Epoch(1), b"to 5").await.unwrap();
    sink.upsert(Epoch(1), &[plays(&[("A", 1, Some(1))])]).await.unwrap();
    sink.commit(Epoch(1), b"one").await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 1"]);
    sink.release().await.unwrap();
    let standing = cassandra.sink(&other, 3).open().await.unwrap();
    assert_eq!(standing, Standing { committed: Some((Epoch(1), b"one".to_vec())), prepared: None });
    cassandra.end().await;
}

#[tokio::test]
async fn beginning_anew_goes_on_where_it_was_cut_short() {
    let cassandra = Cassandra::new("anew_cut").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    sink.upsert(Epoch(7), &[plays(&[("A", 1, Some(3))])]).await.unwrap();
    sink.commit(Epoch(7), b"seven").await.unwrap();
    sink.release().await.unwrap();
    // As a process leaves it that ends after it noted that it begins anew.
    cassandra
        .run("UPDATE KS.mep_streams SET epoch = 0, checkpoint = null, clearing = true WHERE model = 'plays' IF EXISTS")
        .await;
    let sink = cassandra.sink(&plays_table(), 2);
    assert_eq!(sink.open().await.unwrap(), Standing::default());
    assert_eq!(sorted_plays(&cassandra).await, Vec::<String>::new());
    assert_eq!(cassandra.value("SELECT clearing FROM KS.mep_streams").await, "false");
    cassandra.end().await;
}

#[tokio::test]
async fn a_large_checkpoint_comes_back_and_older_ones_go() {
    let cassandra = Cassandra::new("large").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    let large: Vec<u8> =
        (0..3_000_001_u32).map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (epoch, checkpoint) in [(1, &large[..]), (2, b""), (3, &large[1..]), (4, &large[..])] {
        sink.commit(Epoch(epoch), checkpoint).await.unwrap();
        let chunks = cassandra.value("SELECT count(*) FROM KS.mep_checkpoints").await;
        assert_eq!(chunks, checkpoint.len().div_ceil(512 << 10).to_string());
        sink.release().await.unwrap();
        assert_eq!(
            sink.open().await.unwrap().committed,
            Some((Epoch(epoch), checkpoint.to_vec())),
            "epoch {epoch}"
        );
    }
    // A checkpoint of which a part is gone is no checkpoint.
    sink.release().await.unwrap();
    let id = cassandra.value("SELECT checkpoint FROM KS.mep_streams").await;
    cassandra
        .run(&format!("DELETE FROM KS.mep_checkpoints WHERE model = 'plays' AND id = {id} AND chunk = 2"))
        .await;
    insta::assert_snapshot!(refused(cassandra.sink(&plays_table(), 2).open().await), @"the checkpoint of plays is damaged: of its 3000001 bytes not all are there; `mep stream --full-refresh` begins anew");
    cassandra.end().await;
}

#[tokio::test]
async fn who_has_a_model_is_told_and_a_lease_that_is_given_back_is_free() {
    let cassandra = Cassandra::new("held").await;
    let first = cassandra.sink(&plays_table(), 1);
    first.open().await.unwrap();
    let second = cassandra.sink(&plays_table(), 2);
    let held = second.open().await.unwrap_err();
    assert!(matches!(held, SinkError::Held { .. }));
    insta::assert_snapshot!(steady(&held.to_string(), &cassandra), @"plays is streamed by process 1 on test-host ([id]), since [time]");
    assert!(matches!(second.open_anew().await, Err(SinkError::Held { .. })));
    // Giving back what one has not does nothing.
    second.release().await.unwrap();
    assert!(matches!(second.open().await, Err(SinkError::Held { .. })));
    // Opening again what one has is no conflict.
    first.open().await.unwrap();
    first.prepare(Epoch(1), b"").await.unwrap();
    // Another model is not concerned.
    cassandra.sink(&table("others", &plays(&[]).schema(), &["song"], &[]), 2).open().await.unwrap();
    first.release().await.unwrap();
    second.open().await.unwrap();
    insta::assert_snapshot!(refused(first.upsert(Epoch(1), &[]).await), @"plays is not open in cassandra");
    cassandra.end().await;
}

#[tokio::test]
async fn an_instance_that_was_taken_over_can_neither_prepare_nor_commit() {
    let cassandra = Cassandra::new("fenced").await;
    let mut told = Vec::new();
    for call in ["prepare", "commit", "renew"] {
        let model = format!("plays_{call}");
        let table = table(&model, &plays(&[]).schema(), &["song"], &["hour"]);
        let first = cassandra.sink(&table, 1);
        first.open().await.unwrap();
        first.prepare(Epoch(1), b"first").await.unwrap();
        first.commit(Epoch(1), b"first").await.unwrap();
        first.prepare(Epoch(2), b"first").await.unwrap();
        // As if it had slept until its lease ended.
        cassandra.run(&format!("DELETE FROM KS.mep_leases WHERE model = '{model}' IF EXISTS")).await;
        let second = cassandra.sink(&table, 2);
        let standing = second.open().await.unwrap();
        assert_eq!(standing.committed, Some((Epoch(1), b"first".to_vec())));
        assert_eq!(standing.prepared, Some((Epoch(2), b"first".to_vec())));
        told.push(lost(match call {
            "prepare" => first.prepare(Epoch(2), b"other").await,
            "commit" => first.commit(Epoch(2), b"other").await,
            _ => first.renew().await,
        }));
        // It knows, and does nothing any more.
        refused(first.prepare(Epoch(2), b"other").await);
        refused(first.upsert(Epoch(2), &[plays(&[("A", 1, Some(1))])]).await);
        second.commit(Epoch(2), b"second").await.unwrap();
        second.renew().await.unwrap();
        second.release().await.unwrap();
        let standing = second.open().await.unwrap();
        assert_eq!(standing, Standing { committed: Some((Epoch(2), b"second".to_vec())), prepared: None });
    }
    insta::assert_snapshot!(steady(&told.join("\n"), &cassandra), @r"
    plays_prepare was taken over: it is streamed by process 2 on test-host ([id]), since [time]
    plays_commit was taken over: it is streamed by process 2 on test-host ([id]), since [time]
    plays_renew was taken over: it is streamed by process 2 on test-host ([id]), since [time]
    ");
    // What the first one wrote for its commit under an id that the second one had deleted is not there.
    let chunks = "SELECT count(*) FROM KS.mep_checkpoints WHERE model = 'plays_commit' ALLOW FILTERING";
    assert_eq!(cassandra.value(chunks).await, "1");
    cassandra.end().await;
}

#[tokio::test]
async fn a_lease_that_ended_is_taken_again_where_nobody_else_came() {
    let cassandra = Cassandra::new("ended").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    cassandra.run("DELETE FROM KS.mep_leases WHERE model = 'plays' IF EXISTS").await;
    sink.renew().await.unwrap();
    assert!(matches!(cassandra.sink(&plays_table(), 2).open().await, Err(SinkError::Held { .. })));
    sink.commit(Epoch(1), b"one").await.unwrap();
    // Somebody else came and went.
    cassandra.run("DELETE FROM KS.mep_leases WHERE model = 'plays' IF EXISTS").await;
    let other = cassandra.sink(&plays_table(), 2);
    other.open().await.unwrap();
    other.release().await.unwrap();
    lost(sink.renew().await);
    assert!(cassandra.rows("SELECT * FROM KS.mep_leases").await.is_empty());
    cassandra.end().await;
}

#[tokio::test]
async fn a_lease_ends_by_itself() {
    let cassandra = Cassandra::new("ttl").await;
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    let left = "SELECT TTL(holder) FROM KS.mep_leases";
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let before: u32 = cassandra.value(left).await.parse().unwrap();
    sink.renew().await.unwrap();
    let after: u32 = cassandra.value(left).await.parse().unwrap();
    assert!(before < after && after <= 30, "{before} {after}");
    cassandra.end().await;
}

const CRASH: &str = "MEP_TEST_CASSANDRA_CRASH";

/// Not a test of its own: the process that [`crash_at`] kills.
#[tokio::test]
async fn the_process_that_is_killed() {
    let Ok(keyspace) = std::env::var(CRASH) else { return };
    let cassandra = Cassandra::again(&keyspace).await;
    let sink = cassandra.sink(&plays_table(), 2);
    sink.open().await.unwrap();
    sink.prepare(Epoch(2), b"to 20").await.unwrap();
    sink.upsert(Epoch(2), &[plays(&[("A", 1, Some(2))]), plays(&[("B", 1, Some(2))])]).await.unwrap();
    sink.commit(Epoch(2), &vec![2; 700_000]).await.unwrap();
    panic!("it was to be killed");
}

/// Kills a process that writes epoch 2, after epoch 1 was committed; then lets its lease end.
async fn crash_at(cassandra: &Cassandra, place: &str) {
    let sink = cassandra.sink(&plays_table(), 1);
    sink.open().await.unwrap();
    sink.prepare(Epoch(1), b"to 10").await.unwrap();
    sink.upsert(Epoch(1), &[plays(&[("A", 1, Some(1))])]).await.unwrap();
    sink.commit(Epoch(1), &vec![1; 600_000]).await.unwrap();
    sink.release().await.unwrap();
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cassandra_sink::the_process_that_is_killed", "--nocapture"])
        .env(CRASH, &cassandra.keyspace)
        .env("MEP_FAIL_POINT", place)
        .output()
        .unwrap();
    assert_eq!(killed.status.code(), None, "{}", String::from_utf8_lossy(&killed.stderr));
    assert!(matches!(sink.open().await, Err(SinkError::Held { .. })));
    cassandra.run("DELETE FROM KS.mep_leases WHERE model = 'plays' IF EXISTS").await;
}

#[tokio::test]
async fn a_crash_among_the_rows_leaves_an_epoch_that_is_prepared() {
    let cassandra = Cassandra::new("crash_rows").await;
    crash_at(&cassandra, "cassandra-some-rows").await;
    let sink = cassandra.sink(&plays_table(), 3);
    let standing = sink.open().await.unwrap();
    assert_eq!(standing.committed, Some((Epoch(1), vec![1; 600_000])));
    assert_eq!(standing.prepared, Some((Epoch(2), b"to 20".to_vec())));
    sink.upsert(Epoch(2), &[plays(&[("A", 1, Some(2)), ("B", 1, Some(2))])]).await.unwrap();
    sink.commit(Epoch(2), b"two").await.unwrap();
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 2", "B 1 2"]);
    cassandra.end().await;
}

#[tokio::test]
async fn a_crash_between_the_chunks_and_the_commit_leaves_the_old_checkpoint() {
    let cassandra = Cassandra::new("crash_chunks").await;
    crash_at(&cassandra, "cassandra-checkpoint-chunks").await;
    let chunks = "SELECT count(*) FROM KS.mep_checkpoints";
    assert_eq!(cassandra.value(chunks).await, "4");
    let sink = cassandra.sink(&plays_table(), 3);
    let standing = sink.open().await.unwrap();
    assert_eq!(standing.committed, Some((Epoch(1), vec![1; 600_000])));
    assert_eq!(standing.prepared, Some((Epoch(2), b"to 20".to_vec())));
    // What nothing points at was taken away.
    assert_eq!(cassandra.value(chunks).await, "2");
    sink.commit(Epoch(2), b"two").await.unwrap();
    assert_eq!(cassandra.value(chunks).await, "1");
    cassandra.end().await;
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_may_come_back() {
    let cassandra = Cassandra::new("silent").await;
    let mut connection = cassandra.connection();
    connection.contact_points = vec!["127.0.0.1:1".to_owned()];
    connection.timeout = Duration::from_secs(2);
    let owner = Owner { host: "test-host".into(), pid: 1 };
    let cluster = CassandraCluster::connect(connection.clone());
    let error = cluster.sink(plays_table(), owner.clone()).open().await.unwrap_err();
    assert!(matches!(error, SinkError::Passing(_)), "{error:?}");
    let mut told = vec![error.to_string()];
    connection = cassandra.connection();
    connection.local_dc = Some("dc9".to_owned());
    let cluster = CassandraCluster::connect(connection.clone());
    told.push(refused(cluster.sink(plays_table(), owner.clone()).open().await));
    (connection.local_dc, connection.keyspace) = (None, "a-b".to_owned());
    let cluster = CassandraCluster::connect(connection);
    told.push(refused(cluster.sink(plays_table(), owner).open().await));
    insta::assert_snapshot!(steady(&told.join("\n"), &cassandra), @r"
    cassandra at 127.0.0.1:1 cannot be reached: Failed to perform initial cluster metadata fetch: Control connection pool error: The pool is broken; Last connection failed with: the connection is refused; look whether it runs there
    cassandra at [address]: there is no datacenter `dc9`, there are datacenter1; correct `local_dc`
    a keyspace has 1 to 48 letters, digits and `_`, found `a-b`
    ");
    cassandra.end().await;
}

/// A sink whose way to Cassandra can be cut.
async fn by_way_of(outage: &Outage, cassandra: &Cassandra) -> CassandraSink {
    let mut connection = cassandra.connection();
    (connection.contact_points, connection.timeout) = (vec![outage.address.clone()], Duration::from_secs(2));
    let owner = Owner { host: "test-host".into(), pid: 1 };
    let sink = CassandraCluster::connect(connection).sink(plays_table(), owner);
    until_it_is_back(async || sink.open().await.map(drop)).await;
    sink
}

/// Makes a call until Cassandra is back: on a busy machine an answer takes longer than this sink waits, too.
async fn until_it_is_back(mut call: impl AsyncFnMut() -> Result<(), SinkError>) {
    let began = std::time::Instant::now();
    while let Err(error) = call().await {
        assert!(matches!(error, SinkError::Passing(_)), "{error:?}");
        assert!(began.elapsed() < Duration::from_mins(3), "{error:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits for the one row of a query: what was sent and given up on is done when Cassandra comes to it.
async fn it_comes_to(cassandra: &Cassandra, query: &str, row: [&str; 2]) {
    let began = std::time::Instant::now();
    loop {
        let rows = cassandra.rows(query).await;
        if rows == [row] {
            return;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "{rows:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_cluster_that_goes_away_is_found_again() {
    let cassandra = Cassandra::new("away").await;
    let outage = Outage::before(address("MEP_TEST_CASSANDRA")).await;
    let sink = by_way_of(&outage, &cassandra).await;
    until_it_is_back(async || sink.prepare(Epoch(1), b"to 10").await).await;
    until_it_is_back(async || sink.upsert(Epoch(1), &[plays(&[("A", 1, Some(1))])]).await).await;
    outage.set(Way::Closed);
    let rows = [plays(&[("A", 1, Some(1)), ("B", 1, Some(1))])];
    for result in [
        sink.upsert(Epoch(1), &rows).await,
        sink.delete(Epoch(1), &rows).await,
        sink.commit(Epoch(1), b"one").await,
        sink.prepare(Epoch(2), b"two").await,
        sink.renew().await,
    ] {
        assert!(matches!(result, Err(SinkError::Passing(_))), "{result:?}");
    }
    outage.set(Way::Open);
    until_it_is_back(async || sink.upsert(Epoch(1), &rows).await).await;
    until_it_is_back(async || sink.commit(Epoch(1), b"one").await).await;
    until_it_is_back(async || sink.renew().await).await;
    assert_eq!(sorted_plays(&cassandra).await, ["A 1 1", "B 1 1"]);
    sink.release().await.unwrap();
    let standing = cassandra.sink(&plays_table(), 2).open().await.unwrap();
    assert_eq!(standing, Standing { committed: Some((Epoch(1), b"one".to_vec())), prepared: None });
    cassandra.end().await;
}

#[tokio::test]
async fn what_was_done_without_an_answer_is_not_done_twice() {
    let cassandra = Cassandra::new("mute").await;
    let outage = Outage::before(address("MEP_TEST_CASSANDRA")).await;
    let sink = by_way_of(&outage, &cassandra).await;
    until_it_is_back(async || sink.prepare(Epoch(1), b"to 10").await).await;
    // So that the statements are known, and what is cut off is their execution.
    until_it_is_back(async || sink.commit(Epoch(1), b"one").await).await;
    let stands = "SELECT epoch, prepared_epoch FROM KS.mep_streams";
    outage.set(Way::NoAnswers);
    assert!(matches!(sink.prepare(Epoch(2), b"to 20").await, Err(SinkError::Passing(_))));
    it_comes_to(&cassandra, stands, ["1", "2"]).await;
    outage.set(Way::Open);
    until_it_is_back(async || sink.prepare(Epoch(2), b"to 20").await).await;
    // No doubt is left, and an empty checkpoint has no chunks: the first thing that is cut off is the commit itself.
    until_it_is_back(async || sink.upsert(Epoch(2), &[plays(&[("A", 2, Some(2))])]).await).await;
    outage.set(Way::NoAnswers);
    assert!(matches!(sink.commit(Epoch(2), b"").await, Err(SinkError::Passing(_))));
    it_comes_to(&cassandra, stands, ["2", NULL]).await;
    outage.set(Way::Open);
    until_it_is_back(async || sink.commit(Epoch(2), b"").await).await;
    until_it_is_back(async || sink.prepare(Epoch(3), b"to 30").await).await;
    until_it_is_back(async || sink.commit(Epoch(3), b"three").await).await;
    sink.release().await.unwrap();
    let standing = cassandra.sink(&plays_table(), 2).open().await.unwrap();
    assert_eq!(standing, Standing { committed: Some((Epoch(3), b"three".to_vec())), prepared: None });
    assert_eq!(cassandra.value("SELECT count(*) FROM KS.mep_checkpoints").await, "1");
    cassandra.end().await;
}

#[tokio::test]
async fn what_nodes_lose_in_a_crash_is_written_again_before_the_commit() {
    let cassandra = Cassandra::new("taken_back").await;
    let outage = Outage::before(address("MEP_TEST_CASSANDRA")).await;
    let sink = by_way_of(&outage, &cassandra).await;
    let stands = "SELECT epoch, prepared_epoch FROM KS.mep_streams";
    for (epoch, is_committed_next) in [(1, true), (2, false)] {
        let rows = [plays(&[("A", epoch, Some(epoch))])];
        let late = [LateEvent { topic: "t".into(), partition: 0, offset: epoch, window: 0 }];
        let number = Epoch(epoch.unsigned_abs());
        until_it_is_back(async || sink.prepare(number, b"to 10").await).await;
        until_it_is_back(async || sink.upsert(number, &rows).await).await;
        until_it_is_back(async || sink.keep_late(number, &late).await).await;
        outage.set(Way::Closed);
        assert!(matches!(sink.renew().await, Err(SinkError::Passing(_))));
        // As the log of a node that is back leaves it.
        cassandra.run("TRUNCATE KS.plays").await;
        cassandra.run("TRUNCATE KS.plays_late").await;
        cassandra
            .run("UPDATE KS.mep_streams SET prepared_epoch = null WHERE model = 'plays' IF EXISTS")
            .await;
        outage.set(Way::Open);
        let more = [plays(&[("B", epoch, Some(epoch))])];
        if is_committed_next {
            until_it_is_back(async || sink.commit(number, b"").await).await;
            assert_eq!(sorted_plays(&cassandra).await, ["A 1 1"]);
        } else {
            until_it_is_back(async || sink.upsert(number, &more).await).await;
            assert_eq!(cassandra.rows(stands).await, [["1", "2"]]);
            assert_eq!(sorted_plays(&cassandra).await, ["A 2 2", "B 2 2"]);
        }
        assert_eq!(cassandra.value("SELECT count(*) FROM KS.plays_late").await, "1");
    }
    until_it_is_back(async || sink.commit(Epoch(2), b"").await).await;
    // A commit that was taken back is told, and not gone over.
    cassandra.run("UPDATE KS.mep_streams SET epoch = 1 WHERE model = 'plays' IF EXISTS").await;
    insta::assert_snapshot!(refused(sink.prepare(Epoch(3), b"to 20").await), @"plays stands at epoch 1 in cassandra, expected 2: nodes lost in a crash what they had acknowledged, or it was changed by hand; start the stream again, and it goes on from there");
    cassandra.end().await;
}

#[tokio::test]
async fn checkpoints_that_a_crash_may_bring_back_are_kept() {
    let cassandra = Cassandra::new("kept").await;
    let mut connection = cassandra.connection();
    connection.settles_after = Duration::from_secs(3);
    let owner = Owner { host: "test-host".into(), pid: 1 };
    let cluster = CassandraCluster::connect(connection);
    let sink = cluster.sink(plays_table(), owner.clone());
    sink.open().await.unwrap();
    for epoch in 1..=3 {
        sink.commit(Epoch(epoch), b"a checkpoint").await.unwrap();
    }
    sink.release().await.unwrap();
    let chunks = "SELECT count(*) FROM KS.mep_checkpoints";
    let sink = cluster.sink(plays_table(), owner.clone());
    sink.open().await.unwrap();
    assert_eq!(cassandra.value(chunks).await, "3");
    tokio::time::sleep(Duration::from_secs(3)).await;
    sink.commit(Epoch(4), b"a checkpoint").await.unwrap();
    assert_eq!(cassandra.value(chunks).await, "2");
    sink.release().await.unwrap();
    // Those of a stream that ended long ago go at once.
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.sink(plays_table(), owner).open().await.unwrap();
    assert_eq!(cassandra.value(chunks).await, "1");
    cassandra.end().await;
}
