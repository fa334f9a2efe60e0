//! C16: a multi's txn is all operations or none: records without an error among them, or errors from the first to the end. Which of
//! the two, `txns_match_model` says.

use super::{Verdict, require};
use quorate_core::jute::{OpCode, TxnRecord};

const NAME: &str = "multi_atomic";

/// A multi of so many operations is committed as `record`.
pub(crate) fn committed(ops: usize, record: &TxnRecord) -> Verdict {
    let TxnRecord::Multi(parts) = record else {
        let is_error = matches!(record, TxnRecord::Error { .. });
        return require(NAME, is_error, || format!("a multi became {record:?}"));
    };
    let is_error = |(opcode, _): &(OpCode, TxnRecord)| *opcode == OpCode::Error;
    let first = parts.iter().position(is_error).unwrap_or(parts.len());
    require(NAME, parts.len() == ops && parts[first..].iter().all(is_error), || {
        format!("a multi of {ops} operations became {parts:?}")
    })
}
