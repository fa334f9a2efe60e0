//! Which txns and znodes are printed.

use super::InspectArgs;
use quorate_core::jute::{Txn, TxnRecord};
use quorate_core::vocabulary::Zxid;

/// Both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ZxidRange {
    from: i64,
    to: i64,
}

/// All conditions must hold.
#[derive(Debug)]
pub(super) struct Filter {
    path: Option<String>,
    session: Option<i64>,
    zxid: Option<ZxidRange>,
}

/// Reads `0x…` or a decimal number.
fn parse_number(text: &str) -> Result<i64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok().map(|bits| bits as i64),
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| format!("{text} is neither 0x<hexadecimal> nor a decimal number"))
}

/// A session id.
pub(super) fn parse_session(text: &str) -> Result<i64, String> {
    parse_number(text)
}

/// `A..B`, `A..`, `..B`, or `A` alone.
pub(super) fn parse_range(text: &str) -> Result<ZxidRange, String> {
    let Some((from, to)) = text.split_once("..") else {
        let only = parse_number(text)?;
        return Ok(ZxidRange { from: only, to: only });
    };
    let end = |text: &str, open| if text.is_empty() { Ok(open) } else { parse_number(text) };
    Ok(ZxidRange { from: end(from, i64::MIN)?, to: end(to, i64::MAX)? })
}

impl Filter {
    /// What the command line asks for.
    pub(super) fn new(arguments: &InspectArgs) -> Self {
        let path = arguments.path.as_deref().map(|path| path.trim_end_matches('/').to_owned());
        Filter { path, session: arguments.session, zxid: arguments.zxid }
    }

    /// Whether a txn is printed.
    pub(super) fn takes_txn(&self, txn: &Txn) -> bool {
        self.takes_zxid(txn.header.zxid)
            && self.session.is_none_or(|session| session == txn.header.session.0)
            && (self.path.is_none() || self.touches(&txn.record))
    }

    /// Whether an entry that can't be understood is printed.
    pub(super) fn takes_zxid(&self, zxid: Zxid) -> bool {
        self.zxid.is_none_or(|range| (range.from..=range.to).contains(&zxid.0))
    }

    /// Whether a znode is printed.
    pub(super) fn takes_znode(&self, path: &str, owner: i64, mzxid: Zxid) -> bool {
        self.takes_zxid(mzxid) && self.session.is_none_or(|session| session == owner) && self.takes_path(path)
    }

    /// Whether a session of a snapshot is printed.
    pub(super) fn takes_session(&self, session: i64) -> bool {
        self.path.is_none() && self.zxid.is_none() && self.session.is_none_or(|wanted| wanted == session)
    }

    fn touches(&self, record: &TxnRecord) -> bool {
        match record {
            TxnRecord::Create(create) => self.takes_path(&create.path),
            TxnRecord::Delete { path }
            | TxnRecord::SetData { path, .. }
            | TxnRecord::SetAcl { path, .. }
            | TxnRecord::Check { path, .. } => self.takes_path(path),
            TxnRecord::CloseSession { paths } => paths.iter().flatten().any(|path| self.takes_path(path)),
            TxnRecord::Multi(records) => records.iter().any(|(_, record)| self.touches(record)),
            TxnRecord::CreateSession { .. } | TxnRecord::Error { .. } => false,
        }
    }

    /// The wanted path itself, or what is below it.
    fn takes_path(&self, path: &str) -> bool {
        self.path.as_deref().is_none_or(|wanted| {
            path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let range = |text| parse_range(text).map(|range| (range.from, range.to));
        assert_eq!(range("0x10..0x1f"), Ok((16, 31)));
        assert_eq!(range("5"), Ok((5, 5)));
        assert_eq!(range("5.."), Ok((5, i64::MAX)));
        assert_eq!(range("..0xffffffffffffffff"), Ok((i64::MIN, -1)));
        assert!(range("x..5").is_err() && range("").is_err());
    }

    #[test]
    fn a_path_takes_itself_and_what_is_below() {
        let filter = |path: &str| Filter { path: Some(path.to_owned()), session: None, zxid: None };
        assert!(filter("/a").takes_path("/a") && filter("/a").takes_path("/a/b"));
        assert!(!filter("/a").takes_path("/ab") && !filter("/a/b").takes_path("/a"));
        assert!(filter("").takes_path("/") && filter("").takes_path("/a"));
    }
}
