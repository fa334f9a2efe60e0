//! C17: each setData raises the version by one, so that no update is lost. Counted from the txns alone.

use super::{Verdict, require};
use quorate_core::jute::{OpCode, TxnRecord};
use std::collections::BTreeMap;

const NAME: &str = "versions";

/// The version of each path that was written, as the txns have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    data: BTreeMap<String, i32>,
}

impl Versions {
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
                require(NAME, before.checked_add(1) == Some(*version), || {
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
