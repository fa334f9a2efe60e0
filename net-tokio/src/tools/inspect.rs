//! `quorate inspect`: prints transaction logs and snapshots, Quorate's or Java's, and verifies them (`disk-format.md` §2, §5, §9).
//!
//! What a file is, its first bytes say, not its name. Checksums and seals are always verified. Digests of txns can be
//! compared only with a tree: name the snapshot before the logs that follow it, or a log that begins with the first txn. With
//! `--repair`, a torn tail is cut as the server itself would cut it; damage to acknowledged txns is never touched.
//!
//! ```text
//! filter        which txns and znodes are printed
//! log           one transaction log
//! snapshot      one snapshot
//! render        a txn or a znode as text or JSON
//! repair        cutting a torn tail
//! ```

mod filter;
mod log;
mod render;
mod repair;
mod snapshot;

use clap::Args;
use filter::Filter;
use quorate_core::tree::{Database, TreeOptions};
use quorate_core::vocabulary::LookupSeed;
use quorate_storage_file::Compression;
use quorate_storage_file::names::parse_log_name;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What `quorate inspect` takes.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Transaction logs and snapshots, in the order of history.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Only what concerns this path or is below it.
    #[arg(long)]
    path: Option<String>,
    /// Only what a session did, or what lives by it (0x… or decimal).
    #[arg(long, value_parser = filter::parse_session)]
    session: Option<i64>,
    /// Only txns in this range, both ends included (0x… or decimal; A.., ..B and A work too); of znodes, by mzxid.
    #[arg(long, value_name = "A..B", value_parser = filter::parse_range)]
    zxid: Option<filter::ZxidRange>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Print only what each file comes to.
    #[arg(long)]
    summary: bool,
    /// Cut the torn tail of a log. No server may have its directory open.
    #[arg(long)]
    repair: bool,
}

/// Where lines go, and what has been learnt on the way.
pub(super) struct Inspection<'a> {
    arguments: &'a InspectArgs,
    filter: Filter,
    out: BufWriter<io::Stdout>,
    /// The tree that the next txn applies to, as long as no txn is missing.
    database: Option<Database>,
}

/// Why a file can't be shown to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum InspectError {
    /// The file, or standard output.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What it says is wrong.
    #[error("{0}")]
    Damaged(String),
}

/// What a file is.
enum Kind {
    Log,
    Snapshot(Compression),
}

/// Prints every file. Exit code 1 when any of them is damaged or can't be read.
pub(crate) fn main(arguments: &InspectArgs) -> ExitCode {
    let mut inspection = Inspection {
        arguments,
        filter: Filter::new(arguments),
        out: BufWriter::new(io::stdout()),
        database: None,
    };
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        match inspection.file(path) {
            Ok(()) => {}
            // Whoever reads has seen enough.
            Err(InspectError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => return code,
            Err(error) => {
                code = ExitCode::FAILURE;
                // What was printed before the error belongs before it.
                let _ = inspection.out.flush();
                eprintln!("{}: {error}", path.display());
            }
        }
    }
    let _ = inspection.out.flush();
    code
}

impl Inspection<'_> {
    fn file(&mut self, path: &Path) -> Result<(), InspectError> {
        let mut file = File::open(path)?;
        let mut start = Vec::new();
        (&mut file).take(8).read_to_end(&mut start)?;
        let reader = io::Cursor::new(start.clone()).chain(file);
        match kind_of(&start) {
            Some(Kind::Log) => log::inspect(self, path, reader),
            Some(Kind::Snapshot(compression)) => snapshot::inspect(self, path, reader, compression),
            // A log whose header never reached the disk: the server would remove it, and so may a repair.
            None if path
                .file_name()
                .is_some_and(|name| parse_log_name(&name.to_string_lossy()).is_some()) =>
            {
                log::inspect(self, path, reader)
            }
            None => Err(InspectError::Damaged("neither a transaction log nor a snapshot".to_owned())),
        }
    }

    fn line(&mut self, text: &str) -> Result<(), InspectError> {
        self.out.write_all(text.as_bytes())?;
        self.out.write_all(b"\n")?;
        Ok(())
    }

    /// A fresh database, for a history that is seen from its beginning.
    fn begin_history(&mut self) {
        self.database = Some(Database::new(LookupSeed(0), tree_options()));
    }
}

/// With TTL nodes understood, whatever the server was told: it only changes how owners are shown.
fn tree_options() -> TreeOptions {
    TreeOptions { extended_types: true, ..TreeOptions::default() }
}

fn kind_of(start: &[u8]) -> Option<Kind> {
    match start {
        [b'Z', b'K', b'L', b'G', ..] => Some(Kind::Log),
        [b'Z', b'K', b'S', b'N', ..] => Some(Kind::Snapshot(Compression::None)),
        [0x1f, 0x8b, ..] => Some(Kind::Snapshot(Compression::Gzip)),
        [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0] => Some(Kind::Snapshot(Compression::Snappy)),
        _ => None,
    }
}
