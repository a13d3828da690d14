//! HDFS as the engine reads it.
//!
//! Every read is a task of the background runtime. The engine's own tasks would hold HDFS's connection while they wait, and
//! the threads that could go on with them may themselves be waiting for HDFS.

use std::fmt;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use futures::StreamExt;
use futures::stream::BoxStream;
use hdfs_native::{Client, HdfsError};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::time::timeout;

use super::background::Background;
use super::limits::Limits;
use crate::warehouse::error::WarehouseError;

const STORE: &str = "HDFS";

/// The files of HDFS, to read.
#[derive(Clone, Debug)]
pub(super) struct HdfsReads {
    /// The connection.
    pub(super) client: Client,
    /// What it is called in messages.
    pub(super) service: String,
    /// How long it may take.
    pub(super) limits: Limits,
    /// Where it is waited for.
    pub(super) background: Arc<Background>,
}

impl fmt::Display for HdfsReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STORE)
    }
}

/// Why a read ended early.
enum Failure {
    Hdfs(HdfsError),
    /// HDFS said nothing for so long.
    Silent(Duration),
}

impl From<HdfsError> for Failure {
    fn from(error: HdfsError) -> Self {
        Self::Hdfs(error)
    }
}

/// What comes of a future within its limit.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> std::result::Result<T, Failure> {
    timeout(limit, future).await.map_err(|_| Failure::Silent(limit))
}

impl HdfsReads {
    /// The size of a file, and these ranges of it.
    async fn read(&self, location: &Path, ranges: Wanted) -> Result<(u64, Vec<(u64, Bytes)>)> {
        let path = format!("/{location}");
        let (client, limits) = (self.client.clone(), self.limits);
        let task = self.background.handle().spawn(async move {
            let file = within(limits.answer(), client.read(&path)).await??;
            let size = file.file_length() as u64;
            let mut found = Vec::new();
            for range in ranges.within(size) {
                let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
                let start = usize::try_from(range.start).unwrap_or(usize::MAX);
                let mut bytes = BytesMut::with_capacity(length);
                if length > 0 {
                    // However long a range is, its pieces must keep coming.
                    let mut pieces = pin!(file.read_range_stream(start, length));
                    while let Some(piece) = within(limits.piece(), pieces.next()).await? {
                        bytes.extend_from_slice(&piece?);
                    }
                }
                found.push((range.start, bytes.freeze()));
            }
            Ok::<_, Failure>((size, found))
        });
        let generic =
            |error: Box<dyn std::error::Error + Send + Sync>| Error::Generic { store: STORE, source: error };
        let ended = task.await.map_err(|error| generic(Box::new(error)))?;
        ended.map_err(|failure| match failure {
            Failure::Hdfs(error @ HdfsError::FileNotFound(_)) => {
                Error::NotFound { path: location.to_string(), source: Box::new(error) }
            }
            Failure::Hdfs(HdfsError::IOError(error)) => generic(Box::new(WarehouseError::Lost {
                action: "reading",
                object: format!("/{location}"),
                service: self.service.clone(),
                reason: error.to_string(),
            })),
            Failure::Hdfs(error) => generic(Box::new(error)),
            Failure::Silent(limit) => generic(Box::new(WarehouseError::Silent {
                action: "reading",
                object: format!("/{location}"),
                service: self.service.clone(),
                seconds: limit.as_secs(),
            })),
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

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
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
