//! [`Disk`] over `std::fs`: the only file of this crate that knows a real one.
//!
//! The directory is locked (`flock`) against a second server for as long as any clone lives. The lock file is empty, has a
//! name that Java ignores, and lies beside `version-2`, not in it.
//!
//! Clones share the lock and nothing else, so each lane may have its own thread.

use crate::disk::{DirEntry, Directory, Disk, DiskError, DiskErrorKind, DiskOperation, FileName, OpenMode};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[expect(clippy::disallowed_types, reason = "this is where files come from")]
type StdFsFile = std::fs::File;

/// The name of the lock file in the data directory.
pub const LOCK_FILE: &str = "quorate.lock";

/// What [`StdDisk`] is opened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdDiskOptions {
    /// `dataDir`, without `version-2`.
    pub data_dir: PathBuf,
    /// `dataLogDir`, without `version-2`; the same as `data_dir` when not set.
    pub data_log_dir: PathBuf,
    /// `datadir.autocreate`: make directories that are missing.
    pub autocreate: bool,
    /// Lock the directories against other servers. Read-only tools don't.
    pub lock: bool,
}

impl StdDiskOptions {
    /// Everything in one directory, made when missing, locked.
    pub fn in_directory(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        StdDiskOptions { data_log_dir: data_dir.clone(), data_dir, autocreate: true, lock: true }
    }
}

/// Two real directories.
#[derive(Clone, Debug)]
pub struct StdDisk {
    snap: PathBuf,
    log: PathBuf,
    log_root: PathBuf,
    one_directory: bool,
    _locks: Arc<Vec<StdFsFile>>,
}

/// A real file, and its path for messages.
#[derive(Clone, Debug)]
pub struct StdFile {
    file: Arc<StdFsFile>,
    path: Arc<PathBuf>,
}

fn failed(operation: DiskOperation, path: &Path, error: &io::Error) -> DiskError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => DiskErrorKind::AlreadyExists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskErrorKind::NoSpace,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            DiskErrorKind::PermissionDenied
        }
        _ => DiskErrorKind::Io,
    };
    DiskError { operation, path: path.display().to_string(), kind, detail: error.to_string() }
}

fn sync_path(path: &Path) -> io::Result<()> {
    StdFsFile::open(path)?.sync_all()
}

/// Makes `directory` and what is missing above it, durably: a directory's name is synced in its parent.
fn create_directory(directory: &Path) -> Result<(), DiskError> {
    if directory.is_dir() {
        return Ok(());
    }
    let report = |error: io::Error| failed(DiskOperation::Open, directory, &error);
    let parent = match directory.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_directory(parent)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(report(error)),
        _ => {}
    }
    sync_path(parent).map_err(report)
}

fn lock_directory(directory: &Path) -> Result<StdFsFile, DiskError> {
    let path = directory.join(LOCK_FILE);
    let report = |error: &io::Error| failed(DiskOperation::Lock, &path, error);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| report(&error))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => DiskError {
            operation: DiskOperation::Lock,
            path: path.display().to_string(),
            kind: DiskErrorKind::AlreadyExists,
            detail: "another server is running on this directory".to_owned(),
        },
        std::fs::TryLockError::Error(error) => report(&error),
    })?;
    Ok(file)
}

impl StdDisk {
    /// Opens, and if so asked makes and locks, the directories.
    ///
    /// # Errors
    /// When a directory is missing or can't be used, or another server has it ([`DiskOperation::Lock`]).
    pub fn open(options: &StdDiskOptions) -> Result<Self, DiskError> {
        let snap = options.data_dir.join("version-2");
        let log = options.data_log_dir.join("version-2");
        for directory in [&snap, &log] {
            if options.autocreate {
                create_directory(directory)?;
            } else {
                std::fs::metadata(directory)
                    .map_err(|error| failed(DiskOperation::Open, directory, &error))?;
            }
        }
        let canonical =
            |path: &Path| path.canonicalize().map_err(|error| failed(DiskOperation::Open, path, &error));
        let one_directory = canonical(&snap)? == canonical(&log)?;
        let mut locks = Vec::new();
        if options.lock {
            locks.push(lock_directory(&options.data_dir)?);
            if canonical(&options.data_dir)? != canonical(&options.data_log_dir)? {
                locks.push(lock_directory(&options.data_log_dir)?);
            }
        }
        Ok(StdDisk {
            snap,
            log,
            log_root: options.data_log_dir.clone(),
            one_directory,
            _locks: Arc::new(locks),
        })
    }

    /// The path of a directory.
    pub fn directory(&self, directory: Directory) -> &Path {
        match directory {
            Directory::Snap => &self.snap,
            Directory::Log => &self.log,
            Directory::LogRoot => &self.log_root,
        }
    }

    fn path(&self, name: &FileName) -> PathBuf {
        assert!(!name.name.contains('/'), "a file name is no path: {}", name.name);
        self.directory(name.directory).join(&name.name)
    }
}

impl Disk for StdDisk {
    type File = StdFile;

    fn one_directory(&self) -> bool {
        self.one_directory
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<StdFile, DiskError> {
        let path = self.path(name);
        let mut options = std::fs::OpenOptions::new();
        match mode {
            OpenMode::Read => options.read(true),
            OpenMode::Write => options.read(true).write(true),
            OpenMode::CreateNew => options.read(true).write(true).create_new(true),
            OpenMode::CreateOrEmpty => options.read(true).write(true).create(true).truncate(true),
        };
        let file = options.open(&path).map_err(|error| failed(DiskOperation::Open, &path, &error))?;
        if mode == OpenMode::Read {
            // Who reads a file reads all of it, so the system may fetch it meanwhile. If it does not, that only takes longer.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::WillNeed);
        }
        Ok(StdFile { file: Arc::new(file), path: Arc::new(path) })
    }

    fn read(&mut self, file: &StdFile, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(DiskOperation::Read, &file.path, &error)),
            }
        }
        Ok(filled)
    }

    fn write(&mut self, file: &StdFile, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        file.file
            .write_all_at(bytes, offset)
            .map_err(|error| failed(DiskOperation::Write, &file.path, &error))
    }

    fn set_length(&mut self, file: &StdFile, length: u64) -> Result<(), DiskError> {
        file.file.set_len(length).map_err(|error| failed(DiskOperation::SetLength, &file.path, &error))
    }

    fn sync(&mut self, file: &StdFile) -> Result<(), DiskError> {
        file.file.sync_data().map_err(|error| failed(DiskOperation::Sync, &file.path, &error))
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        let directory = self.directory(directory);
        let from = directory.join(from);
        std::fs::rename(&from, directory.join(to))
            .map_err(|error| failed(DiskOperation::Rename, &from, &error))
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        let path = self.path(name);
        std::fs::remove_file(&path).map_err(|error| failed(DiskOperation::Remove, &path, &error))
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        let path = self.directory(directory);
        let report = |error: io::Error| failed(DiskOperation::List, path, &error);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(report)? {
            let entry = entry.map_err(report)?;
            // A name that is no UTF-8 is nobody's we know.
            let Ok(name) = entry.file_name().into_string() else { continue };
            match std::fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_file() => entries.push(DirEntry { name, length: metadata.len() }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(report(error)),
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError> {
        let path = self.directory(directory);
        sync_path(path).map_err(|error| failed(DiskOperation::SyncDirectory, path, &error))
    }

    fn free_space(&mut self, directory: Directory) -> Result<u64, DiskError> {
        let path = self.directory(directory);
        let stat = rustix::fs::statvfs(path)
            .map_err(|error| failed(DiskOperation::FreeSpace, path, &io::Error::from(error)))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
