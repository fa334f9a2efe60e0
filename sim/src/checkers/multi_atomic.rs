//! C16: a multi's txn is all operations or none: records without an error among them, or errors only behind the first.

use super::{Verdict, require};
use quorate_core::jute::{OpCode, TxnRecord};

const NAME: &str = "multi_atomic";

/// A multi is committed that must fail, or must not.
pub(crate) fn committed(must_fail: bool, ops: usize, record: &TxnRecord) -> Verdict {
    let TxnRecord::Multi(parts) = record else {
        let is_error = matches!(record, TxnRecord::Error { .. });
        return require(NAME, is_error && must_fail, || format!("a multi became {record:?}"));
    };
    let failed = parts.iter().filter(|(opcode, _)| *opcode == OpCode::Error).count();
    require(NAME, (failed > 0) == must_fail && parts.len() == ops, || {
        format!("a multi that {} became {parts:?}", if must_fail { "must fail" } else { "must not fail" })
    })
}
