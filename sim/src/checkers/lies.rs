//! A disk that lies: a sync that reports success and did nothing. What was acknowledged may be lost at a power loss then, but only
//! what such a sync covered; what comes back is still a prefix of history, or nothing with a clear word.

use super::{Verdict, durability, recovered_state};
use crate::model::Model;
use quorate_core::jute::Txn;
use quorate_core::tree::{Database, Unobserved};
use quorate_core::vocabulary::Zxid;

/// What was told of syncs that did nothing, and is still not on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lies {
    /// Of a log or its directory.
    pub(crate) of_logs: bool,
    /// Of a snapshot or its directory: on its strength older files may have been removed.
    pub(crate) of_snapshots: bool,
}

impl Lies {
    pub(crate) fn any(self) -> bool {
        self.of_logs || self.of_snapshots
    }

    /// These and others.
    pub(crate) fn and(self, others: Lies) -> Lies {
        Lies {
            of_logs: self.of_logs || others.of_logs,
            of_snapshots: self.of_snapshots || others.of_snapshots,
        }
    }

    /// Up to where history must come back; `confirmed` says how far it was confirmed, `honest` how far when the first of these
    /// lies was told.
    pub(crate) fn floor(self, honest: Zxid, confirmed: Zxid) -> Zxid {
        match self {
            Lies { of_snapshots: true, .. } => Zxid::ZERO,
            Lies { of_logs: true, .. } => honest,
            _ => confirmed,
        }
    }
}

/// `database` came back behind lies: it is what `history`, up to its zxid and not beyond, makes of `fresh`. The model stands
/// there from now on.
pub(crate) fn is_prefix(database: &Database, history: &[Txn], fresh: Database, model: &mut Model) -> Verdict {
    let last = database.last_zxid();
    let logged = history.last().map_or(Zxid::ZERO, |txn| txn.header.zxid);
    durability::recovered(last, Zxid::ZERO, logged)?;
    let mut expected = fresh;
    for txn in history.iter().take_while(|txn| txn.header.zxid <= last) {
        // A txn that failed when it was made fails again.
        let _ = expected.apply(txn, &mut Unobserved);
    }
    model.adopt(&expected);
    model.adopt_usage(database);
    recovered_state::equals("recovered_state", database, model)
}
