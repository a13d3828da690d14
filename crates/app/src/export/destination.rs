//! Where an export goes: a file that appears when it is whole, or standard output.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::AppError;
use mep_contract::executor::EngineError;
use mep_lang::project::Problem;

/// Where rows are written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportTo {
    /// A file, in place of one of that name.
    File(PathBuf),
    /// Standard output.
    Stdout,
}

/// Why rows cannot be written.
pub(super) enum RowsError {
    /// The file or stream.
    Io(io::Error),
    /// What a format says of the rows.
    Rows(EngineError),
}

impl From<io::Error> for RowsError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<arrow::error::ArrowError> for RowsError {
    fn from(error: arrow::error::ArrowError) -> Self {
        match error {
            arrow::error::ArrowError::IoError(_, error) => Self::Io(error),
            error => Self::Rows(error.into()),
        }
    }
}

impl From<parquet::errors::ParquetError> for RowsError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Io(match error {
            parquet::errors::ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(error) => io::Error::other(error),
            },
            error => io::Error::other(error),
        })
    }
}

/// A destination that is being written, which counts its bytes.
pub(super) struct Begun {
    out: Out,
    pub(super) bytes: u64,
}

enum Out {
    /// Under another name, until it is whole. It is deleted where it does not come to that.
    File(BufWriter<NamedTempFile>),
    Stdout(BufWriter<io::Stdout>),
}

impl Begun {
    /// Whether it can only be read from its start on.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.out, Out::Stdout(_))
    }
}

impl ExportTo {
    /// Opens it; nothing can be seen there yet.
    ///
    /// # Errors
    /// Where the folder of a file is not there or cannot be written.
    pub(super) fn begun(&self) -> Result<Begun, AppError> {
        let out = match self {
            Self::Stdout => Out::Stdout(BufWriter::new(io::stdout())),
            Self::File(path) => {
                if path.is_dir() {
                    return Err(Problem::new(format!("{self} is a folder, and not a file"))
                        .help("give the name of a file in it, as in --to plays.parquet")
                        .into());
                }
                // What cannot be written in is told without the other name.
                std::fs::read_dir(folder(path)).map_err(AppError::io(format!("writing {self}")))?;
                let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                let begun = builder(&format!(".{name}.")).tempfile_in(folder(path));
                Out::File(BufWriter::new(begun.map_err(AppError::io(format!("writing {self}")))?))
            }
        };
        Ok(Begun { out, bytes: 0 })
    }

    /// Has it seen, whole.
    ///
    /// # Errors
    /// Where the system refuses.
    pub(super) fn completed(&self, mut begun: Begun) -> Result<(), RowsError> {
        begun.flush()?;
        match (begun.out, self) {
            (Out::File(file), Self::File(path)) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(path).map(|_| ()).map_err(|error| error.error)
            }
            _ => Ok(()),
        }
        .map_err(RowsError::from)
    }

    /// Whether an error says that whoever reads standard output has gone away, such as `head`, which is no reason to fail.
    pub(super) fn is_unread(&self, error: &RowsError) -> bool {
        let is_pipe = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        *self == Self::Stdout && matches!(error, RowsError::Io(error) if is_pipe(error))
    }

    /// What is said of an error.
    pub(super) fn failed(&self, error: RowsError) -> AppError {
        match error {
            RowsError::Io(error) => AppError::io(format!("writing {self}"))(error),
            RowsError::Rows(error) => error.into(),
        }
    }
}

#[cfg(unix)]
fn builder(prefix: &str) -> tempfile::Builder<'_, '_> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    // What others may read of a new file is for the umask to say, as for any file.
    builder.prefix(prefix).permissions(std::fs::Permissions::from_mode(0o666));
    builder
}

#[cfg(not(unix))]
fn builder(prefix: &str) -> tempfile::Builder<'_, '_> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    builder
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl fmt::Display for ExportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdout => f.write_str("standard output"),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Write for Begun {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
