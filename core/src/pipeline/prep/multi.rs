//! multi (`client-protocol.md` §13.1): every op sees those before it; the first that fails undoes the multi, and nothing else.
//!
//! The txn of a failed one keeps the records before the failing op, then that op's error, then -2 for each behind it.

use super::{Context, Prep, Prep1};
use crate::jute::{MultiOp, OpCode, TxnRecord};
use crate::vocabulary::ErrorCode;

impl Prep {
    pub(super) fn multi(&mut self, context: &Context<'_>, ops: &[MultiOp]) -> Prep1 {
        if ops.iter().any(has_null_path) {
            return Err(ErrorCode::MarshallingError);
        }
        let mut records = Vec::with_capacity(ops.len());
        let mut failed = false;
        for op in ops {
            let err = if failed {
                ErrorCode::RuntimeInconsistency
            } else {
                match self.multi_op(context, op) {
                    Ok(record) => {
                        records.push(record);
                        continue;
                    }
                    // What is -5 here is an exception there, which ends the multi and not the op.
                    Err(ErrorCode::MarshallingError) => return Err(ErrorCode::MarshallingError),
                    Err(error) => {
                        failed = true;
                        error
                    }
                }
            };
            records.push((OpCode::Error, TxnRecord::Error { err: err.code() }));
        }
        if failed {
            self.changes.rollback();
        }
        Ok((OpCode::Multi, TxnRecord::Multi(records)))
    }

    fn multi_op(&mut self, context: &Context<'_>, op: &MultiOp) -> Prep1 {
        match op {
            MultiOp::Create(create) => self.create(context, create),
            MultiOp::Delete { path, version } => self.delete(context, path.as_deref(), *version),
            MultiOp::SetData { path, data, version } => {
                self.set_data(context, path.as_deref(), data.as_ref(), *version)
            }
            MultiOp::Check { path, version } => self.check_version(context, path.as_deref(), *version),
        }
    }
}

/// A null path anywhere fails all of a multi with -5 in the header.
fn has_null_path(op: &MultiOp) -> bool {
    match op {
        MultiOp::Create(create) => create.path.is_none(),
        MultiOp::Delete { path, .. } | MultiOp::SetData { path, .. } | MultiOp::Check { path, .. } => {
            path.is_none()
        }
    }
}
