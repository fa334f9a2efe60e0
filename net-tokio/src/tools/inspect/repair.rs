//! What is to be done about a log's tail, and doing it: the rule is the server's own (`disk-format.md` §12).

use super::InspectError;
use super::log::Findings;
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::names::{parse_log_name, torn_name};
use quorate_storage_file::{LOCK_FILE, Tail};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// What a tail came to.
pub(super) enum Verdict {
    /// Nothing to do.
    Clean,
    /// It was cut.
    Repaired(String),
    /// It should not be used as it is.
    Broken(String),
}

/// Without changing anything.
pub(super) fn judge(findings: &Findings) -> Verdict {
    match &findings.tail {
        Tail::Clean => Verdict::Clean,
        Tail::Torn(problem, _) => Verdict::Broken(format!(
            "torn at offset {}, behind txn {}: {problem}; the server mends this when it starts, and so does --repair",
            findings.end, findings.last
        )),
        Tail::Damaged(problem, why) => Verdict::Broken(format!(
            "damaged at offset {}, behind txn {}: {problem}; {why}: restore the file from a backup",
            findings.end, findings.last
        )),
    }
}

/// Cuts a torn tail, durably. A log without any txn is removed, as the server removes it; whole txns behind the tear are kept in
/// a file beside it.
pub(super) fn repair(path: &Path, findings: &Findings) -> Result<Verdict, InspectError> {
    let Tail::Torn(problem, remains) = &findings.tail else { return Ok(judge(findings)) };
    let _lock = lock(path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some((next, zxid)) = next_log(directory, &name)?
        && !findings.last.may_precede(zxid)
    {
        return Ok(Verdict::Broken(format!(
            "torn at offset {}, behind txn {}: {problem}; {next} goes on with {zxid}, so acknowledged txns are lost: nothing was \
             changed, restore the file from a backup",
            findings.end, findings.last
        )));
    }
    if let Some(remains) = remains {
        let kept = File::create(directory.join(torn_name(&name, findings.end)))?;
        (&kept).write_all(&remains.bytes)?;
        kept.sync_all()?;
        File::open(directory)?.sync_all()?;
    }
    if findings.last == Zxid::ZERO {
        fs::remove_file(path)?;
        File::open(directory)?.sync_all()?;
        return Ok(Verdict::Repaired(format!("{}: removed, it held no txn", path.display())));
    }
    let file = File::options().write(true).open(path)?;
    file.set_len(findings.end)?;
    file.sync_all()?;
    Ok(Verdict::Repaired(format!(
        "{}: cut from {} to {} bytes",
        path.display(),
        findings.length,
        findings.end
    )))
}

/// The log behind this one, if there is any: its name, and the txn it begins with.
fn next_log(directory: &Path, name: &str) -> Result<Option<(String, Zxid)>, InspectError> {
    let Some(own) = parse_log_name(name) else { return Ok(None) };
    let mut next = None;
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(zxid) = parse_log_name(&name).filter(|zxid| *zxid > own)
            && next.as_ref().is_none_or(|(_, least)| zxid < *least)
        {
            next = Some((name, zxid));
        }
    }
    Ok(next)
}

/// The lock of the data directory that the file lies in, if it is one; a running server has it.
fn lock(path: &Path) -> Result<Option<File>, InspectError> {
    let directory = fs::canonicalize(path)?;
    let Some(data_dir) = directory.parent().filter(|dir| dir.ends_with("version-2")).and_then(Path::parent)
    else {
        return Ok(None);
    };
    let file = File::options().create(true).truncate(false).write(true).open(data_dir.join(LOCK_FILE))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(error) => {
            Err(InspectError::Damaged(format!("a server has {} open: {error}", data_dir.display())))
        }
    }
}
