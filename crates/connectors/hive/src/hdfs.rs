//! HDFS as a place for immutable files.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdfs_native::client::FileStatus;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use tokio::time::timeout;

use super::background::Background;
use super::limits::Limits;
use super::located::LocatedFiles;
use super::pause::paused;
use super::reads::HdfsReads;
use mep_contract::warehouse::error::{WarehouseError, no_answer, no_connection};
use mep_contract::warehouse::storage::{Finishing, NewFile, Storage};
use mep_core::fail_point;

/// Bytes that are sent on at once: a few of HDFS's packets.
const CHUNK: usize = 1 << 20;
/// Chunks that may wait for the network before the writing thread does.
const WAITING: usize = 2;

/// Folders that are listed at once.
const LISTED_AT_ONCE: usize = 16;

/// A connection to a NameNode or nameservice.
#[derive(Clone, Debug)]
pub(super) struct Hdfs {
    client: Client,
    url: String,
    service: String,
    limits: Limits,
    located: Arc<LocatedFiles>,
    background: Arc<Background>,
}

/// A folder's entry.
#[derive(Clone, Debug)]
pub(super) struct FolderEntry {
    /// Its absolute path.
    pub(super) path: String,
    /// Whether it is a folder.
    pub(super) is_folder: bool,
    /// How long ago it was changed.
    pub(super) age: Duration,
    /// When it was changed, in milliseconds since 1970.
    pub(super) modified: u64,
    /// Bytes, of a file.
    pub(super) bytes: u64,
}

impl FolderEntry {
    fn of(status: FileStatus) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            path: status.path,
            is_folder: status.isdir,
            age: now.saturating_sub(Duration::from_millis(status.modification_time)),
            modified: status.modification_time,
            bytes: status.length as u64,
        }
    }
}

impl Hdfs {
    /// Connects to the HDFS of `url` (`hdfs://host:port`), by the configuration in a folder, else by `HADOOP_CONF_DIR`.
    ///
    /// # Errors
    /// Where the configuration cannot be used.
    pub(super) fn connect(
        url: &str,
        conf_dir: Option<&Path>,
        limits: Limits,
        background: &Arc<Background>,
    ) -> Result<Self, WarehouseError> {
        let unreachable = |reason: String| WarehouseError::Unreachable { what: "hdfs", reason };
        let mut builder = ClientBuilder::new().with_url(url).with_io_runtime(background.handle().clone());
        if let Some(folder) = conf_dir {
            builder = builder.with_config_dir(folder.to_string_lossy());
        }
        let client = builder.build().map_err(|error| unreachable(format!("{url}: {error}")))?;
        let (service, background) = (format!("hdfs at {url}"), background.clone());
        let located = Arc::new(LocatedFiles::default());
        Ok(Self { client, url: format!("{url}/"), service, limits, located, background })
    }

    fn run<T, F>(
        &self,
        action: &'static str,
        path: &str,
        limit: Duration,
        call: impl FnOnce(Client, String) -> F,
    ) -> Result<T, WarehouseError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HdfsError>> + Send + 'static,
    {
        let failed = |reason: String| WarehouseError::Hdfs { action, path: path.to_owned(), reason };
        let call = call(self.client.clone(), path.to_owned());
        match self.background.wait(async move { timeout(limit, call).await }) {
            Some(Ok(Err(HdfsError::IOError(error)))) => Err(WarehouseError::Lost {
                action,
                object: path.to_owned(),
                service: self.service.clone(),
                reason: error.to_string(),
            }),
            Some(Ok(outcome)) => outcome.map_err(|error| failed(said(&error))),
            Some(Err(_)) => {
                let (object, service) = (path.to_owned(), self.service.clone());
                Err(WarehouseError::Silent { action, object, service, seconds: limit.as_secs() })
            }
            None => Err(failed("the call ended early".to_owned())),
        }
    }

    /// Creates a folder and those above it, where they are not there yet.
    pub(super) fn create_folder(&self, path: &str) -> Result<(), WarehouseError> {
        self.run("creating", path, self.limits.answer(), |client, path| async move {
            client.mkdirs(&path, 0o755, true).await
        })
    }

    /// What is in a folder; `None` where it is not there.
    pub(super) fn list(&self, path: &str) -> Result<Option<Vec<FolderEntry>>, WarehouseError> {
        self.entries(path, false)
    }

    /// All that is below a folder.
    pub(super) fn walk(&self, path: &str) -> Result<Vec<FolderEntry>, WarehouseError> {
        Ok(self.entries(path, true)?.unwrap_or_default())
    }

    fn entries(&self, path: &str, recursive: bool) -> Result<Option<Vec<FolderEntry>>, WarehouseError> {
        let limit = if recursive { self.limits.many() } else { self.limits.answer() };
        let found = self.run("listing", path, limit, |client, path| async move {
            match client.list_status(&path, recursive).await {
                Ok(found) => Ok(Some(found)),
                Err(HdfsError::FileNotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        Ok(found.map(|found| found.into_iter().map(FolderEntry::of).collect()))
    }

    /// All that is below each of these folders, several of which are listed at once; nothing of one that is not there.
    pub(super) fn walk_all(&self, folders: &[String]) -> Result<Vec<Vec<FolderEntry>>, WarehouseError> {
        let mut listed = Vec::with_capacity(folders.len());
        for folders in folders.chunks(LISTED_AT_ONCE) {
            let walked: Vec<Result<_, WarehouseError>> = std::thread::scope(|scope| {
                let walks: Vec<_> = folders.iter().map(|path| scope.spawn(|| self.walk(path))).collect();
                let ended = walks.into_iter().map(std::thread::ScopedJoinHandle::join);
                ended.map(|walked| walked.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
            });
            for walked in walked {
                listed.push(walked?);
            }
        }
        Ok(listed)
    }

    /// What is known of a file or folder; `None` where it is not there.
    pub(super) fn look_up(&self, path: &str) -> Result<Option<FolderEntry>, WarehouseError> {
        let found = self.run("looking up", path, self.limits.answer(), |client, path| async move {
            match client.get_file_info(&path).await {
                Ok(found) => Ok(Some(found)),
                Err(HdfsError::FileNotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        Ok(found.map(FolderEntry::of))
    }

    /// HDFS to read one file of, which others may write anew at any time: nothing that was known of it counts.
    pub(super) fn reads_of_one(&self) -> HdfsReads {
        self.reads(Arc::default())
    }

    fn reads(&self, located: Arc<LocatedFiles>) -> HdfsReads {
        HdfsReads {
            client: self.client.clone(),
            service: self.service.clone(),
            located,
            limits: self.limits,
            background: self.background.clone(),
        }
    }

    /// Deletes a folder and all below it.
    pub(super) fn delete_folder(&self, path: &str) -> Result<(), WarehouseError> {
        self.run("deleting", path, self.limits.many(), |client, path| async move {
            client.delete(&path, true).await.map(|_| ())
        })
    }
}

/// The first line of what HDFS says, without the server's stack.
fn said(error: &HdfsError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl Storage for Hdfs {
    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, WarehouseError> {
        let text = path.to_string_lossy();
        let options = WriteOptions::default();
        let mut file = self.run("creating", &text, self.limits.answer(), |client, path| async move {
            client.create(&path, options).await
        })?;
        let limit = self.limits.piece();
        let service = self.service.clone();
        let (sender, chunks): (SyncSender<Vec<u8>>, Receiver<Vec<u8>>) = sync_channel(WAITING);
        let (done, outcome) = sync_channel(1);
        // The runtime stays for as long as it is needed here, also when the run that wanted the file is over.
        let background = self.background.clone();
        // A thread of its own waits for chunks, so that no thread of the runtime does.
        std::thread::spawn(move || {
            let handle = background.handle();
            let mut written = Ok(Ok(()));
            for chunk in &chunks {
                let write = async { timeout(limit, file.write(chunk.into())).await };
                written = handle.block_on(write).map(|written| written.map(|_| ()));
                if !matches!(written, Ok(Ok(()))) {
                    break;
                }
                fail_point::reached("hdfs-in-a-block");
            }
            // Whoever writes on finds the channel closed, and then the reason.
            drop(chunks);
            if matches!(written, Ok(Ok(()))) {
                written = handle.block_on(async { timeout(limit, paused(Box::pin(file.close()))).await });
            }
            let ended = match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(HdfsError::IOError(error))) => Err(no_connection(&service, &error.to_string())),
                Ok(Err(error)) => Err(said(&error)),
                Err(_) => Err(no_answer(&service, limit.as_secs())),
            };
            let _ = done.send(ended.map_err(io::Error::other));
        });
        Ok(Box::new(HdfsFile { chunk: Vec::new(), sender: Some(sender), outcome, bytes: 0 }))
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(self.reads(self.located.clone()))
    }

    fn object_path(&self, path: &Path) -> Result<ObjectPath, object_store::path::Error> {
        ObjectPath::parse(path.to_string_lossy())
    }
}

/// A file in the making, which another thread sends to HDFS while this one encodes.
struct HdfsFile {
    chunk: Vec<u8>,
    sender: Option<SyncSender<Vec<u8>>>,
    outcome: Receiver<io::Result<()>>,
    bytes: u64,
}

impl HdfsFile {
    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::take(&mut self.chunk);
        let sent = self.sender.as_ref().map(|sender| sender.send(chunk));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(self.reason()),
        }
    }

    fn reason(&mut self) -> io::Error {
        self.sender = None;
        match self.outcome.recv() {
            Ok(Err(error)) => error,
            _ => io::Error::other("the file was ended early"),
        }
    }
}

impl io::Write for HdfsFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        if self.chunk.len() >= CHUNK {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl NewFile for HdfsFile {
    fn finish(mut self: Box<Self>) -> io::Result<Finishing> {
        if !self.chunk.is_empty() {
            self.send()?;
        }
        self.sender = None;
        Ok(Box::new(move || match self.outcome.recv() {
            Ok(ended) => ended.map(|()| self.bytes),
            Err(_) => Err(io::Error::other("the file was ended early")),
        }))
    }
}
