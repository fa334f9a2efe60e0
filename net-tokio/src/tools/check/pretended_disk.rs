//! The directories as they are; what is changed in them is only remembered. So recovery can be tried without doing anything.
//!
//! A directory that is missing is an empty one. Cuts and syncs of real files are forgotten, once they are known to be allowed:
//! recovery does not look again at what it has cut.

use quorate_storage_file::{
    DirEntry, Directory, Disk, DiskError, DiskErrorKind, DiskOperation, FileName, OpenMode,
};
use rustix::fs::Access;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// See the module's words.
#[derive(Debug)]
pub(super) struct PretendedDisk {
    data_dir: PathBuf,
    data_log_dir: PathBuf,
    written: BTreeMap<FileName, Rc<RefCell<Vec<u8>>>>,
}

/// A file of either kind.
#[derive(Clone, Debug)]
pub(super) enum PretendedFile {
    /// It lies on the disk, at this path.
    Real(Rc<File>, PathBuf),
    /// It was written since.
    Written(Rc<RefCell<Vec<u8>>>),
}

impl PretendedDisk {
    /// The directories above `version-2`.
    pub(super) fn new(data_dir: &Path, data_log_dir: &Path) -> Self {
        PretendedDisk {
            data_dir: data_dir.to_owned(),
            data_log_dir: data_log_dir.to_owned(),
            written: BTreeMap::new(),
        }
    }

    fn directory(&self, directory: Directory) -> PathBuf {
        match directory {
            Directory::Snap => self.data_dir.join("version-2"),
            Directory::Log => self.data_log_dir.join("version-2"),
            Directory::LogRoot => self.data_log_dir.clone(),
        }
    }
}

fn failed(operation: DiskOperation, path: &Path, error: &io::Error) -> DiskError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        io::ErrorKind::PermissionDenied => DiskErrorKind::PermissionDenied,
        _ => DiskErrorKind::Io,
    };
    DiskError { operation, path: path.display().to_string(), kind, detail: error.to_string() }
}

impl Disk for PretendedDisk {
    type File = PretendedFile;

    fn one_directory(&self) -> bool {
        let [snap, log] = [Directory::Snap, Directory::Log].map(|place| self.directory(place));
        snap == log
            || fs::canonicalize(snap).ok().is_some_and(|snap| fs::canonicalize(log).ok() == Some(snap))
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<PretendedFile, DiskError> {
        if matches!(mode, OpenMode::CreateNew | OpenMode::CreateOrEmpty) {
            let bytes = Rc::default();
            self.written.insert(name.clone(), Rc::clone(&bytes));
            return Ok(PretendedFile::Written(bytes));
        }
        if let Some(bytes) = self.written.get(name) {
            return Ok(PretendedFile::Written(Rc::clone(bytes)));
        }
        let path = self.directory(name.directory).join(&name.name);
        let report = |error: &io::Error| failed(DiskOperation::Open, &path, error);
        let file = File::open(&path).map_err(|error| report(&error))?;
        if mode == OpenMode::Write {
            rustix::fs::access(&path, Access::WRITE_OK).map_err(|errno| report(&errno.into()))?;
        }
        Ok(PretendedFile::Real(Rc::new(file), path))
    }

    fn read(&mut self, file: &PretendedFile, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        match file {
            PretendedFile::Real(file, path) => {
                let mut filled = 0;
                while filled < buffer.len() {
                    match file.read_at(&mut buffer[filled..], offset + filled as u64) {
                        Ok(0) => break,
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(failed(DiskOperation::Read, path, &error)),
                    }
                }
                Ok(filled)
            }
            PretendedFile::Written(bytes) => {
                let bytes = bytes.borrow();
                let rest = bytes.get(offset as usize..).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
        }
    }

    fn write(&mut self, file: &PretendedFile, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let PretendedFile::Written(written) = file else {
            unreachable!("recovery writes into no file that was there")
        };
        let mut written = written.borrow_mut();
        let end = offset as usize + bytes.len();
        if written.len() < end {
            written.resize(end, 0);
        }
        written[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_length(&mut self, _: &PretendedFile, _: u64) -> Result<(), DiskError> {
        Ok(())
    }

    fn sync(&mut self, _: &PretendedFile) -> Result<(), DiskError> {
        Ok(())
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        let named = |name: &str| FileName { directory, name: name.to_owned() };
        if let Some(bytes) = self.written.remove(&named(from)) {
            self.written.insert(named(to), bytes);
        }
        Ok(())
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.written.remove(name);
        Ok(())
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        let path = self.directory(directory);
        let report = |error: &io::Error| failed(DiskOperation::List, &path, error);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(report(&error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| report(&error))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // What was removed meanwhile is not there.
            if let Some(found) = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file) {
                files.push(DirEntry { name, length: found.len() });
            }
        }
        files.sort();
        Ok(files)
    }

    fn sync_directory(&mut self, _: Directory) -> Result<(), DiskError> {
        Ok(())
    }

    fn free_space(&mut self, _: Directory) -> Result<u64, DiskError> {
        Ok(u64::MAX)
    }
}
