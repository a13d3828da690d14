//! Partitions that share files keep their rows, and the files hold no others.

use arrow::array::{Date32Array, Int64Array};

use super::*;
use crate::warehouse::storage::LocalFiles;
use crate::warehouse::{ColumnVersions, Inputs, Ledger, RunId, Version};
use mep_core::fingerprint::Fingerprint;
use mep_core::root::Root;
use mep_core::time_range::TimeRanges;

fn columns() -> Vec<String> {
    vec!["day".into(), "batch".into()]
}

fn key(day: &str, batch: &str) -> PartitionKey {
    PartitionKey::new(vec![Some(day.into()), Some(batch.into())])
}

fn rows(numbers: &[i64], days: &[i32], batch: &str) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("day", DataType::Date32, false),
        Field::new("batch", DataType::Utf8, false),
    ]);
    let batches = StringArray::from_iter_values(std::iter::repeat_n(batch, numbers.len()));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(numbers.to_vec())),
        Arc::new(Date32Array::from(days.to_vec())),
        Arc::new(batches),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn partitions(written: WrittenFiles) -> BTreeMap<PartitionKey, Partition> {
    let ledger = Arc::new(Ledger {
        run: RunId::none(),
        fingerprint: Fingerprint::of(["f"]),
        inputs: Inputs::default(),
        version: Version::of(["v"]),
        columns: ColumnVersions::default(),
        done: TimeRanges::default(),
    });
    let partition = |files: Vec<DataFile>| Partition { files: files.into(), ledger: ledger.clone() };
    written.into_iter().map(|(key, files)| (key, partition(files))).collect()
}

/// All numbers with their batch, as the files have them.
fn read(folder: &TableFolder, partitions: &BTreeMap<PartitionKey, Partition>) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    for (key, partition) in partitions {
        for file in partition.files.iter() {
            let bytes = Bytes::from(folder.storage().read(&folder.path_of(&file.path)).unwrap());
            let first = file.within.map_or(0, |within| within.first as usize);
            let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
            let reader = reader.with_offset(first).with_limit(file.rows as usize).build().unwrap();
            for rows in reader {
                let rows = rows.unwrap();
                let numbers =
                    arrow::array::AsArray::as_primitive::<arrow::datatypes::Int64Type>(rows.column(0));
                found.extend(numbers.values().iter().map(|n| (*n, key.batch().unwrap().to_owned())));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn partitions_share_a_file_a_day_and_what_is_left_of_it_is_written_anew() {
    let root = tempfile::tempdir().unwrap();
    let files = Arc::new(LocalFiles(Root::new(root.path())));
    let folder = TableFolder::new(files, root.path().into());
    let target = |run: &RunId, schema| WriteTarget {
        table_folder: folder.clone(),
        folder: BuildFolder::of(run),
        schema,
        partition_columns: columns(),
        spread: Spread::Threads,
    };
    let (first, second) = (RunId::generate(), RunId::generate());
    let schema = rows(&[], &[], "").schema();
    let mut writer = SharedWriter::new(target(&first, schema), "small").unwrap();
    writer.write(&rows(&[1, 2, 3], &[0, 1, 0], "a"), "a").unwrap();
    writer.write(&rows(&[4], &[0], "b"), "b").unwrap();
    writer.write(&rows(&[5], &[0], "a"), "a").unwrap();
    let mut all = partitions(writer.finish().unwrap());
    let shown: Vec<(String, u64)> = all.iter().map(|(key, one)| (key.to_string(), one.rows())).collect();
    assert_eq!(shown, [("1970-01-01/a".into(), 3), ("1970-01-01/b".into(), 1), ("1970-01-02/a".into(), 1)]);
    let paths: BTreeSet<String> =
        all.values().flat_map(|one| one.files.iter()).map(|file| file.path.clone()).collect();
    assert_eq!(paths.len(), 2);
    assert!(paths.iter().all(|path| path.contains("/batch=several/")), "{paths:?}");
    let numbers = |numbers: &[(i64, &str)]| -> Vec<(i64, String)> {
        numbers.iter().map(|(n, batch)| (*n, (*batch).to_owned())).collect()
    };
    assert_eq!(read(&folder, &all), numbers(&[(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "a")]));
    let shared = SharedFiles {
        table_folder: folder.clone(),
        folder: BuildFolder::of(&second),
        partition_columns: columns(),
        name: "rest".into(),
    };
    assert_eq!(shared.settle(&mut all).unwrap(), 0);
    all.remove(&key("1970-01-01", "b"));
    assert!(shared.settle(&mut all).unwrap() > 0);
    assert_eq!(read(&folder, &all), numbers(&[(1, "a"), (2, "a"), (3, "a"), (5, "a")]));
    let rest = &all[&key("1970-01-01", "a")].files;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].within.map(|within| (within.first, within.rows)), Some((0, 3)));
    assert!(rest[0].path.contains(second.as_str()) && shared.settle(&mut all).unwrap() == 0);
}

#[test]
fn files_of_a_partition_each_become_one_and_other_columns_go_into_another() {
    let root = tempfile::tempdir().unwrap();
    let files = Arc::new(LocalFiles(Root::new(root.path())));
    let folder = TableFolder::new(files, root.path().into());
    let wide = {
        let rows = rows(&[7], &[0], "c");
        let fields = [Field::new("n", DataType::Int64, true), Field::new("more", DataType::Int64, true)];
        let others = rows.schema();
        let fields = fields.into_iter().map(Arc::new).chain(others.fields()[1..].iter().cloned());
        let columns = [rows.column(0), rows.column(0), rows.column(1), rows.column(2)].map(Clone::clone);
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns.to_vec()).unwrap()
    };
    let mut written = WrittenFiles::new();
    for (at, rows) in [rows(&[1, 2], &[0, 0], "a"), rows(&[3], &[0], "b"), wide].into_iter().enumerate() {
        let target = WriteTarget {
            table_folder: folder.clone(),
            folder: BuildFolder::of(&RunId::generate()),
            schema: rows.schema(),
            partition_columns: columns(),
            spread: Spread::Threads,
        };
        let mut writer = PartitionWriter::new(target, at.to_string()).unwrap();
        writer.write(&rows).unwrap();
        written.extend(writer.finish().unwrap());
    }
    let mut all = partitions(written);
    let before = read(&folder, &all);
    let pieces: Vec<(PartitionKey, DataFile)> =
        all.iter().map(|(key, one)| (key.clone(), one.files[0].clone())).collect();
    let shared = SharedFiles {
        table_folder: folder.clone(),
        folder: BuildFolder::of(&RunId::generate()),
        partition_columns: columns(),
        name: "together".into(),
    };
    let paths = pieces.iter().map(|(_, file)| file.path.clone()).collect();
    replace_files(&mut all, &paths, shared.gather(pieces).unwrap()).unwrap();
    assert_eq!(read(&folder, &all), before);
    let path = |batch| all[&key("1970-01-01", batch)].files[0].path.clone();
    assert!(path("a") == path("b") && path("b") != path("c"));
}
