//! HDFS as the engine reads it.
//!
//! Every read is a task of the background runtime. The engine's own tasks would hold HDFS's connection while they wait, and
//! the threads that could go on with them may themselves be waiting for HDFS.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;
use futures::StreamExt;
use futures::stream::BoxStream;
use hdfs_native::{Client, HdfsError};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::background::Background;

const STORE: &str = "HDFS";

/// The files of HDFS, to read.
#[derive(Clone, Debug)]
pub(super) struct HdfsReads {
    client: Client,
    background: Arc<Background>,
}

impl fmt::Display for HdfsReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

impl HdfsReads {
    pub(super) fn new(client: Client, background: Arc<Background>) -> Self {
        Self { client, background }
    }

    /// The size of a file, and these ranges of it.
    async fn read(&self, location: &Path, ranges: Wanted) -> Result<(u64, Vec<(u64, bytes::Bytes)>)> {
        let path = format!("/{location}");
        let client = self.client.clone();
        let task = self.background.handle().spawn(async move {
            let file = client.read(&path).await?;
            let size = file.file_length() as u64;
            let mut found = Vec::new();
            for range in ranges.within(size) {
                let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                let start = usize::try_from(range.start).unwrap_or(usize::MAX);
                let bytes =
                    if length == 0 { bytes::Bytes::new() } else { file.read_range(start, length).await? };
                found.push((range.start, bytes));
            }
            Ok::<_, HdfsError>((size, found))
        });
        let ended = task.await.map_err(|error| Error::Generic { store: STORE, source: Box::new(error) })?;
        ended.map_err(|error| match error {
            HdfsError::FileNotFound(_) => {
                Error::NotFound { path: location.to_string(), source: Box::new(error) }
            }
            error => Error::Generic { store: STORE, source: Box::new(error) },
        })
    }
}

/// What of a file is wanted.
enum Wanted {
    Nothing,
    One(Option<GetRange>),
    Many(Vec<Range<u64>>),
}

impl Wanted {
    /// The ranges, none of them past the end of the file.
    fn within(self, size: u64) -> Vec<Range<u64>> {
        let cut = |range: Range<u64>| range.start.min(size)..range.end.min(size);
        match self {
            Self::Nothing => Vec::new(),
            Self::One(wanted) => {
                let range = match wanted {
                    None => 0..size,
                    Some(GetRange::Bounded(range)) => cut(range),
                    Some(GetRange::Offset(start)) => cut(start..size),
                    Some(GetRange::Suffix(length)) => size.saturating_sub(length)..size,
                };
                Vec::from([range])
            }
            Self::Many(ranges) => ranges.into_iter().map(cut).collect(),
        }
    }
}

/// mep writes files by HDFS's own client, and never through the engine.
fn not_offered<T>(operation: &str) -> Result<T> {
    Err(Error::NotImplemented { operation: operation.to_owned(), implementer: STORE.to_owned() })
}

#[async_trait]
impl ObjectStore for HdfsReads {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let wanted = if options.head { Wanted::Nothing } else { Wanted::One(options.range) };
        let (size, found) = self.read(location, wanted).await?;
        let (start, bytes) = found.into_iter().next().unwrap_or_default();
        let range = start..start + bytes.len() as u64;
        let meta = ObjectMeta {
            location: location.clone(),
            last_modified: DateTime::UNIX_EPOCH,
            size,
            e_tag: None,
            version: None,
        };
        let payload = GetResultPayload::Stream(futures::stream::iter([Ok(bytes)]).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        let (_, found) = self.read(location, Wanted::Many(ranges.to_vec())).await?;
        Ok(found.into_iter().map(|(_, bytes)| bytes).collect())
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        not_offered("put")
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        not_offered("put_multipart")
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        futures::stream::iter([not_offered("delete")]).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        futures::stream::iter([not_offered("list")]).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        not_offered("list")
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        not_offered("copy")
    }
}
