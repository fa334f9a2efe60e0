//! A disk that writes down every call, and fails the one it is told to.

use quorate_storage_file::{
    DirEntry, Directory, Disk, DiskError, DiskErrorKind, DiskOperation, FileName, OpenMode,
};

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct CallDisk<D: Disk> {
    pub(crate) inner: D,
    /// One line a call.
    pub(crate) calls: Vec<String>,
    /// The call to fail, counted from 0.
    pub(crate) fail: Option<usize>,
}

/// A file of the other disk, and its name for the record.
#[derive(Clone, Debug)]
pub(crate) struct NamedFile<F> {
    inner: F,
    name: String,
}

impl<D: Disk> CallDisk<D> {
    pub(crate) fn new(inner: D) -> Self {
        CallDisk { inner, calls: Vec::new(), fail: None }
    }

    /// What was called since the last time.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.calls)
    }

    fn record(&mut self, operation: DiskOperation, path: &str, line: String) -> Result<(), DiskError> {
        let failing = self.fail == Some(self.calls.len());
        self.calls.push(if failing { format!("{line} FAILS") } else { line });
        if failing {
            let (path, detail) = (path.to_owned(), "planted".to_owned());
            return Err(DiskError { operation, path, kind: DiskErrorKind::NoSpace, detail });
        }
        Ok(())
    }
}

impl<D: Disk> Disk for CallDisk<D> {
    type File = NamedFile<D::File>;

    fn one_directory(&self) -> bool {
        self.inner.one_directory()
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<Self::File, DiskError> {
        self.record(DiskOperation::Open, &name.name, format!("open {name} {mode:?}"))?;
        Ok(NamedFile { inner: self.inner.open(name, mode)?, name: name.name.clone() })
    }

    fn read(&mut self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.record(DiskOperation::Read, &file.name, format!("read {} at {offset}", file.name))?;
        self.inner.read(&file.inner, offset, buffer)
    }

    fn write(&mut self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let line = format!("write {} at {offset}, {} bytes", file.name, bytes.len());
        self.record(DiskOperation::Write, &file.name, line)?;
        self.inner.write(&file.inner, offset, bytes)
    }

    fn set_length(&mut self, file: &Self::File, length: u64) -> Result<(), DiskError> {
        self.record(
            DiskOperation::SetLength,
            &file.name,
            format!("set length of {} to {length}", file.name),
        )?;
        self.inner.set_length(&file.inner, length)
    }

    fn sync(&mut self, file: &Self::File) -> Result<(), DiskError> {
        self.record(DiskOperation::Sync, &file.name, format!("sync {}", file.name))?;
        self.inner.sync(&file.inner)
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        self.record(DiskOperation::Rename, from, format!("rename {from} to {to}"))?;
        self.inner.rename(directory, from, to)
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.record(DiskOperation::Remove, &name.name, format!("remove {name}"))?;
        self.inner.remove(name)
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        self.record(DiskOperation::List, "", format!("list {directory:?}"))?;
        self.inner.list(directory)
    }

    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError> {
        self.record(DiskOperation::SyncDirectory, "", format!("sync directory {directory:?}"))?;
        self.inner.sync_directory(directory)
    }

    fn free_space(&mut self, directory: Directory) -> Result<u64, DiskError> {
        self.inner.free_space(directory)
    }
}
