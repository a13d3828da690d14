//! Where the files of tables lie: a file system that mep writes Parquet to and the engine reads it from.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use super::error::WarehouseError;
use mep_core::root::Root;

/// A file system for immutable files.
pub trait Storage: fmt::Debug + Send + Sync {
    /// Begins a file that is not there yet, with the folders that lead to it.
    ///
    /// # Errors
    /// Where it cannot be created, or is there already.
    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, WarehouseError>;

    /// The bytes of a file, where partitions can share files.
    ///
    /// # Errors
    /// Where it cannot be read, or partitions have folders of their own.
    fn read(&self, path: &Path) -> Result<Vec<u8>, WarehouseError> {
        let error = io::Error::new(io::ErrorKind::Unsupported, "partitions do not share files here");
        Err(WarehouseError::Io { action: "reading", path: path.to_owned(), error })
    }

    /// The URL under which the engine knows the store, such as `hdfs://namenode:8020/`.
    fn url(&self) -> &str;

    /// What the engine reads by.
    fn object_store(&self) -> Arc<dyn ObjectStore>;

    /// A file's path as the object store has it.
    ///
    /// # Errors
    /// Where a path has no form there.
    fn object_path(&self, path: &Path) -> Result<ObjectPath, object_store::path::Error>;
}

/// A file in the making.
pub trait NewFile: Write + Send {
    /// Sends what is left of it. What is given back waits until all of it is written, and says how many bytes it has:
    /// so many files can end at once, where each end takes its time.
    ///
    /// # Errors
    /// Where bytes cannot be written.
    fn finish(self: Box<Self>) -> io::Result<Finishing>;
}

/// Waits for the end of a file, and gives its bytes.
pub type Finishing = Box<dyn FnOnce() -> io::Result<u64> + Send>;

/// The folder that all files of a table are in.
#[derive(Clone, Debug)]
pub struct TableFolder {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

impl TableFolder {
    /// The folder at an absolute path.
    pub fn new(storage: Arc<dyn Storage>, path: PathBuf) -> Self {
        Self { storage, path }
    }

    /// A file's or folder's absolute path, from the one below the table's folder.
    pub fn path_of(&self, below: &str) -> PathBuf {
        self.path.join(below)
    }

    /// Whether a file below the table's folder is still there.
    ///
    /// # Errors
    /// Where that cannot be told.
    pub async fn has(&self, below: &str) -> Result<bool, object_store::Error> {
        let path = self.storage.object_path(&self.path_of(below))?;
        match self.storage.object_store().head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The file system.
    pub fn storage(&self) -> &dyn Storage {
        self.storage.as_ref()
    }
}

/// The file system of the machine: files are made below the root alone.
#[derive(Debug)]
pub struct LocalFiles(pub Root);

impl Storage for LocalFiles {
    fn create(&self, path: &Path) -> Result<Box<dyn NewFile>, WarehouseError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            |error| WarehouseError::Io { action: "creating", path, error }
        };
        let below = path.strip_prefix(self.0.path()).unwrap_or(path);
        let path = &self.0.join(below)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io(folder))?;
        }
        let file = File::create_new(path).map_err(io(path))?;
        Ok(Box::new(BufWriter::new(file)))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, WarehouseError> {
        let io = |error| WarehouseError::Io { action: "reading", path: path.to_owned(), error };
        fs::read(path).map_err(io)
    }

    fn url(&self) -> &'static str {
        "file:///"
    }

    fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(LocalFileSystem::new())
    }

    fn object_path(&self, path: &Path) -> Result<ObjectPath, object_store::path::Error> {
        ObjectPath::from_absolute_path(path)
    }
}

impl NewFile for BufWriter<File> {
    fn finish(self: Box<Self>) -> io::Result<Finishing> {
        let file = self.into_inner().map_err(io::IntoInnerError::into_error)?;
        let bytes = file.metadata()?.len();
        Ok(Box::new(move || Ok(bytes)))
    }
}
