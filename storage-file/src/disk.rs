//! The world under this crate: two directories of files, one operation a call, and any call may fail.
//!
//! A method of [`Disk`] is what the simulator schedules, so crashes fall between any two of them. What survives a power
//! loss is exactly this: file contents that were followed by [`Disk::sync`], and names (created, renamed, removed) that were
//! followed by [`Disk::sync_directory`]. Everything else may be kept, lost or torn. [`crate::conformance`] says the rest.
//!
//! Absent: hard links, subdirectories, locks (a disk is locked when it is opened, not through this trait).

use std::fmt;

/// Which directory a name lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Directory {
    /// `<dataDir>/version-2`: snapshots and epoch files.
    Snap,
    /// `<dataLogDir>/version-2`: txn logs. May be the same directory as [`Directory::Snap`].
    Log,
    /// `<dataLogDir>` itself: only the marker `initialize` is of interest there.
    LogRoot,
}

/// A file's name: a directory and a name without separators.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// Where.
    pub directory: Directory,
    /// The name there.
    pub name: String,
}

impl FileName {
    /// A name in [`Directory::Snap`].
    pub fn snap(name: impl Into<String>) -> Self {
        FileName { directory: Directory::Snap, name: name.into() }
    }

    /// A name in [`Directory::Log`].
    pub fn log(name: impl Into<String>) -> Self {
        FileName { directory: Directory::Log, name: name.into() }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to write and cut.
    Write,
    /// A new file; fails when the name exists.
    CreateNew,
    /// A new file, or an old one emptied.
    CreateOrEmpty,
}

/// A name in a directory listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name.
    pub name: String,
    /// The file's length, bytes.
    pub length: u64,
}

/// What was being done when an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the methods of Disk")]
pub enum DiskOperation {
    Open,
    Read,
    Write,
    SetLength,
    Sync,
    Rename,
    Remove,
    List,
    SyncDirectory,
    FreeSpace,
    Lock,
}

impl fmt::Display for DiskOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskOperation::Open => "open",
            DiskOperation::Read => "read",
            DiskOperation::Write => "write",
            DiskOperation::SetLength => "set the length of",
            DiskOperation::Sync => "sync",
            DiskOperation::Rename => "rename",
            DiskOperation::Remove => "remove",
            DiskOperation::List => "list",
            DiskOperation::SyncDirectory => "sync the directory",
            DiskOperation::FreeSpace => "ask the free space of",
            DiskOperation::Lock => "lock",
        })
    }
}

/// The kinds of failure that this crate tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DiskErrorKind {
    /// No such file.
    NotFound,
    /// The name exists.
    AlreadyExists,
    /// No space left.
    NoSpace,
    /// Not allowed to.
    PermissionDenied,
    /// Anything else: the device failed.
    Io,
}

/// A disk operation that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {operation} {path}: {detail}")]
pub struct DiskError {
    /// What was tried.
    pub operation: DiskOperation,
    /// On what: as long a path as the disk knows.
    pub path: String,
    /// Why it failed, to decide by.
    pub kind: DiskErrorKind,
    /// Why it failed, in the system's words.
    pub detail: String,
}

/// A disk. See the module's words; behaviour is pinned by [`crate::conformance::run`].
///
/// Handles are closed by dropping them, which never writes anything.
pub trait Disk {
    /// An open file. Clones are the same file.
    type File: Clone + fmt::Debug;

    /// Whether [`Directory::Snap`] and [`Directory::Log`] are one directory.
    fn one_directory(&self) -> bool;

    /// Opens a file.
    ///
    /// # Errors
    /// [`DiskErrorKind::NotFound`] and [`DiskErrorKind::AlreadyExists`] as the mode says, or anything else.
    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<Self::File, DiskError>;

    /// Reads at `offset` into `buffer`; fewer bytes than asked only at the file's end, 0 at or behind it.
    ///
    /// # Errors
    /// When the device fails.
    fn read(&mut self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError>;

    /// Writes all of `bytes` at `offset`; a gap before it reads as zeros.
    ///
    /// # Errors
    /// When the device fails or is full; any part may have been written.
    fn write(&mut self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Cuts the file, or grows it by zeros.
    ///
    /// # Errors
    /// When the device fails or is full.
    fn set_length(&mut self, file: &Self::File, length: u64) -> Result<(), DiskError>;

    /// Makes the file's content and length survive a power loss; its name is the directory's affair.
    ///
    /// # Errors
    /// When the device fails. What was written since the last sync is then in doubt for good: a later sync that succeeds
    /// does not vouch for it.
    fn sync(&mut self, file: &Self::File) -> Result<(), DiskError>;

    /// Gives a file of `directory` another name there, replacing what had it, in one step.
    ///
    /// # Errors
    /// When there is no such file, or the device fails.
    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a name.
    ///
    /// # Errors
    /// When there is no such file, or the device fails.
    fn remove(&mut self, name: &FileName) -> Result<(), DiskError>;

    /// The files of a directory, by name in ascending order; what is not a file is left out.
    ///
    /// # Errors
    /// When the device fails.
    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError>;

    /// Makes the names of a directory survive a power loss.
    ///
    /// # Errors
    /// When the device fails.
    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError>;

    /// Bytes that may still be written under a directory.
    ///
    /// # Errors
    /// When the device fails.
    fn free_space(&mut self, directory: Directory) -> Result<u64, DiskError>;
}
