//! What the operating system says of a file or folder, in words that tell how to go on.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind};

/// An error of the system as a message shows it.
#[derive(Debug)]
pub struct OsMessage<'a>(pub &'a io::Error);

impl fmt::Display for OsMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is made within the process has words of its own.
        if self.0.raw_os_error().is_none() {
            return write!(f, "{}", self.0);
        }
        f.write_str(match self.0.kind() {
            ErrorKind::NotFound => "there is no such file or folder; make it, or correct the path",
            ErrorKind::PermissionDenied => "permission denied; give it to the user that runs mep",
            ErrorKind::AlreadyExists => {
                "something else stands there already; move it away, or choose another path"
            }
            ErrorKind::NotADirectory => {
                "a file stands where a folder is needed; move it away, or correct the path"
            }
            ErrorKind::IsADirectory => {
                "a folder stands where a file is needed; move it away, or correct the path"
            }
            ErrorKind::DirectoryNotEmpty => "the folder is not empty; look what else writes there",
            ErrorKind::StorageFull => "the disk is full; make room and run again",
            ErrorKind::QuotaExceeded => "the disk quota is used up; make room and run again",
            ErrorKind::ReadOnlyFilesystem => "the file system is read-only; choose a path on another one",
            ErrorKind::InvalidFilename => "no file can have this name; choose a shorter one",
            ErrorKind::CrossesDevices => "it lies on another file system; keep both on one",
            ErrorKind::AddrInUse => "the address is in use",
            ErrorKind::ConnectionRefused => "the connection is refused; look whether it runs there",
            ErrorKind::OutOfMemory => "there is no memory left",
            _ if self.0.raw_os_error() == Some(24) => {
                "too many files are open; allow more (`ulimit -n`), or use fewer `threads`"
            }
            _ if self.0.raw_os_error() == Some(40) => "links lead in a circle; correct them",
            _ => return write!(f, "{}", self.0),
        })
    }
}

/// A text of a library's with what it quotes of the system (`Permission denied (os error 13)`) in the words of [`OsMessage`].
pub fn plain(text: &str) -> Cow<'_, str> {
    const BEGINS: &str = " (os error ";
    let Some((head, rest)) = text.split_once(BEGINS) else { return text.into() };
    let Some((number, tail)) = rest.split_once(')') else { return text.into() };
    let Ok(number) = number.parse() else { return text.into() };
    let words = head.rfind(": ").map_or(0, |at| at + 2);
    format!("{}{}{}", &head[..words], OsMessage(&io::Error::from_raw_os_error(number)), plain(tail)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_library_quotes_of_the_system_is_said_plainly() {
        let quoted = "metadata of a.parquet: Permission denied (os error 13): 2 times";
        assert_eq!(
            plain(quoted),
            "metadata of a.parquet: permission denied; give it to the user that runs mep: 2 times"
        );
        assert_eq!(plain("nothing (os errors)"), "nothing (os errors)");
    }

    #[test]
    fn what_the_system_says_tells_how_to_go_on() {
        for number in [2, 13, 17, 20, 21, 24, 28, 30, 36, 39, 40, 122] {
            let error = io::Error::from_raw_os_error(number);
            let said = OsMessage(&error).to_string();
            assert!(!said.contains("os error") && said.contains("; "), "{number}: {said}");
        }
        assert_eq!(OsMessage(&io::Error::other("its own words")).to_string(), "its own words");
    }
}
