//! What an opcode is called by operators, and which counter it has (`operations.md` §4.4, §6.2; `client-protocol.md` §6).

use crate::jute::OpCode;
use crate::metrics::Counter;

/// `cons`'s abbreviation of an operation.
pub(crate) fn abbreviation(opcode: i32) -> &'static str {
    let Some(opcode) = OpCode::from_code(opcode) else { return "NA" };
    match opcode {
        OpCode::Ping => "PING",
        OpCode::CreateSession => "SESS",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::SetData => "SETD",
        OpCode::Reconfig => "RECO",
        OpCode::SetAcl => "SETA",
        OpCode::CloseSession => "CLOS",
        OpCode::Sync => "SYNC",
        OpCode::Check => "CHEC",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::GetAcl => "GETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::WhoAmI => "HOMI",
        OpCode::GetEphemerals => "GETE",
        OpCode::Error | OpCode::Notification | OpCode::Auth | OpCode::Sasl => "NA",
    }
}

/// Whether an operation makes a txn.
pub(crate) fn is_write(opcode: i32) -> bool {
    use OpCode::*;
    matches!(
        OpCode::from_code(opcode),
        Some(
            Create
                | Create2
                | CreateContainer
                | CreateTtl
                | Delete
                | DeleteContainer
                | SetData
                | SetAcl
                | Multi
                | Reconfig
                | CreateSession
                | CloseSession
        )
    )
}

/// The counter of an operation, if it has one.
pub(crate) fn counter(opcode: i32) -> Option<Counter> {
    Some(match OpCode::from_code(opcode)? {
        OpCode::AddWatch => Counter::OpCountAddWatch,
        OpCode::Check => Counter::OpCountCheck,
        OpCode::CheckWatches => Counter::OpCountCheckWatches,
        OpCode::CloseSession => Counter::OpCountCloseSession,
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
            Counter::OpCountCreate
        }
        OpCode::CreateSession => Counter::OpCountCreateSession,
        OpCode::Delete | OpCode::DeleteContainer => Counter::OpCountDelete,
        OpCode::Exists => Counter::OpCountExists,
        OpCode::GetAcl => Counter::OpCountGetAcl,
        OpCode::GetAllChildrenNumber => Counter::OpCountGetAllChildrenNumber,
        OpCode::GetChildren | OpCode::GetChildren2 => Counter::OpCountGetChildren,
        OpCode::GetData => Counter::OpCountGetData,
        OpCode::GetEphemerals => Counter::OpCountGetEphemerals,
        OpCode::Multi => Counter::OpCountMulti,
        OpCode::MultiRead => Counter::OpCountMultiRead,
        OpCode::Ping => Counter::OpCountPing,
        OpCode::Reconfig => Counter::OpCountReconfig,
        OpCode::RemoveWatches => Counter::OpCountRemoveWatches,
        OpCode::SetAcl => Counter::OpCountSetAcl,
        OpCode::SetData => Counter::OpCountSetData,
        OpCode::SetWatches | OpCode::SetWatches2 => Counter::OpCountSetWatches,
        OpCode::Sync => Counter::OpCountSync,
        OpCode::WhoAmI => Counter::OpCountWhoAmI,
        OpCode::Error | OpCode::Notification | OpCode::Auth | OpCode::Sasl => return None,
    })
}
