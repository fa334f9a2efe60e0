//! A disk over another that remembers what was synced, and can say what a power loss at this moment might leave.
//!
//! The model is that of `zab-invariants.md` §4: of the writes since the last sync of a file each 512-byte sector is kept or lost,
//! in any order; its length is the synced one or any later one; a name's creation, renaming or removal that was not followed by
//! a sync of its directory may be lost.

use super::Dice;
use quorate_storage_file::{
    DirEntry, Directory, Disk, DiskError, FileName, OpenMode, StdDisk, StdDiskOptions,
};
use std::collections::BTreeMap;
use std::path::Path;

const SECTOR: usize = 512;

/// The number of a file, whatever its name.
type Inode = usize;

#[derive(Clone, Debug, Default)]
struct Shadow {
    current: Vec<u8>,
    durable: Vec<u8>,
}

/// What a crash may leave: names and contents.
pub(crate) type Image = Vec<(FileName, Vec<u8>)>;

/// See the module's words.
#[derive(Clone, Debug)]
pub(crate) struct PowerDisk<D: Disk> {
    pub inner: D,
    files: Vec<Shadow>,
    names: BTreeMap<FileName, Inode>,
    durable_names: BTreeMap<FileName, Inode>,
    /// How many calls were made that change something.
    pub changes: u64,
    /// Syncs that are reported as done and not done.
    pub swallow: Option<Swallow>,
}

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swallow {
    FileSyncs,
    DirectorySyncs,
}

/// A file of the other disk, and which one it is.
#[derive(Clone, Debug)]
pub(crate) struct PowerFile<F> {
    inner: F,
    inode: Inode,
}

impl<D: Disk> PowerDisk<D> {
    /// Over a disk whose content is durable.
    pub(crate) fn new(mut inner: D) -> Self {
        let mut files = Vec::new();
        let mut names = BTreeMap::new();
        let mut directories = vec![Directory::Snap, Directory::LogRoot];
        if !inner.one_directory() {
            directories.push(Directory::Log);
        }
        for directory in directories {
            for entry in inner.list(directory).unwrap() {
                let name = FileName { directory, name: entry.name };
                let file = inner.open(&name, OpenMode::Read).unwrap();
                let mut content = vec![0; entry.length as usize];
                inner.read(&file, 0, &mut content).unwrap();
                names.insert(name, files.len());
                files.push(Shadow { current: content.clone(), durable: content });
            }
        }
        PowerDisk { inner, files, durable_names: names.clone(), names, changes: 0, swallow: None }
    }

    fn at(&self, name: &FileName) -> FileName {
        let mut name = name.clone();
        if self.inner.one_directory() && name.directory == Directory::Log {
            name.directory = Directory::Snap;
        }
        name
    }

    /// What a power loss now leaves at least.
    pub(crate) fn synced(&self) -> Image {
        let left = |(name, inode): (&FileName, &Inode)| (name.clone(), self.files[*inode].durable.clone());
        self.durable_names.iter().map(left).collect()
    }

    /// What a power loss now may leave.
    pub(crate) fn image(&self, dice: &mut Dice) -> Image {
        let mut names = self.durable_names.clone();
        for name in self.names.keys().chain(self.durable_names.keys()) {
            if dice.once_in(2) {
                match self.names.get(name) {
                    Some(inode) => names.insert(name.clone(), *inode),
                    None => names.remove(name),
                };
            }
        }
        names.into_iter().map(|(name, inode)| (name, torn(&self.files[inode], dice))).collect()
    }
}

/// A content between what is durable and what was written.
fn torn(file: &Shadow, dice: &mut Dice) -> Vec<u8> {
    // Often all or nothing of it: those are the images that a process kill, and a plain loss, leave.
    match dice.below(4) {
        0 => return file.durable.clone(),
        1 => return file.current.clone(),
        _ => {}
    }
    let shorter = file.durable.len().min(file.current.len());
    let longer = file.durable.len().max(file.current.len());
    let length =
        if dice.once_in(2) { longer } else { shorter + dice.below((longer - shorter) as u64 + 1) as usize };
    let mut content = file.durable.clone();
    content.resize(length, 0);
    for start in (0..length.min(file.current.len())).step_by(SECTOR) {
        let end = (start + SECTOR).min(length).min(file.current.len());
        if dice.once_in(2) {
            content[start..end].copy_from_slice(&file.current[start..end]);
        }
    }
    content
}

/// Puts an image on a real disk.
pub(crate) fn lay_out(image: &Image, directory: &Path) -> StdDisk {
    let mut disk = StdDisk::open(&StdDiskOptions::in_directory(directory)).unwrap();
    for (name, content) in image {
        if name.directory == Directory::LogRoot {
            continue;
        }
        let file = disk.open(name, OpenMode::CreateNew).unwrap();
        disk.write(&file, 0, content).unwrap();
        disk.set_length(&file, content.len() as u64).unwrap();
    }
    disk
}

impl<D: Disk> Disk for PowerDisk<D> {
    type File = PowerFile<D::File>;

    fn one_directory(&self) -> bool {
        self.inner.one_directory()
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<Self::File, DiskError> {
        let inner = self.inner.open(name, mode)?;
        let name = self.at(name);
        let inode = *self.names.entry(name).or_insert(self.files.len());
        if inode == self.files.len() {
            self.files.push(Shadow::default());
            self.changes += 1;
        } else if mode == OpenMode::CreateOrEmpty {
            self.files[inode].current.clear();
            self.changes += 1;
        }
        Ok(PowerFile { inner, inode })
    }

    fn read(&mut self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.inner.read(&file.inner, offset, buffer)
    }

    fn write(&mut self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.changes += 1;
        self.inner.write(&file.inner, offset, bytes)?;
        let content = &mut self.files[file.inode].current;
        let end = offset as usize + bytes.len();
        content.resize(content.len().max(end), 0);
        content[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_length(&mut self, file: &Self::File, length: u64) -> Result<(), DiskError> {
        self.changes += 1;
        self.inner.set_length(&file.inner, length)?;
        self.files[file.inode].current.resize(length as usize, 0);
        Ok(())
    }

    fn sync(&mut self, file: &Self::File) -> Result<(), DiskError> {
        self.changes += 1;
        if self.swallow == Some(Swallow::FileSyncs) {
            return Ok(());
        }
        self.inner.sync(&file.inner)?;
        let shadow = &mut self.files[file.inode];
        shadow.durable.clone_from(&shadow.current);
        Ok(())
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        self.changes += 1;
        self.inner.rename(directory, from, to)?;
        let [from, to] = [from, to].map(|name| self.at(&FileName { directory, name: name.to_owned() }));
        let inode = self.names.remove(&from).expect("the inner disk knew it");
        self.names.insert(to, inode);
        Ok(())
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.changes += 1;
        self.inner.remove(name)?;
        self.names.remove(&self.at(name));
        Ok(())
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        self.inner.list(directory)
    }

    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError> {
        self.changes += 1;
        if self.swallow == Some(Swallow::DirectorySyncs) {
            return Ok(());
        }
        self.inner.sync_directory(directory)?;
        let directory = self.at(&FileName { directory, name: String::new() }).directory;
        self.durable_names.retain(|name, _| name.directory != directory);
        let current = self.names.iter().filter(|(name, _)| name.directory == directory);
        self.durable_names.extend(current.map(|(name, inode)| (name.clone(), *inode)));
        Ok(())
    }

    fn free_space(&mut self, directory: Directory) -> Result<u64, DiskError> {
        self.inner.free_space(directory)
    }
}
