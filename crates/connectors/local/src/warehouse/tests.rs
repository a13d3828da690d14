//! What is published is what is read, and what is damaged is refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::*;
use mep_contract::warehouse::{
    Batch, ColumnVersions, Content, DataFile, Inputs, Ledger, Partition, PartitionKey, RunId, Version, Within,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::time_range::TimeRanges;

fn table(run: &RunId) -> TableVersion {
    let fingerprint = Fingerprint::of(["select 1"]);
    let inputs = Inputs::default();
    let version = Version::derive(&fingerprint, &inputs);
    let (columns, done) = (ColumnVersions::default(), TimeRanges::default());
    let ledger = Ledger { run: run.clone(), fingerprint, inputs, version, columns, done };
    let path = format!("data/{run}/event_date=2018-11-03/0.parquet");
    let partition = Partition { files: vec![DataFile::new(path, 3, 4)].into(), ledger: ledger.into() };
    let key = PartitionKey::new(vec![Some("2018-11-03".into())]);
    let fields = vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("price", DataType::Decimal128(10, 2), true),
        Field::new("event_date", DataType::Date32, true),
    ];
    TableVersion::new(
        Arc::new(Schema::new(fields)),
        Content::Table {
            partition_columns: vec!["event_date".into()],
            partitions: BTreeMap::from([(key, partition)]),
            batches: BTreeMap::new(),
        },
        run.clone(),
    )
}

fn write_files(warehouse: &LocalWarehouse, relation: &Relation, table: &TableVersion) {
    for file in table.partitions().flat_map(|(_, partition)| partition.files.iter()) {
        let path = warehouse.folder(relation).unwrap().join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "1234").unwrap();
    }
}

#[test]
fn what_is_published_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    assert_eq!(warehouse.read(&relation).unwrap(), None);
    let table = table(&RunId::generate());
    write_files(&warehouse, &relation, &table);
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
    assert_eq!(warehouse.relations().unwrap(), vec![relation]);
}

#[test]
fn a_manifest_that_cannot_be_read_is_not_a_missing_table() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    let table = table(&RunId::generate());
    write_files(&warehouse, &relation, &table);
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    let manifest = folder.path().join("music/fact_listen/manifest.json");
    fs::write(&manifest, "{\"format\": 1, ").unwrap();
    assert!(matches!(warehouse.read(&relation), Err(WarehouseError::Manifest { .. })));
    fs::write(&manifest, "{\"format\": 9}").unwrap();
    assert!(matches!(warehouse.read(&relation), Err(WarehouseError::Format { found: 9, .. })));
}

#[test]
fn a_manifest_that_was_changed_by_hand_is_not_another_table() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    let table = table(&RunId::generate());
    write_files(&warehouse, &relation, &table);
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    let manifest = folder.path().join("music/fact_listen/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for changed in [text.replacen("[[3,4]]", "[[5,4]]", 1), text.replacen("2018-11-03", "2018-11-04", 1)] {
        assert_ne!(changed, text);
        fs::write(&manifest, changed).unwrap();
        let error = warehouse.read(&relation).unwrap_err().to_string();
        assert!(error.contains("music/fact_listen/manifest.json") && error.contains("checksum"), "{error}");
    }
    fs::write(&manifest, text).unwrap();
    assert!(warehouse.read(&relation).is_ok());
}

#[test]
fn a_manifest_that_names_files_elsewhere_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    for path in ["/etc/passwd", "data/../../../x.parquet"] {
        let mut table = table(&RunId::generate());
        let Content::Table { partitions, .. } = &mut table.content else { return };
        for partition in partitions.values_mut() {
            partition.files = vec![DataFile::new(path, 3, 4)].into();
        }
        let partitions = table.partitions().map(|(key, one)| (key.clone(), one.clone())).collect();
        let part = Part { partitions, ..Part::default() };
        let head = ManifestHead::of(&table, vec![MANIFEST.to_owned()]);
        let folder = warehouse.folder(&relation).unwrap();
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(MANIFEST), head.text(&part).unwrap()).unwrap();
        let error = warehouse.read(&relation).unwrap_err().to_string();
        assert!(error.contains("outside the table's folder"), "{error}");
    }
}

#[test]
fn names_and_links_do_not_lead_out_of_the_warehouse() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let warehouse = LocalWarehouse::new(folder.path().join("warehouse"));
    let run = RunId::generate();
    for (schema, name) in
        [("main", "../../x"), ("..", "x"), ("main", ""), ("main", "a/b"), ("main/../..", "x")]
    {
        let relation = Relation::new(schema, name);
        assert!(warehouse.publish(&relation, &table(&run), &Presentation::default()).is_err(), "{relation}");
        assert!(
            warehouse.drop_relation(&relation).is_err() && warehouse.read(&relation).is_err(),
            "{relation}"
        );
    }
    let file = folder.path().join("x.parquet");
    assert!(warehouse.storage().create(&warehouse.root.path().join("main/../../x.parquet")).is_err());
    assert!(!file.exists());
    for link in ["main/whole", "main/rows/data", "main/parted/parts"] {
        fs::create_dir_all(elsewhere.join("old")).unwrap();
        fs::write(elsewhere.join("old/kept"), "kept").unwrap();
        let link = folder.path().join("warehouse").join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &link).unwrap();
    }
    for name in ["whole", "rows", "parted"] {
        let relation = Relation::new("main", name);
        let error = warehouse.publish(&relation, &table(&run), &Presentation::default()).unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        let new = warehouse.table_folder(&relation).path_of("data/new/0.parquet");
        assert_eq!(warehouse.storage().create(&new).is_ok(), name == "parted");
        assert!(warehouse.drop_relation(&relation).is_err());
    }
    assert!(warehouse.clean(Duration::ZERO).is_err());
    assert_eq!(fs::read_to_string(elsewhere.join("old/kept")).unwrap(), "kept");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
}

#[test]
fn cleaning_spares_what_the_manifest_points_at_and_what_is_young() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    let (old, new) = (RunId::generate(), RunId::generate());
    let data = folder.path().join("music/fact_listen/data");
    for run in [&old, &new] {
        let partition = data.join(run.as_str()).join("event_date=2018-11-03");
        fs::create_dir_all(&partition).unwrap();
        fs::write(partition.join("0.parquet"), "1234").unwrap();
    }
    warehouse.publish(&relation, &table(&new), &Presentation::default()).unwrap();
    assert_eq!(warehouse.clean(Duration::from_hours(1)).unwrap(), Cleaned::default());
    assert_eq!(warehouse.clean(Duration::ZERO).unwrap(), Cleaned { folders: 1, bytes: 4 });
    assert!(data.join(new.as_str()).exists() && !data.join(old.as_str()).exists());
}

fn long_table(days: usize, run: &RunId) -> TableVersion {
    let mut table = table(run);
    let Content::Table { partitions, batches, .. } = &mut table.content else { return table };
    let (_, one) = partitions.pop_first().unwrap();
    for day in 0..days {
        let key = PartitionKey::new(vec![Some(format!("day {day:04}"))]);
        let path = format!("data/{run}/event_date=2018-11-03/{day}.parquet");
        let files = vec![DataFile::new(path, 3, 4)].into();
        partitions.insert(key, Partition { files, ..one.clone() });
        let batch =
            Batch { run: run.clone(), fingerprint: one.ledger.fingerprint.clone(), units: Vec::new() };
        batches.insert(format!("batch {day:04}"), batch);
    }
    table
}

fn parts(warehouse: &LocalWarehouse, relation: &Relation) -> Vec<PathBuf> {
    files(&warehouse.folder(relation).unwrap().join(PARTS)).unwrap()
}

#[test]
fn a_long_table_is_read_back_from_its_parts_by_another_process_too() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    let run = RunId::generate();
    let mut table = long_table(1000, &run);
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    let before = parts(&warehouse, &relation);
    assert!(before.len() > 2);
    let other = LocalWarehouse::new(folder.path());
    assert_eq!(other.read(&relation).unwrap(), Some(table.clone()));
    // A day more is written to the manifest alone, whichever process does it.
    let Content::Table { partitions, .. } = &mut table.content else { return };
    let (_, mut last) = partitions.pop_last().unwrap();
    Arc::make_mut(&mut last.ledger).run = RunId::generate();
    partitions.insert(PartitionKey::new(vec![Some("day 1000".into())]), last);
    other.publish(&relation, &table, &Presentation::default()).unwrap();
    assert_eq!(parts(&warehouse, &relation), before);
    assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
}

#[test]
fn a_part_that_is_missing_or_damaged_is_an_error_and_not_a_shorter_table() {
    let folder = tempfile::tempdir().unwrap();
    let relation = Relation::new("music", "fact_listen");
    let warehouse = LocalWarehouse::new(folder.path());
    let table = long_table(300, &RunId::generate());
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    let part = parts(&warehouse, &relation).remove(0);
    let text = fs::read_to_string(&part).unwrap();
    let read = || LocalWarehouse::new(folder.path()).read(&relation);
    for damaged in [
        &text[..text.len() / 2],
        &text.replacen("[[3,4]]", "[[3,4],[3,4]]", 1),
        &text.replacen(".parquet\",", "\",\"b\",", 1),
    ] {
        fs::write(&part, damaged).unwrap();
        assert!(matches!(read(), Err(WarehouseError::Manifest { .. })), "{:?}", read());
    }
    let other = parts(&warehouse, &relation).remove(1);
    fs::write(&part, fs::read(&other).unwrap()).unwrap();
    assert!(matches!(read(), Err(WarehouseError::Manifest { .. })));
    fs::remove_file(&part).unwrap();
    assert!(matches!(read(), Err(WarehouseError::Io { .. })));
}

#[test]
fn parts_that_no_manifest_points_at_are_cleaned_once_they_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    warehouse.publish(&relation, &long_table(300, &RunId::generate()), &Presentation::default()).unwrap();
    let first = parts(&warehouse, &relation);
    let table = long_table(300, &RunId::generate());
    warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    assert!(first.iter().all(|path| path.exists()));
    warehouse.clean(Duration::from_hours(1)).unwrap();
    assert!(first.iter().all(|path| path.exists()));
    assert!(warehouse.clean(Duration::ZERO).unwrap().bytes > 0);
    assert!(first.iter().all(|path| !path.exists()));
    assert_eq!(LocalWarehouse::new(folder.path()).read(&relation).unwrap(), Some(table));
}

#[test]
fn a_manifest_of_before_there_were_parts_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    let run = RunId::generate();
    let table = table(&run);
    let (_, partition) = table.partitions().next().unwrap();
    let path = &partition.files[0].path;
    let earlier = serde_json::json!({
        "format": 1,
        "files": [path],
        "run": run,
        "columns": [
            {"name": "ts", "type": "Timestamp(µs)", "nullable": true},
            {"name": "price", "type": "Decimal128(10, 2)", "nullable": true},
            {"name": "event_date", "type": "Date32", "nullable": true},
        ],
        "partition_columns": ["event_date"],
        "partitions": [{
            "key": ["2018-11-03"],
            "partition": {"files": [{"path": path, "rows": 3, "bytes": 4}], "ledger": partition.ledger},
        }],
    });
    fs::create_dir_all(warehouse.folder(&relation).unwrap()).unwrap();
    fs::write(warehouse.manifest_path(&relation).unwrap(), earlier.to_string()).unwrap();
    assert_eq!(warehouse.read(&relation).unwrap(), Some(table));
}

#[test]
fn what_was_published_is_kept_with_its_time_until_its_files_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = LocalWarehouse::new(folder.path());
    let relation = Relation::new("music", "fact_listen");
    assert_eq!(warehouse.publications(&relation).unwrap(), Some(Vec::new()));
    let runs: Vec<RunId> = (0..3).map(|_| RunId::generate()).collect();
    let before = chrono::Utc::now();
    for run in &runs {
        let table = table(run);
        write_files(&warehouse, &relation, &table);
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
    }
    let published = || warehouse.publications(&relation).unwrap().unwrap();
    let runs_of = |published: &[Publication]| -> Vec<RunId> {
        published.iter().map(|one| one.table.run.clone()).collect()
    };
    let all = published();
    assert_eq!(runs_of(&all), runs.iter().rev().cloned().collect::<Vec<_>>());
    assert!(all.iter().map(|one| one.at).is_sorted_by(|later, earlier| later >= earlier));
    assert!(all[2].at > before - chrono::TimeDelta::seconds(1) && all[0].at <= chrono::Utc::now());
    // With the files of one content, those before it are of no use either.
    let data = warehouse.folder(&relation).unwrap().join(DATA);
    fs::remove_dir_all(data.join(runs[1].as_str())).unwrap();
    assert_eq!(runs_of(&published()), [runs[2].clone()]);
}

/// A table of so many partitions that share one file, a row each.
fn shared(run: &RunId, partitions: u64) -> TableVersion {
    let mut table = table(run);
    let Content::Table { partitions: all, .. } = &mut table.content else { return table };
    let ledger = all.values().next().unwrap().ledger.clone();
    let path = format!("data/{run}/event_date=several/0.parquet");
    *all = (0..partitions)
        .map(|first| {
            let within = Within { first, rows: partitions, bytes: 1000 };
            let files = vec![DataFile::shared(path.clone(), 1, within)];
            let key = PartitionKey::new(vec![Some(format!("{first:04}"))]);
            (key, Partition { files: files.into(), ledger: ledger.clone() })
        })
        .collect();
    table
}

#[test]
fn a_file_that_partitions_share_is_listed_once_and_read_back_with_each_ones_rows() {
    for partitions in [3, 700] {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = LocalWarehouse::new(folder.path());
        let relation = Relation::new("music", "raw");
        let table = shared(&RunId::generate(), partitions);
        write_files(&warehouse, &relation, &table);
        warehouse.publish(&relation, &table, &Presentation::default()).unwrap();
        let read = LocalWarehouse::new(folder.path()).read(&relation).unwrap();
        assert_eq!(read.as_ref(), Some(&table));
        let mut listed = 0;
        for entry in walkdir::WalkDir::new(folder.path()) {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                listed += text["files"].as_array().unwrap().len();
            }
        }
        assert_eq!(listed, 1, "{partitions} partitions");
    }
}

#[test]
fn partitions_that_do_not_have_a_shared_file_between_them_are_refused() {
    let run = RunId::generate();
    let whole = shared(&run, 3);
    let mut partly = whole.clone();
    let Content::Table { partitions, .. } = &mut partly.content else { return };
    partitions.pop_last();
    let read = |listed: &TableVersion, entries: &TableVersion| {
        let partitions = entries.partitions().map(|(key, one)| (key.clone(), one.clone())).collect();
        let part = Part { partitions, ..Part::default() };
        let text = ManifestHead::of(listed, vec![MANIFEST.to_owned()]).text(&part).unwrap();
        let (head, own) = ManifestHead::read(&text).unwrap();
        head.into_table(&[&own]).map_err(|error| match error {
            Unreadable::Text(reason) => reason.replace(run.as_str(), "[run]"),
            Unreadable::Format(format) => format.to_string(),
        })
    };
    assert_eq!(read(&whole, &whole).unwrap(), whole);
    let path = "data/[run]/event_date=several/0.parquet";
    assert_eq!(
        read(&partly, &partly).unwrap_err(),
        format!("its partitions have 2 rows of `{path}`, which has 3")
    );
    assert_eq!(read(&table(&run), &whole).unwrap_err(), format!("`files` does not list `{path}`"));
    assert_eq!(read(&whole, &shared(&run, 0)).unwrap_err(), format!("no partition has the file `{path}`"));
}
