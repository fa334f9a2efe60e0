//! File names (`disk-format.md` §1, §5.1): `log.<zxid>`, `snapshot.<zxid>[.gz|.snappy]`, `.tmp` siblings, epoch files.
//!
//! Java takes `log.5.bak` for log 5; here a name means something only when it is exactly as written by a server, so that
//! copies an operator left lying about are neither replayed nor purged.

use quorate_core::vocabulary::Zxid;

/// What is added to the name of a file that is not finished.
pub const TEMPORARY_SUFFIX: &str = ".tmp";
/// The marker that allows an empty directory to become a new database.
pub const INITIALIZE: &str = "initialize";

/// How a snapshot file is compressed; told by its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Compression {
    /// Plain.
    #[default]
    None,
    /// `.gz`.
    Gzip,
    /// `.snappy`, in snappy-java's stream format.
    Snappy,
}

impl Compression {
    /// What the name ends with.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Snappy => ".snappy",
        }
    }
}

/// The name of the log whose first txn is `zxid`.
pub fn log_name(zxid: Zxid) -> String {
    format!("log.{:x}", zxid.0)
}

/// The name of the file that keeps what stood in a log from `offset` on; to nobody a log.
pub fn torn_name(log: &str, offset: u64) -> String {
    format!("torn.{log}.{offset}")
}

/// The name of the snapshot that contains everything up to `zxid`.
pub fn snapshot_name(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{:x}{}", zxid.0, compression.suffix())
}

/// The name of a snapshot that takes the place of the whole history, until everything else is removed; to Java no snapshot.
pub fn replacement_name(zxid: Zxid, compression: Compression) -> String {
    format!("replacement.{:x}{}", zxid.0, compression.suffix())
}

/// The name under which such a snapshot goes on as any other.
pub fn snapshot_of_replacement(name: &str) -> Option<String> {
    let snapshot = format!("snapshot.{}", name.strip_prefix("replacement.")?);
    parse_snapshot_name(&snapshot).is_some().then_some(snapshot)
}

/// The zxid in a log's name.
pub fn parse_log_name(name: &str) -> Option<Zxid> {
    parse_zxid(name.strip_prefix("log.")?)
}

/// How a snapshot of this name is compressed.
pub fn compression_of(name: &str) -> Compression {
    let methods = [Compression::Gzip, Compression::Snappy];
    methods.into_iter().find(|method| name.ends_with(method.suffix())).unwrap_or_default()
}

/// The zxid and the compression in a snapshot's name.
pub fn parse_snapshot_name(name: &str) -> Option<(Zxid, Compression)> {
    let compression = compression_of(name);
    let digits = name.strip_prefix("snapshot.")?.strip_suffix(compression.suffix())?;
    Some((parse_zxid(digits)?, compression))
}

/// Whether a snapshot or an epoch file was being written under this name when the process ended.
pub fn is_temporary(name: &str) -> bool {
    name.strip_suffix(TEMPORARY_SUFFIX).is_some_and(|stem| {
        parse_snapshot_name(stem).is_some()
            || snapshot_of_replacement(stem).is_some()
            || stem == "currentEpoch"
            || stem == "acceptedEpoch"
    })
}

fn parse_zxid(digits: &str) -> Option<Zxid> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if plain { i64::from_str_radix(digits, 16).ok().map(Zxid) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_and_read_as_java_writes_them() {
        assert_eq!(log_name(Zxid(0x5_0000_0006)), "log.500000006");
        assert_eq!(snapshot_name(Zxid(0), Compression::Gzip), "snapshot.0.gz");
        assert_eq!(parse_log_name("log.500000006"), Some(Zxid(0x5_0000_0006)));
        assert_eq!(parse_snapshot_name("snapshot.1f"), Some((Zxid(0x1f), Compression::None)));
        assert_eq!(parse_snapshot_name("snapshot.1f.snappy"), Some((Zxid(0x1f), Compression::Snappy)));
        for stray in
            ["log.5.bak", "log.", "log", "log.-1", "log.+1", "log.g", "log.8000000000000000", "log.5.gz"]
        {
            assert_eq!(parse_log_name(stray), None, "{stray}");
        }
        assert_eq!(parse_snapshot_name("snapshot.5.tmp"), None);
        assert!(is_temporary("snapshot.5.gz.tmp") && is_temporary("currentEpoch.tmp"));
        assert!(!is_temporary("notes.tmp"));
        let replacement = replacement_name(Zxid(0x1f), Compression::Gzip);
        assert_eq!(snapshot_of_replacement(&replacement).as_deref(), Some("snapshot.1f.gz"));
        assert_eq!((parse_snapshot_name(&replacement), snapshot_of_replacement("snapshot.1f")), (None, None));
        assert!(
            is_temporary("replacement.1f.gz.tmp") && snapshot_of_replacement("replacement.1f.tmp").is_none()
        );
    }
}
