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
use hdfs_native::file::FileReader;
use hdfs_native::{Client, HdfsError};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::time::timeout;

use super::background::Background;
use super::limits::Limits;
use super::located::LocatedFiles;
use mep_contract::warehouse::error::WarehouseError;

const STORE: &str = "HDFS";

/// The files of HDFS, to read.
#[derive(Clone, Debug)]
pub(super) struct HdfsReads {
    /// The connection.
    pub(super) client: Client,
    /// What it is called in messages.
    pub(super) service: String,
    /// Where files are that were read before.
    pub(super) located: Arc<LocatedFiles>,
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
enum ReadFailure {
    Hdfs(HdfsError),
    /// HDFS said nothing for so long.
    Silent(Duration),
}

impl From<HdfsError> for ReadFailure {
    fn from(error: HdfsError) -> Self {
        Self::Hdfs(error)
    }
}

/// What comes of a future within its limit.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> std::result::Result<T, ReadFailure> {
    timeout(limit, future).await.map_err(|_| ReadFailure::Silent(limit))
}

/// The size of a file, from where on it was read, and the bytes from there.
type ReadBytes = (u64, u64, Bytes);

impl HdfsReads {
    /// What is wanted of a file.
    async fn read(&self, location: &Path, wanted: WantedBytes) -> Result<ReadBytes> {
        let path = format!("/{location}");
        let (client, limits, located) = (self.client.clone(), self.limits, self.located.clone());
        let task = self.background.handle().spawn(async move {
            if let Some(file) = located.known(&path) {
                match read(&file, &wanted, limits).await {
                    Err(ReadFailure::Hdfs(_)) => located.forget(&path),
                    found => return found,
                }
            }
            let file = Arc::new(within(limits.answer(), client.read(&path)).await??);
            let found = read(&file, &wanted, limits).await?;
            located.note(&path, &file);
            Ok::<_, ReadFailure>(found)
        });
        let generic =
            |error: Box<dyn std::error::Error + Send + Sync>| Error::Generic { store: STORE, source: error };
        let ended = task.await.map_err(|error| generic(Box::new(error)))?;
        ended.map_err(|failure| match failure {
            ReadFailure::Hdfs(error @ HdfsError::FileNotFound(_)) => {
                Error::NotFound { path: location.to_string(), source: Box::new(error) }
            }
            ReadFailure::Hdfs(HdfsError::IOError(error)) => generic(Box::new(WarehouseError::Lost {
                action: "reading",
                object: format!("/{location}"),
                service: self.service.clone(),
                reason: error.to_string(),
            })),
            ReadFailure::Hdfs(error) => generic(Box::new(error)),
            ReadFailure::Silent(limit) => generic(Box::new(WarehouseError::Silent {
                action: "reading",
                object: format!("/{location}"),
                service: self.service.clone(),
                seconds: limit.as_secs(),
            })),
        })
    }
}

async fn read(
    file: &FileReader,
    wanted: &WantedBytes,
    limits: Limits,
) -> std::result::Result<ReadBytes, ReadFailure> {
    let size = file.file_length() as u64;
    let range = wanted.within(size);
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
    Ok((size, range.start, bytes.freeze()))
}

/// What of a file is wanted.
enum WantedBytes {
    Nothing,
    Range(Option<GetRange>),
}

impl WantedBytes {
    /// The range, which does not reach past the end of the file.
    fn within(&self, size: u64) -> Range<u64> {
        let cut = |start: u64, end: u64| start.min(size)..end.min(size);
        match self {
            Self::Nothing => 0..0,
            Self::Range(None) => 0..size,
            Self::Range(Some(GetRange::Bounded(range))) => cut(range.start, range.end),
            Self::Range(Some(GetRange::Offset(start))) => cut(*start, size),
            Self::Range(Some(GetRange::Suffix(length))) => size.saturating_sub(*length)..size,
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
        let wanted = if options.head { WantedBytes::Nothing } else { WantedBytes::Range(options.range) };
        let (size, start, bytes) = self.read(location, wanted).await?;
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
