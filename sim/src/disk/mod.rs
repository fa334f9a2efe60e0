//! A disk with a volatile cache: [`SimDisk`] implements storage-file's [`Disk`] and knows what of it a power loss would leave.
//!
//! - What a call did is seen by every later call at once; it survives a power loss only behind a sync of the file, and its name only
//!   behind a sync of the directory. [`SimDisk::lose_power`] chooses, from what was never synced, what is kept, dropped or torn.
//! - A call fails when [`SimDisk::fail_next`] says so; a failed write has written some of its first bytes, a failed sync
//!   leaves all in doubt.
//! - Space is finite: [`SimDisk::set_capacity`]; a write that does not fit writes what does.
//!
//! - It may lie ([`SimDisk::set_lying`]): a sync says that it succeeded and has done nothing; the next one that is honest makes up
//!   for it. [`SimDisk::lies`] tells what rests on such a word.
//! - What was synced may rot: `rot.rs`.

mod file;
mod image;
mod rot;
mod shapes;

use crate::checkers::lies::Lies;
use crate::chooser::{Choice, Chooser, Draws};
use crate::plan::Moment;
use file::SimFileData;
pub(crate) use image::Image;
use quorate_core::contract::{EpochKind, Epochs};
use quorate_storage_file::names::{parse_snapshot_name, snapshot_of_replacement};
use quorate_storage_file::{
    DirEntry, Directory, Disk, DiskError, DiskErrorKind, DiskOperation, FileName, OpenMode, epoch_name,
};
use rot::Rotten;
pub(crate) use rot::Spared;
use std::collections::BTreeMap;

/// An open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SimFile(u64);

/// A change of names that no sync of the directory has followed yet.
#[derive(Clone, Debug)]
enum NameChange {
    Set(String, SimFile),
    Remove(String),
    Rename { from: String, to: String, file: SimFile },
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, SimFile>) {
        match self {
            NameChange::Set(name, file) => {
                names.insert(name, file);
            }
            NameChange::Remove(name) => {
                names.remove(&name);
            }
            NameChange::Rename { from, to, file } => {
                names.remove(&from);
                names.insert(to, file);
            }
        }
    }
}

/// Invariant: `durable` with all `changes` applied is `current`.
#[derive(Clone, Debug, Default)]
struct Names {
    current: BTreeMap<String, SimFile>,
    durable: BTreeMap<String, SimFile>,
    changes: Vec<NameChange>,
    /// Some of the changes were said to be synced.
    is_lied_about: bool,
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct SimDisk {
    files: BTreeMap<SimFile, SimFileData>,
    /// Files that have lost their names for good, and that the process may still have open.
    nameless: BTreeMap<SimFile, SimFileData>,
    names: BTreeMap<Directory, Names>,
    next_file: u64,
    capacity: u64,
    /// How the next call fails, and how many bytes it writes at most if it is a write.
    fail_next: Option<(DiskErrorKind, u64)>,
    /// Calls made so far, by anyone.
    calls: u64,
    /// The last call was a sync, of a file or a directory.
    last_was_sync: bool,
    last_failed: bool,
    is_lying: bool,
    /// Whether it ever was.
    has_lied: bool,
    /// The power may have taken something that it had lied about.
    has_lost_lies: bool,
    /// What has rotted and may still be found.
    rotten: Vec<Rotten>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk: snapshots and logs in directories of their own.
    pub fn new() -> Self {
        let directories = [Directory::Snap, Directory::Log, Directory::LogRoot];
        SimDisk {
            files: BTreeMap::new(),
            nameless: BTreeMap::new(),
            names: directories.into_iter().map(|directory| (directory, Names::default())).collect(),
            next_file: 0,
            capacity: u64::MAX,
            fail_next: None,
            calls: 0,
            last_was_sync: false,
            last_failed: false,
            is_lying: false,
            has_lied: false,
            has_lost_lies: false,
            rotten: Vec::new(),
        }
    }

    /// Lets the next call fail; a write has written so many bytes by then, or fewer.
    pub fn fail_next(&mut self, kind: DiskErrorKind, written: u64) {
        self.fail_next = Some((kind, written));
    }

    /// From now on, or no longer, syncs do nothing and say that they did.
    pub fn set_lying(&mut self, is_lying: bool) {
        self.is_lying = is_lying;
        self.has_lied |= is_lying;
    }

    /// What was said to be synced and is not, of all that may be there behind a power loss: a file may get back the name that another one
    /// has taken.
    pub(crate) fn lies(&self) -> Lies {
        if !self.has_lied {
            return Lies::default();
        }
        let of = |directory: Directory| {
            self.names.get(&directory).is_some_and(|names| {
                let mut files = names.files().filter_map(|file| self.files.get(&file));
                names.is_lied_about || files.any(SimFileData::is_lied_about)
            })
        };
        Lies { of_logs: of(Directory::Log) || of(Directory::LogRoot), of_snapshots: of(Directory::Snap) }
    }

    /// What it has lied about comes to the disk after all.
    pub(crate) fn make_good(&mut self) {
        self.files.values_mut().filter(|file| file.is_lied_about()).for_each(SimFileData::sync);
        let mut is_loss = false;
        for names in self.names.values_mut().filter(|names| names.is_lied_about) {
            is_loss |= names.sync();
        }
        if is_loss {
            self.set_nameless_apart();
        }
    }

    /// Whether a snapshot, or the name of one, is among what was said to be synced and is not.
    pub(crate) fn lies_about_snapshots(&self) -> bool {
        let is_one =
            |name: &String| parse_snapshot_name(name).is_some() || snapshot_of_replacement(name).is_some();
        let Some(names) = self.names.get(&Directory::Snap) else { return false };
        let is_renamed = names.changes.iter().any(|change| match change {
            NameChange::Set(name, _) | NameChange::Remove(name) => is_one(name),
            NameChange::Rename { from, to, .. } => is_one(from) || is_one(to),
        });
        let mut files = names.current.iter().filter(|(name, _)| is_one(name));
        names.is_lied_about && is_renamed
            || files.any(|(_, file)| self.files.get(file).is_some_and(SimFileData::is_lied_about))
    }

    /// Whether both epochs are written, whatever a power loss takes.
    pub(crate) fn has_epochs(&self) -> bool {
        let Some(names) = self.names.get(&Directory::Snap) else { return false };
        [EpochKind::Accepted, EpochKind::Current].into_iter().all(|kind| {
            let file = names.durable.get(epoch_name(kind)).and_then(|file| self.files.get(file));
            file.is_some_and(SimFileData::is_durable)
        })
    }

    /// What the files of the epochs say, and will behind a power loss, if the disk has not lied; nothing where one of them is missing, or no
    /// number.
    pub(crate) fn epochs(&self) -> Option<Epochs> {
        let names = self.names.get(&Directory::Snap)?;
        let files = if names.is_lied_about { &names.current } else { &names.durable };
        let of = |kind| rot::parse(&self.files.get(files.get(epoch_name(kind))?)?.synced_content());
        Some(Epochs { accepted: of(EpochKind::Accepted)?, current: of(EpochKind::Current)? })
    }

    /// Whether something that it has lied about is missing, or may be: what is on it then is as good as the last recovery found it, no better.
    pub(crate) fn was_lied_about(&self) -> bool {
        self.has_lost_lies || self.lies().any()
    }

    /// Lets the next call succeed after all.
    pub(crate) fn fail_no_more(&mut self) {
        self.fail_next = None;
    }

    /// How many calls were made so far.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub(crate) fn last_was_sync(&self) -> bool {
        self.last_was_sync
    }

    pub(crate) fn last_failed(&self) -> bool {
        self.last_failed
    }

    /// Bytes in all files together beyond which writes fail.
    pub fn set_capacity(&mut self, bytes: u64) {
        self.capacity = bytes;
    }

    /// Bytes in all files together.
    pub fn used(&self) -> u64 {
        self.files.values().map(SimFileData::length).sum()
    }

    /// Whether a power loss now would meet what `moment` says.
    pub(crate) fn is_moment(&self, moment: Moment) -> bool {
        let logs = self.names.get(&Directory::Log).into_iter().flat_map(|names| names.current.values());
        let mut logs = logs.filter_map(|file| self.files.get(file));
        match moment {
            Moment::Any => true,
            Moment::Unsynced(bytes) => logs.any(|log| log.unsynced_bytes() >= bytes),
            Moment::NewLog => logs.any(SimFileData::is_new),
        }
    }

    /// The power goes and comes back. `lives` tells one loss from another.
    pub fn lose_power(&mut self, chooser: &mut dyn Chooser, lives: u64) {
        self.has_lost_lies |= self.lies().any();
        for (id, file) in &mut self.files {
            if file.is_clean() {
                continue;
            }
            file.lose_power(&mut Draws::new(chooser, Choice::CrashImage, (lives, id.0)));
        }
        for (directory, names) in &mut self.names {
            let mut draws = Draws::new(chooser, Choice::CrashImage, (lives, u64::MAX - *directory as u64));
            names.lose_power(&mut draws);
        }
        let is_there = |file| self.files.contains_key(&file);
        assert!(self.names.values().flat_map(Names::files).all(is_there), "a name without its file");
        self.set_nameless_apart();
        self.fail_next = None;
        self.process_ended();
    }

    /// Nobody has a file open any more.
    pub(crate) fn process_ended(&mut self) {
        self.nameless.clear();
    }

    /// Files without a name, that no power loss can give one back, are there for who has them open only.
    fn set_nameless_apart(&mut self) {
        let kept: Vec<SimFile> = self.names.values().flat_map(Names::files).collect();
        self.nameless.extend(self.files.extract_if(.., |id, _| !kept.contains(id)));
    }

    fn names(&mut self, directory: Directory) -> &mut Names {
        self.names.get_mut(&directory).expect("every directory exists from the start")
    }

    fn file(&mut self, file: &SimFile) -> &mut SimFileData {
        let named = self.files.get_mut(file);
        named.or_else(|| self.nameless.get_mut(file)).expect("a handle keeps its file")
    }

    fn error(operation: DiskOperation, path: &str, kind: DiskErrorKind) -> DiskError {
        DiskError { operation, path: path.to_string(), kind, detail: format!("simulated: {kind:?}") }
    }

    /// Counts the call; how it fails, if that was asked for.
    fn count(&mut self, operation: DiskOperation) -> Option<(DiskErrorKind, u64)> {
        self.calls += 1;
        self.last_was_sync = matches!(operation, DiskOperation::Sync | DiskOperation::SyncDirectory);
        let fails = self.fail_next.take();
        self.last_failed = fails.is_some();
        fails
    }

    /// Counts the call, and fails it if that was asked for.
    fn begin(&mut self, operation: DiskOperation, path: &str) -> Result<(), DiskError> {
        match self.count(operation) {
            Some((kind, _)) => Err(Self::error(operation, path, kind)),
            None => Ok(()),
        }
    }

    /// By how many bytes files may still grow.
    fn room(&self) -> u64 {
        if self.capacity == u64::MAX { u64::MAX } else { self.capacity.saturating_sub(self.used()) }
    }

    fn create(&mut self, name: &FileName) -> SimFile {
        self.next_file += 1;
        let file = SimFile(self.next_file);
        self.files.insert(file, SimFileData::default());
        let names = self.names(name.directory);
        names.current.insert(name.name.clone(), file);
        names.changes.push(NameChange::Set(name.name.clone(), file));
        file
    }

    /// Puts a whole, durable file where `name` says: an image that somebody else has written.
    pub(crate) fn install(&mut self, name: &FileName, content: &[u8]) {
        let file = self.create(name);
        self.file(&file).write(0, content);
        self.file(&file).sync();
        let names = self.names(name.directory);
        names.sync();
    }

    /// Removes a name durably, as if somebody had done so long ago.
    pub(crate) fn uninstall(&mut self, name: &FileName) {
        let names = self.names(name.directory);
        names.current.remove(&name.name);
        names.changes.push(NameChange::Remove(name.name.clone()));
        names.sync();
    }

    /// The content of a file, as a reader sees it.
    pub(crate) fn content(&self, name: &FileName) -> Option<Vec<u8>> {
        let file = self.names.get(&name.directory)?.current.get(&name.name)?;
        self.files.get(file).map(SimFileData::content)
    }
}

impl Names {
    /// Every file that has a name here, or that a power loss may give one: a name that was set and taken away, neither of them
    /// synced, may come back.
    fn files(&self) -> impl Iterator<Item = SimFile> {
        let changed = self.changes.iter().filter_map(|change| match change {
            NameChange::Set(_, file) | NameChange::Rename { file, .. } => Some(file),
            NameChange::Remove(_) => None,
        });
        self.current.values().chain(self.durable.values()).chain(changed).copied()
    }

    /// True when files may have lost their name for good.
    fn sync(&mut self) -> bool {
        self.is_lied_about = false;
        let mut is_loss = false;
        for change in self.changes.drain(..) {
            is_loss |= !matches!(change, NameChange::Set(..));
            change.apply(&mut self.durable);
        }
        is_loss
    }

    /// Each change that was not synced is kept or lost, on its own; most often all share one fate.
    fn lose_power(&mut self, draws: &mut Draws<'_>) {
        self.is_lied_about = false;
        let fate = draws.below(4);
        let mut names = std::mem::take(&mut self.durable);
        for change in self.changes.drain(..) {
            let is_kept = match fate {
                0 | 1 => true,
                2 => false,
                _ => draws.chance(500),
            };
            if is_kept {
                change.apply(&mut names);
            }
        }
        self.current.clone_from(&names);
        self.durable = names;
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn one_directory(&self) -> bool {
        false
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<SimFile, DiskError> {
        self.begin(DiskOperation::Open, &name.name)?;
        let existing = self.names(name.directory).current.get(&name.name).copied();
        match (existing, mode) {
            (Some(file), OpenMode::Read | OpenMode::Write) => Ok(file),
            (None, OpenMode::Read | OpenMode::Write) => {
                Err(Self::error(DiskOperation::Open, &name.name, DiskErrorKind::NotFound))
            }
            (Some(_), OpenMode::CreateNew) => {
                Err(Self::error(DiskOperation::Open, &name.name, DiskErrorKind::AlreadyExists))
            }
            (Some(file), OpenMode::CreateOrEmpty) => {
                self.file(&file).set_length(0);
                Ok(file)
            }
            (None, OpenMode::CreateNew | OpenMode::CreateOrEmpty) => Ok(self.create(name)),
        }
    }

    fn read(&mut self, file: &SimFile, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.begin(DiskOperation::Read, "a file")?;
        Ok(self.file(file).read(offset, buffer))
    }

    fn write(&mut self, file: &SimFile, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let failure = self.count(DiskOperation::Write);
        let room = self.room();
        let data = self.file(file);
        let fits = data.length().saturating_add(room).saturating_sub(offset);
        let (failure, written) = match failure {
            Some((kind, written)) => (Some(kind), written.min(fits)),
            None if bytes.len() as u64 > fits => (Some(DiskErrorKind::NoSpace), fits),
            None => (None, u64::MAX),
        };
        data.write(offset, &bytes[..written.min(bytes.len() as u64) as usize]);
        self.last_failed = failure.is_some();
        failure.map_or(Ok(()), |kind| Err(Self::error(DiskOperation::Write, "a file", kind)))
    }

    fn set_length(&mut self, file: &SimFile, length: u64) -> Result<(), DiskError> {
        self.begin(DiskOperation::SetLength, "a file")?;
        let room = self.room();
        let data = self.file(file);
        if length.saturating_sub(data.length()) > room {
            self.last_failed = true;
            return Err(Self::error(DiskOperation::SetLength, "a file", DiskErrorKind::NoSpace));
        }
        data.set_length(length);
        Ok(())
    }

    fn sync(&mut self, file: &SimFile) -> Result<(), DiskError> {
        self.begin(DiskOperation::Sync, "a file")?;
        if self.is_lying {
            self.file(file).pretend_to_sync();
        } else {
            self.file(file).sync();
        }
        Ok(())
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        self.begin(DiskOperation::Rename, from)?;
        let names = self.names(directory);
        let Some(file) = names.current.remove(from) else {
            return Err(Self::error(DiskOperation::Rename, from, DiskErrorKind::NotFound));
        };
        names.current.insert(to.to_string(), file);
        names.changes.push(NameChange::Rename { from: from.to_string(), to: to.to_string(), file });
        Ok(())
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.begin(DiskOperation::Remove, &name.name)?;
        let names = self.names(name.directory);
        if names.current.remove(&name.name).is_none() {
            return Err(Self::error(DiskOperation::Remove, &name.name, DiskErrorKind::NotFound));
        }
        names.changes.push(NameChange::Remove(name.name.clone()));
        Ok(())
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        self.begin(DiskOperation::List, "a directory")?;
        let length = |file| self.files.get(file).expect("a name has its file").length();
        let names = &self.names.get(&directory).expect("every directory exists from the start").current;
        Ok(names.iter().map(|(name, file)| DirEntry { name: name.clone(), length: length(file) }).collect())
    }

    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError> {
        self.begin(DiskOperation::SyncDirectory, "a directory")?;
        if self.is_lying {
            let names = self.names(directory);
            names.is_lied_about |= !names.changes.is_empty();
            return Ok(());
        }
        if self.names(directory).sync() {
            self.set_nameless_apart();
        }
        Ok(())
    }

    fn free_space(&mut self, _directory: Directory) -> Result<u64, DiskError> {
        self.begin(DiskOperation::FreeSpace, "a directory")?;
        Ok(self.capacity.saturating_sub(self.used()))
    }
}

#[cfg(test)]
mod tests;
