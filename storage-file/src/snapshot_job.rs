//! Writing one snapshot (`disk-format.md` §5, §11 W4): `.tmp`, chunks, sync, reading it back, rename, directory sync.
//!
//! Invariants: a name without `.tmp` only ever belongs to a whole, durable file, which was read and its last seal found right
//! before it had that name. A job that failed has removed its `.tmp`, as far as the disk allowed.

use crate::compression::{Compressor, Decompressor};
use crate::disk::{Directory, Disk, FileName, OpenMode};
use crate::names::{TEMPORARY_SUFFIX, compression_of, replacement_name, snapshot_name};
use crate::options::StorageOptions;
use crate::seal::SealCheck;
use bytes::BytesMut;
use quorate_core::tree::{SnapshotEncoder, SnapshotImage};
use quorate_core::vocabulary::Zxid;

/// See the module's words. `F` is the disk's file type.
#[derive(Clone, Debug)]
pub struct SnapshotJob<F> {
    name: String,
    zxid: Zxid,
    chunk_bytes: usize,
    compressor: Compressor,
    encoder: SnapshotEncoder,
    /// Bytes of the file written so far.
    length: u64,
    phase: Phase<F>,
}

#[derive(Clone, Debug)]
enum Phase<F> {
    Create,
    Write { file: F },
    Sync { file: F },
    OpenAgain,
    ReadBack { file: F, reader: SnapshotReader },
    Rename,
    SyncName,
    CleanUp { reason: String },
}

/// What a step of a job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStep {
    /// There is more to do.
    Progress,
    /// It is done.
    Done,
    /// It is over, and not done.
    Failed(String),
}

impl<F: Clone + std::fmt::Debug> SnapshotJob<F> {
    /// A job that will write `image`.
    pub fn new(image: SnapshotImage, options: &StorageOptions) -> Self {
        let name = snapshot_name(image.zxid(), options.compression);
        Self::named(name, image, options)
    }

    /// A job that will write `image` as what takes the place of everything that is there.
    pub(crate) fn replacement(image: SnapshotImage, options: &StorageOptions) -> Self {
        let name = replacement_name(image.zxid(), options.compression);
        Self::named(name, image, options)
    }

    fn named(name: String, image: SnapshotImage, options: &StorageOptions) -> Self {
        SnapshotJob {
            name,
            zxid: image.zxid(),
            chunk_bytes: options.chunk_bytes,
            compressor: Compressor::new(options.compression),
            encoder: image.encoder(),
            length: 0,
            phase: Phase::Create,
        }
    }

    /// The file's name when it is done.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's length, when it is done.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The snapshot's zxid.
    pub fn zxid(&self) -> Zxid {
        self.zxid
    }

    /// Stops it where it stands, for this reason: all that is left to do is to remove its `.tmp`.
    pub(crate) fn cancel(&mut self, reason: &str) {
        if !matches!(self.phase, Phase::CleanUp { .. }) {
            self.phase = Phase::CleanUp { reason: reason.to_owned() };
        }
    }

    fn temporary(&self) -> FileName {
        FileName::snap(format!("{}{TEMPORARY_SUFFIX}", self.name))
    }

    /// Goes on by at most one call.
    ///
    /// # Panics
    /// When the job was over.
    pub fn step<D: Disk<File = F>>(&mut self, disk: &mut D) -> JobStep {
        if let Phase::CleanUp { reason } = &self.phase {
            let reason = reason.clone();
            // It may not be there any more; then the name is free, which is what is wanted.
            return match disk.remove(&self.temporary()) {
                Ok(()) | Err(_) => JobStep::Failed(reason),
            };
        }
        match self.advance(disk) {
            Ok(step) => step,
            Err(reason) => {
                self.phase = Phase::CleanUp { reason };
                JobStep::Progress
            }
        }
    }

    fn advance<D: Disk<File = F>>(&mut self, disk: &mut D) -> Result<JobStep, String> {
        let text = |error: crate::disk::DiskError| error.to_string();
        match &mut self.phase {
            Phase::Create => {
                let file = disk.open(&self.temporary(), OpenMode::CreateOrEmpty).map_err(text)?;
                self.phase = Phase::Write { file };
            }
            Phase::Write { file } => {
                let mut chunk = BytesMut::with_capacity(self.chunk_bytes);
                let mut more = true;
                while more && chunk.len() < self.chunk_bytes {
                    more = self.encoder.next_chunk(&mut chunk);
                }
                let bytes = self.compressor.compress(chunk);
                if !bytes.is_empty() {
                    disk.write(file, self.length, &bytes).map_err(text)?;
                    self.length += bytes.len() as u64;
                }
                if !more {
                    self.phase = Phase::Sync { file: file.clone() };
                }
            }
            Phase::Sync { file } => {
                disk.sync(file).map_err(text)?;
                self.phase = Phase::OpenAgain;
            }
            Phase::OpenAgain => {
                let file = disk.open(&self.temporary(), OpenMode::Read).map_err(text)?;
                let reader = SnapshotReader::new(&self.name, self.chunk_bytes);
                self.phase = Phase::ReadBack { file, reader };
            }
            Phase::ReadBack { file, reader } => {
                if reader.step(disk, file, &mut |_| Ok(()))? {
                    let sealed = reader.seal.verify();
                    sealed.map_err(|reason| format!("{} reads back wrong: {reason}", self.name))?;
                    self.phase = Phase::Rename;
                }
            }
            Phase::Rename => {
                disk.rename(Directory::Snap, &self.temporary().name, &self.name).map_err(text)?;
                self.phase = Phase::SyncName;
            }
            Phase::SyncName => {
                disk.sync_directory(Directory::Snap).map_err(text)?;
                return Ok(JobStep::Done);
            }
            Phase::CleanUp { .. } => unreachable!("handled by step"),
        }
        Ok(JobStep::Progress)
    }
}

/// Reads a snapshot file chunk by chunk: decompresses it, sums its seal, and shows its bytes to whoever wants them.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotReader {
    offset: u64,
    /// What a step reads into.
    chunk: Vec<u8>,
    decompressor: Decompressor,
    pub(crate) seal: SealCheck,
}

impl SnapshotReader {
    /// At the start of the file `name`, whose suffix tells its compression.
    pub(crate) fn new(name: &str, chunk_bytes: usize) -> Self {
        let compression = compression_of(name);
        SnapshotReader {
            offset: 0,
            chunk: vec![0; chunk_bytes],
            decompressor: Decompressor::new(compression),
            seal: SealCheck::default(),
        }
    }

    /// Reads the next chunk; true when the file has ended.
    pub(crate) fn step<D: Disk>(
        &mut self,
        disk: &mut D,
        file: &D::File,
        sink: crate::compression::Sink<'_>,
    ) -> Result<bool, String> {
        let chunk = &mut self.chunk;
        let count = disk.read(file, self.offset, chunk).map_err(|error| error.to_string())?;
        self.offset += count as u64;
        let seal = &mut self.seal;
        let mut summed = |bytes: &[u8]| {
            seal.push(bytes);
            sink(bytes)
        };
        self.decompressor.push(&chunk[..count], &mut summed)?;
        let ended = count < chunk.len();
        if ended {
            self.decompressor.finish(&mut summed)?;
        }
        Ok(ended)
    }
}
