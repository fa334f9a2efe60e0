//! L2: whoever is elected was elected in the round in which it looked for a leader. What settled servers say of an older round
//! ends nobody's election in its own favour: they follow what it was before, and a leader of later may be there already.

use super::{Verdict, require};
use quorate_core::election::Round;

/// `server` is elected by a vote of `round`, and has looked in the round `looked`.
pub(crate) fn elected(server: usize, looked: Option<Round>, round: Option<Round>) -> Verdict {
    require("elected_in_its_own_round", looked == round, || {
        format!("server {server} is elected by votes of {round:?} and has looked in {looked:?}")
    })
}
