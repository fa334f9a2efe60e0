//! What may follow a snapshot's first seal (`disk-format.md` §5): nothing; a digest and its seal; the last zxid and its seal; or
//! both. Nothing says which, so each is tried, and the seals decide.

use super::digest::DIGEST_VERSION;
use super::snapshot_decoder::SnapshotError;
use super::snapshot_scan::{Scan, Stop};
use crate::jute::{FieldLimit, TxnDigest};
use crate::vocabulary::Zxid;
use simd_adler32::Adler32;

/// Longer than any tail; more bytes than that are somebody else's.
pub(super) const TAIL_LIMIT: usize = 512;

/// The optional sections that were there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The digest, and the zxid it holds at.
    pub(super) digest: Option<(Zxid, TxnDigest)>,
    /// The last zxid applied when the snapshot was finished; the file's name overrides it.
    pub(super) last_zxid: Option<Zxid>,
}

/// Reads a seal that must be `checksum`.
pub(super) fn take_seal(scan: &mut Scan<'_>, checksum: u32) -> Result<(), Stop> {
    let (sum, end) = (scan.long()?, scan.string()?);
    if sum == i64::from(checksum) && end.as_deref() == Some("/") {
        Ok(())
    } else {
        Err(Stop::Bad(SnapshotError::Seal))
    }
}

/// Reads the tail; `checksum` is that of all bytes before it. What stands behind a right seal and is no known section is ignored, as
/// Java does.
pub(super) fn read_tail(checksum: &Adler32, tail: &[u8]) -> Result<Tail, SnapshotError> {
    if tail.is_empty() {
        return Ok(Tail::default());
    }
    if let Some((digest, end)) = sealed(checksum, tail, scan_digest) {
        let mut checksum = checksum.clone();
        checksum.write(&tail[..end]);
        let last_zxid = sealed(&checksum, &tail[end..], scan_zxid).map(|(zxid, _)| zxid);
        return Ok(Tail { digest: Some(digest), last_zxid });
    }
    match sealed(checksum, tail, scan_zxid) {
        Some((zxid, _)) => Ok(Tail { digest: None, last_zxid: Some(zxid) }),
        None => Err(SnapshotError::Seal),
    }
}

/// A section and its end, if a right seal follows it.
fn sealed<T>(
    checksum: &Adler32,
    bytes: &[u8],
    section: impl FnOnce(&mut Scan<'_>) -> Result<T, Stop>,
) -> Option<(T, usize)> {
    let mut scan = Scan::new(bytes, FieldLimit(TAIL_LIMIT as u32), 0);
    let value = section(&mut scan).ok()?;
    let mut checksum = checksum.clone();
    checksum.write(&bytes[..scan.position()]);
    take_seal(&mut scan, checksum.finish()).ok()?;
    Some((value, scan.position()))
}

fn scan_digest(scan: &mut Scan<'_>) -> Result<(Zxid, TxnDigest), Stop> {
    let (zxid, version) = (Zxid(scan.long()?), scan.int()?);
    let tree_digest = if version >= DIGEST_VERSION {
        scan.long()? as u64
    } else {
        // Hexadecimal text, of a version that can't be compared anyway.
        scan.string()?;
        0
    };
    Ok((zxid, TxnDigest { version, tree_digest }))
}

fn scan_zxid(scan: &mut Scan<'_>) -> Result<Zxid, Stop> {
    Ok(Zxid(scan.long()?))
}
