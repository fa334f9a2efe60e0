//! reconfig (`client-protocol.md` §18): refused on a standalone server, and first of all where it is switched off.
//!
//! Absent: reconfiguration itself.

use super::{Context, Prep1};
use crate::vocabulary::ErrorCode;

pub(super) fn refuse(context: &Context<'_>) -> Prep1 {
    if context.ground.config.switches.reconfig {
        Err(ErrorCode::Unimplemented)
    } else {
        Err(ErrorCode::ReconfigDisabled)
    }
}
