//! A server whose power can be cut: production's server over a disk that remembers what was synced.
//!
//! At SIGUSR1 or SIGUSR2 the disk stands still, the data directory becomes what a power loss at this moment may leave, or leaves at
//! least, and the process is no more. What left the process before that rests on syncs that were done, or on nothing.

use crate::support::Dice;
use crate::support::power::{PowerDisk, PowerFile};
use quorate::config::{Given, evaluate};
use quorate_storage_file::{DirEntry, Directory, Disk, DiskError, FileName, OpenMode, StdDisk, StdFile};
use rustix::process::{Signal, getpid, kill_process};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long a sync takes, about what a solid-state disk needs: files in memory would be synced before anybody could look.
const SYNC: Duration = Duration::from_millis(2);

/// Clones are the same disk.
#[derive(Clone, Debug)]
struct SharedDisk(Arc<Mutex<PowerDisk<StdDisk>>>);

impl SharedDisk {
    fn lock(&self) -> MutexGuard<'_, PowerDisk<StdDisk>> {
        self.0.lock().expect("whoever panics ends the process")
    }
}

impl Disk for SharedDisk {
    type File = PowerFile<StdFile>;

    fn one_directory(&self) -> bool {
        self.lock().one_directory()
    }

    fn open(&mut self, name: &FileName, mode: OpenMode) -> Result<Self::File, DiskError> {
        self.lock().open(name, mode)
    }

    fn read(&mut self, file: &Self::File, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        self.lock().read(file, offset, buffer)
    }

    fn write(&mut self, file: &Self::File, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.lock().write(file, offset, bytes)
    }

    fn set_length(&mut self, file: &Self::File, length: u64) -> Result<(), DiskError> {
        self.lock().set_length(file, length)
    }

    fn sync(&mut self, file: &Self::File) -> Result<(), DiskError> {
        // A file is written by one thread, so that nothing comes to it meanwhile.
        std::thread::sleep(SYNC);
        self.lock().sync(file)
    }

    fn rename(&mut self, directory: Directory, from: &str, to: &str) -> Result<(), DiskError> {
        self.lock().rename(directory, from, to)
    }

    fn remove(&mut self, name: &FileName) -> Result<(), DiskError> {
        self.lock().remove(name)
    }

    fn list(&mut self, directory: Directory) -> Result<Vec<DirEntry>, DiskError> {
        self.lock().list(directory)
    }

    fn sync_directory(&mut self, directory: Directory) -> Result<(), DiskError> {
        std::thread::sleep(SYNC);
        self.lock().sync_directory(directory)
    }

    fn free_space(&mut self, directory: Directory) -> Result<u64, DiskError> {
        self.lock().free_space(directory)
    }
}

/// Runs the server that `config` tells of; `seed` decides what is left of what was not synced.
pub(crate) fn serve(config: PathBuf, seed: u64) -> ExitCode {
    let given = Given { file: Some(config), ..Given::with_environment(None) };
    let config = evaluate(&given).and_then(|evaluation| evaluation.accept());
    quorate::server::run_over(config.expect("the rig has written it"), |disk| {
        let shared = SharedDisk(Arc::new(Mutex::new(PowerDisk::new(disk))));
        let theirs = shared.clone();
        let heard = std::sync::mpsc::channel();
        std::thread::spawn(move || wait_for_the_cut(&theirs, seed, &heard.0));
        heard.1.recv().expect("the thread hears signals");
        shared
    })
}

fn wait_for_the_cut(disk: &SharedDisk, seed: u64, hears: &std::sync::mpsc::Sender<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let is_torn = runtime.block_on(async {
        let mut torn = signal(SignalKind::user_defined1()).unwrap();
        let mut clean = signal(SignalKind::user_defined2()).unwrap();
        hears.send(()).unwrap();
        tokio::select! {
            _ = torn.recv() => true,
            _ = clean.recv() => false,
        }
    });
    // From here on nothing is written or synced.
    let disk = disk.lock();
    let directory = disk.inner.directory(Directory::Snap).to_owned();
    let image = if is_torn { disk.image(&mut Dice(seed)) } else { disk.synced() };
    for entry in std::fs::read_dir(&directory).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, content) in image.iter().filter(|(name, _)| name.directory == Directory::Snap) {
        std::fs::write(directory.join(&name.name), content).unwrap();
    }
    kill_process(getpid(), Signal::KILL).unwrap();
    std::thread::sleep(Duration::MAX);
}
