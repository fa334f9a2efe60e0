//! D7: what lies on disk after a clean stop, or after recovery, opens by Java's rules (`disk-format.md` §2.4, §5.2).
//!
//! A reader of its own, which knows nothing but lengths, magic numbers and checksums.

use super::{Verdict, require, violated};
use crate::disk::SimDisk;
use quorate_storage_file::{Directory, Disk, FileName};

const NAME: &str = "java_opens_it";
const LONGEST_ENTRY: usize = 2_097_150;

/// Adler-32, by its definition.
pub(crate) fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for chunk in bytes.chunks(5552) {
        for byte in chunk {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    (b << 16) | a
}

/// Looks at every file of `disk`.
pub(crate) fn check(disk: &SimDisk) -> Verdict {
    let mut lister = disk.clone();
    for entry in lister.list(Directory::Log).unwrap_or_default() {
        let name = FileName::log(entry.name);
        if disk.is_rotten(&name) {
            continue;
        }
        let content = disk.content(&name).expect("a listed file is there");
        log(&name.name, &content)?;
    }
    Ok(())
}

fn number(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn log(name: &str, content: &[u8]) -> Verdict {
    // What recovery keeps of a torn write: Java looks at nothing that is not named like a log.
    if name.starts_with("torn.") {
        return Ok(());
    }
    if !name.starts_with("log.") {
        return violated(NAME, format!("{name:?} lies among the logs"));
    }
    require(NAME, content.len() >= 16 && content.starts_with(b"ZKLG"), || {
        format!("{name} has no whole header")
    })?;
    let mut at = 16;
    while let (Some(crc), Some(length)) = (number(content, at), content.get(at + 8..at + 12)) {
        let length = i32::from_be_bytes(length.try_into().expect("four bytes"));
        if length == 0 {
            return Ok(());
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_ENTRY);
        let Some(length) = length else {
            return violated(NAME, format!("{name} has an unreasonable length at {at}"));
        };
        let Some(payload) = content.get(at + 12..at + 12 + length) else { return Ok(()) };
        // An entry whose last byte is missing ends the file for Java.
        if content.get(at + 12 + length) != Some(&b'B') {
            return Ok(());
        }
        require(NAME, crc == i64::from(adler32(payload)), || format!("{name} fails its checksum at {at}"))?;
        at += 13 + length;
    }
    Ok(())
}
