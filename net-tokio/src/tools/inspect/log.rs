//! One transaction log: its entries, what ends them, and whether the digests in it are those of the tree.

use super::repair::{self, Verdict};
use super::{InspectError, Inspection, render};
use quorate_core::jute::Txn;
use quorate_core::tree::Unobserved;
use quorate_core::vocabulary::Zxid;
use quorate_storage_file::log_format::{LONGEST_PAYLOAD, LogEntry, LogItem, LogParser};
use quorate_storage_file::{Tail, TailBytes, TailProblem};
use serde_json::json;
use std::io::Read;
use std::path::Path;

const CHUNK: usize = 1 << 20;

/// What a log comes to.
#[derive(Debug)]
pub(super) struct Findings {
    entries: u64,
    first: Zxid,
    pub(super) last: Zxid,
    /// Entries that are intact and can't be understood.
    unknown: u64,
    /// Txns that went back.
    out_of_order: u64,
    digests: Digests,
    /// Where the entries end.
    pub(super) end: u64,
    pub(super) length: u64,
    pub(super) tail: Tail,
}

#[derive(Debug, Default)]
struct Digests {
    compared: u64,
    wrong: u64,
    first_wrong: Option<Zxid>,
}

/// Prints a log; an error when it is damaged, or torn and not repaired.
pub(super) fn inspect(
    inspection: &mut Inspection<'_>,
    path: &Path,
    reader: impl Read,
) -> Result<(), InspectError> {
    let findings = read(inspection, reader)?;
    summarize(inspection, path, &findings)?;
    let verdict = match inspection.arguments.repair {
        true => repair::repair(path, &findings)?,
        false => repair::judge(&findings),
    };
    match verdict {
        Verdict::Clean => {}
        Verdict::Repaired(text) => inspection.line(&text)?,
        Verdict::Broken(text) => return Err(InspectError::Damaged(text)),
    }
    match findings.digests.first_wrong {
        Some(zxid) => {
            Err(InspectError::Damaged(format!("the tree's digest after txn {zxid} is not the logged one")))
        }
        None => Ok(()),
    }
}

fn read(inspection: &mut Inspection<'_>, mut reader: impl Read) -> Result<Findings, InspectError> {
    let mut parser = LogParser::new();
    let mut findings = Findings {
        entries: 0,
        first: Zxid::ZERO,
        last: Zxid::ZERO,
        unknown: 0,
        out_of_order: 0,
        digests: Digests::default(),
        end: 0,
        length: 0,
        tail: Tail::Clean,
    };
    let mut chunk = vec![0; CHUNK];
    let mut tail: Option<(TailProblem, TailBytes)> = None;
    loop {
        let count = reader.read(&mut chunk)?;
        findings.length += count as u64;
        if let Some((_, bytes)) = &mut tail {
            bytes.push(&chunk[..count]);
        } else {
            if count == 0 {
                parser.finish()
            } else {
                parser.push(&chunk[..count])
            }
            if let Some(problem) = read_entries(inspection, &mut parser, &mut findings)? {
                let mut bytes = TailBytes::new(parser.offset());
                bytes.push(parser.rest());
                tail = Some((problem, bytes));
            }
        }
        if count == 0 {
            break;
        }
    }
    findings.end = parser.offset();
    findings.tail = tail.map_or(Tail::Clean, |(problem, bytes)| bytes.judge(problem, findings.last));
    Ok(findings)
}

/// Prints entries until more bytes are needed, or until something else than an entry stands there.
fn read_entries(
    inspection: &mut Inspection<'_>,
    parser: &mut LogParser,
    findings: &mut Findings,
) -> Result<Option<TailProblem>, InspectError> {
    loop {
        match parser.next_item() {
            LogItem::NeedMore | LogItem::EndOfFile => return Ok(None),
            LogItem::Entry(entry) => take(inspection, &entry, findings)?,
            LogItem::Padding => return Ok(Some(TailProblem::BytesBehindZeros)),
            LogItem::Damaged(damage) => return Ok(Some(TailProblem::Entry(damage))),
            LogItem::ShortHeader(_) => return Ok(Some(TailProblem::Header)),
            LogItem::NotALog if parser.rest()[..4] == [0; 4] => return Ok(Some(TailProblem::Header)),
            LogItem::NotALog => return Ok(Some(TailProblem::NotALog)),
        }
    }
}

fn take(
    inspection: &mut Inspection<'_>,
    entry: &LogEntry,
    findings: &mut Findings,
) -> Result<(), InspectError> {
    let zxid = entry.zxid();
    if findings.entries == 0 {
        findings.first = zxid;
    } else if zxid <= findings.last {
        findings.out_of_order += 1;
    }
    findings.entries += 1;
    findings.last = findings.last.max(zxid);
    let txn = match entry.txn(LONGEST_PAYLOAD) {
        Ok(txn) => txn,
        Err(error) => {
            findings.unknown += 1;
            inspection.database = None;
            if inspection.filter.takes_zxid(zxid) && !inspection.arguments.summary {
                let text = format!(
                    "offset {} zxid {zxid}: intact, but it can't be understood: {error}",
                    entry.offset
                );
                let value = json!({"kind": "unknown", "offset": entry.offset, "zxid": zxid.to_string(), "error": error.to_string()});
                inspection.line(&if inspection.arguments.json { value.to_string() } else { text })?;
            }
            return Ok(());
        }
    };
    let problem = compare_digest(inspection, &txn, &mut findings.digests);
    if inspection.arguments.summary || !inspection.filter.takes_txn(&txn) {
        return Ok(());
    }
    let text = match inspection.arguments.json {
        true => render::txn_as_json(&txn, entry.offset).to_string(),
        false => format!("{}{}", if problem { "DIGEST ERROR - " } else { "" }, render::txn_as_text(&txn)),
    };
    inspection.line(&text)
}

/// Applies the txn to the tree, if the tree is known, and says whether the digest is wrong.
fn compare_digest(inspection: &mut Inspection<'_>, txn: &Txn, digests: &mut Digests) -> bool {
    let zxid = txn.header.zxid;
    if inspection.database.is_none() && zxid == Zxid(1) {
        inspection.begin_history();
    }
    let Some(database) = &mut inspection.database else { return false };
    let last = database.last_zxid();
    if zxid <= last {
        return false;
    }
    if !last.may_precede(zxid) {
        inspection.database = None;
        return false;
    }
    let before = database.digest_mismatches();
    // A txn that failed when it was made fails again, and changes nothing.
    let _ = database.apply(txn, &mut Unobserved);
    let wrong = database.digest_mismatches() > before;
    digests.compared += u64::from(txn.digest.is_some());
    if wrong {
        digests.wrong += 1;
        digests.first_wrong.get_or_insert(zxid);
    } else if database.digest_mismatches() == 0 {
        // What was wrong before was a fuzzy snapshot's, and replay has caught up with it.
        (digests.wrong, digests.first_wrong) = (0, None);
    }
    wrong
}

fn summarize(inspection: &mut Inspection<'_>, path: &Path, findings: &Findings) -> Result<(), InspectError> {
    let ends = match &findings.tail {
        Tail::Clean if findings.end < findings.length => "padding".to_owned(),
        Tail::Clean => "end of file".to_owned(),
        Tail::Torn(problem, None) => format!("torn tail: {problem}"),
        Tail::Torn(problem, Some(remains)) => {
            format!("torn tail with {} whole txns behind the tear: {problem}", remains.txns)
        }
        Tail::Damaged(problem, why) => format!("damage: {problem}; {why}"),
    };
    let Findings { entries, first, last, unknown, out_of_order, digests, end, length, .. } = findings;
    if inspection.arguments.json {
        let value = json!({
            "kind": "log", "file": path.display().to_string(), "txns": entries,
            "first_zxid": first.to_string(), "last_zxid": last.to_string(), "unknown": unknown,
            "out_of_order": out_of_order, "digests_compared": digests.compared, "digests_wrong": digests.wrong,
            "end": end, "length": length, "then": ends,
        });
        return inspection.line(&value.to_string());
    }
    let range = if *entries == 0 { String::new() } else { format!(" {first} to {last}") };
    let mut line = format!(
        "{}: {entries} txns{range}, checksums right, {end} of {length} bytes, then {ends}",
        path.display()
    );
    if *unknown > 0 {
        line += &format!("; {unknown} can't be understood");
    }
    if *out_of_order > 0 {
        line += &format!("; {out_of_order} go back");
    }
    line += &match (digests.compared, digests.wrong) {
        (0, _) => "; digests not compared (name the snapshot before the logs that follow it)".to_owned(),
        (compared, 0) => format!("; {compared} digests right"),
        (compared, wrong) => format!("; {wrong} of {compared} digests WRONG"),
    };
    inspection.line(&line)
}
