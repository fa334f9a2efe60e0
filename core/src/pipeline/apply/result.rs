//! The body of a successful write's reply (`client-protocol.md` §6, §13.2), written from what the tree says it did.

use crate::jute::{Encode, MultiResult, OpCode, Txn, TxnRecord, Writer};
use crate::tree::Applied;

/// Appends the body. The header says success, also for a multi that failed.
pub(super) fn write(txn: &Txn, applied: &Applied, out: &mut Writer<'_>) {
    match applied {
        Applied::Created { path, stat } => {
            out.string(path);
            if txn.header.opcode != OpCode::Create {
                stat.encode(out);
            }
        }
        Applied::DataSet { stat } | Applied::AclSet { stat } => stat.encode(out),
        Applied::Multi(results) => {
            let TxnRecord::Multi(ops) = &txn.record else { unreachable!("a multi's result is a list") };
            assert!(ops.len() == results.len(), "each op of a multi has a result");
            for ((opcode, _), result) in ops.iter().zip(results) {
                multi_result(*opcode, result).encode(out);
            }
            MultiResult::encode_list(&[], out);
        }
        Applied::Deleted
        | Applied::Checked
        | Applied::SessionCreated
        | Applied::SessionClosed
        | Applied::Error(_) => {}
    }
}

fn multi_result(opcode: OpCode, applied: &Applied) -> MultiResult {
    match applied {
        Applied::Created { path, .. } if opcode == OpCode::Create => {
            MultiResult::Create { path: path.clone() }
        }
        Applied::Created { path, stat } => MultiResult::Create2 { path: path.clone(), stat: *stat },
        Applied::Deleted => MultiResult::Delete,
        Applied::DataSet { stat } => MultiResult::SetData { stat: *stat },
        Applied::Checked => MultiResult::Check,
        Applied::Error(code) => MultiResult::Error { code: *code },
        Applied::AclSet { .. } | Applied::SessionCreated | Applied::SessionClosed | Applied::Multi(_) => {
            unreachable!("no multi holds a {opcode:?}")
        }
    }
}
