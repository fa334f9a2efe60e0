//! C17: each setData raises the version by one, so that no update is lost. Counted from the txns alone. Behind the last int comes the
//! first, and -1, which would mean any version, is left out.

use super::{Verdict, require};
use quorate_core::jute::{OpCode, TxnRecord};
use std::collections::BTreeMap;

const NAME: &str = "versions";

/// The version of each path that was written, as the txns have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    data: BTreeMap<String, i32>,
}

fn next(version: i32) -> i32 {
    if version == -2 { 0 } else { version.wrapping_add(1) }
}

impl Versions {
    /// A txn of before the run: what came before it, nobody knows.
    pub(crate) fn counted(&mut self, record: &TxnRecord) {
        if let TxnRecord::SetData { path, version, .. } = record {
            self.data.insert(path.clone(), *version);
        }
    }

    /// A txn is committed that did what it says.
    pub(crate) fn committed(&mut self, opcode: OpCode, record: &TxnRecord) -> Verdict {
        match record {
            TxnRecord::Create(create) => {
                self.data.insert(create.path.clone(), 0);
            }
            TxnRecord::Delete { path } => {
                self.data.remove(path);
            }
            TxnRecord::CloseSession { paths: Some(paths) } => {
                for path in paths {
                    self.data.remove(path);
                }
            }
            TxnRecord::SetData { path, version, .. } if opcode == OpCode::SetData => {
                let before = self.data.insert(path.clone(), *version).unwrap_or(0);
                require(NAME, next(before) == *version, || {
                    format!("{path:?} goes from version {before} to {version}")
                })?;
            }
            TxnRecord::Multi(parts) if parts.iter().all(|(opcode, _)| *opcode != OpCode::Error) => {
                for (opcode, part) in parts {
                    self.committed(*opcode, part)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
