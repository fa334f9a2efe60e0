//! What machines tell of holds, and what a judge makes of it.
//!
//! A machine tells when it has *acquired* (later than it did), when it is *proven* to hold, by a transaction that succeeded, and,
//! if it is to be believed, when it *claims* to hold. A proof's zxid is a moment at which it held, whatever machines stood still;
//! that it was asked for is a moment of the world's before which nobody behind it had acquired. A claim is no proof: a client is
//! only never wrong about it where its own clock is right and no server fails.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use quorate_core::client::{Cause, OpResult, Transaction};
use quorate_core::recipe::Guard;
use quorate_core::vocabulary::{ErrorCode, Version};

/// Whether others may hold the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Alone,
    Shared,
}

const ACQUIRED: [&str; 2] = ["acquired", "acquired, shared"];
const PROVEN: [&str; 2] = ["proven", "proven, shared"];
const CLAIMS: [&str; 2] = ["claims", "claims, shared"];
const DELETES: &str = "deletes";

/// What came of an attempt to prove that something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Held,
    FencedOff,
    /// There was no answer.
    None,
}

/// Something that machines hold, by its number among those of its workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) scene: &'a Scene,
    pub(super) checker: &'static str,
    pub(super) number: u64,
    pub(super) side: Side,
}

impl Subject<'_> {
    /// It has been acquired. The node is this session's, as long as the guard says that it is held.
    pub(super) async fn acquired(&self, guard: &Guard<SimRuntime>) {
        let Scene { client, runtime, .. } = self.scene;
        runtime.tell_of(self.number, ACQUIRED[self.side as usize], [token(guard), 0, 0]);
        let node = client.exists(guard.path()).await;
        let (session, is_held) = (client.session().latest().id.0, guard.is_held());
        if let Ok(Some(stat)) = node
            && is_held
            && stat.ephemeral_owner != session
        {
            let owner = stat.ephemeral_owner;
            self.scene.violate(self.checker, format!("{session:#x} holds by a node of {owner:#x}"));
        }
    }

    /// It is believed to be held.
    pub(super) fn claim(&self, guard: &Guard<SimRuntime>) {
        if self.scene.is_believed && !self.scene.is_over() && guard.is_held() {
            let numbers = [token(guard), sequence(guard.path()), 0];
            self.scene.runtime.tell_of(self.number, CLAIMS[self.side as usize], numbers);
        }
    }

    /// Goes on claiming what is believed, if that says anything, until it is dropped.
    pub(super) async fn claim_on(&self, guard: &Guard<SimRuntime>, most_ms: u64) {
        while self.scene.is_believed && !self.scene.is_over() {
            self.claim(guard);
            self.scene.pause(most_ms).await;
        }
        std::future::pending().await
    }

    /// Writes `data` if the one guard holds.
    pub(super) async fn prove(&self, guard: &Guard<SimRuntime>, data: &str) -> Proof {
        self.claim(guard);
        prove(&[*self], guard.transaction(), &[token(guard)], data).await
    }

    /// Its node is about to be deleted by somebody else: what its holder claims does not count any more.
    pub(super) fn deletes(&self, path: &str) {
        self.scene.runtime.tell_of(self.number, DELETES, [sequence(path), 0, 0]);
    }
}

/// Writes `data` behind the checks of a transaction, one for each of the subjects and tokens.
pub(super) async fn prove(
    subjects: &[Subject<'_>],
    checks: Transaction<SimRuntime>,
    tokens: &[u64],
    data: &str,
) -> Proof {
    let Some(Subject { scene, checker, .. }) = subjects.first() else { return Proof::None };
    let asked = scene.runtime.world_time();
    match checks.set(data, "", Version::ANY).commit().await {
        Ok(results) => match results.last() {
            Some(OpResult::Set(stat)) if results.len() == tokens.len() + 1 => {
                for (subject, token) in subjects.iter().zip(tokens) {
                    let numbers = [*token, stat.mzxid.0 as u64, asked];
                    scene.runtime.tell_of(subject.number, PROVEN[subject.side as usize], numbers);
                }
                Proof::Held
            }
            _ => {
                scene.violate(checker, format!("{results:?} of a transaction"));
                Proof::None
            }
        },
        Err(error) => match error.cause() {
            Cause::Operation { place, code: ErrorCode::NoNode } if *place < tokens.len() => Proof::FencedOff,
            _ if scene.is_passing(&error) => Proof::None,
            _ => {
                scene.violate(checker, error);
                Proof::None
            }
        },
    }
}

pub(super) fn token(guard: &Guard<SimRuntime>) -> u64 {
    guard.token().0.0 as u64
}

/// The end of a node's name as a number.
fn sequence(path: &str) -> u64 {
    path.get(path.len().saturating_sub(10)..).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// A moment of a hold.
#[derive(Clone, Copy, Debug)]
struct Moment {
    told: Told,
    token: u64,
    side: Side,
}

fn moments(told: &[Told], subject: u64, names: [&str; 2]) -> Vec<Moment> {
    let of = |told: &Told| {
        let side = match told.what {
            what if what == names[0] => Side::Alone,
            what if what == names[1] => Side::Shared,
            _ => return None,
        };
        (told.subject == subject).then_some(Moment { told: *told, token: told.numbers[0], side })
    };
    told.iter().filter_map(of).collect()
}

/// Nobody is proven to hold what somebody behind it has acquired, but both by sharing it. Nobody who is to be believed claims it.
pub(super) fn judge(checker: &'static str, told: &[Told], subjects: u64) -> Verdict {
    (0..subjects).try_for_each(|subject| {
        let mut proofs = moments(told, subject, PROVEN);
        proofs.sort_by_key(|proof| proof.told.numbers[1]);
        in_order(checker, &proofs)?;
        let acquired = moments(told, subject, ACQUIRED);
        for later in &acquired {
            let proof = proofs.iter().find(|proof| {
                excludes(later, proof) && proof.token < later.token && proof.told.numbers[2] > later.told.at
            });
            require(checker, proof.is_none(), || format!("{later:x?}, and later {proof:x?}"))?;
        }
        let deleted: Vec<u64> = told
            .iter()
            .filter(|told| told.subject == subject && told.what == DELETES)
            .map(|told| told.numbers[0])
            .collect();
        for claim in moments(told, subject, CLAIMS) {
            let first = acquired.iter().find(|other| {
                excludes(other, &claim) && other.token > claim.token && other.told.at < claim.told.at
            });
            require("app_belief", first.is_none() || deleted.contains(&claim.told.numbers[1]), || {
                format!("{claim:x?}, but before that {first:x?}")
            })?;
        }
        Ok(())
    })
}

fn excludes(one: &Moment, other: &Moment) -> bool {
    one.side == Side::Alone || other.side == Side::Alone
}

/// Tokens rise with zxids, wherever one of two holds alone.
fn in_order(checker: &'static str, proofs: &[Moment]) -> Verdict {
    let (mut newest, mut newest_alone) = (0, 0);
    for proof in proofs {
        let Moment { told, token, side } = proof;
        let bound = if *side == Side::Alone { newest } else { newest_alone };
        require(checker, bound <= *token, || {
            let (machine, zxid) = (told.machine, told.numbers[1]);
            format!("machine {machine} wrote at {zxid:#x} with {token:#x}, after {bound:#x} had")
        })?;
        newest = newest.max(*token);
        if *side == Side::Alone {
            newest_alone = newest_alone.max(*token);
        }
    }
    Ok(())
}

/// At no zxid more than so many are proven to hold: whoever is proven twice held in between.
pub(super) fn judge_number(checker: &'static str, told: &[Told], (subject, most): (u64, usize)) -> Verdict {
    let mut proofs = moments(told, subject, PROVEN);
    proofs.sort_by_key(|proof| (proof.token, proof.told.numbers[1]));
    // When each begins to be proven, and when it ends.
    let mut ends = Vec::new();
    for spans in proofs.chunk_by(|one, other| one.token == other.token) {
        if let [first, .., last] | [first @ last] = spans {
            ends.push((first.told.numbers[1], 0, first.token));
            ends.push((last.told.numbers[1], 1, first.token));
        }
    }
    ends.sort_unstable();
    let mut held = Vec::new();
    for (zxid, end, token) in ends {
        match end {
            0 => held.push(token),
            _ => held.retain(|other| *other != token),
        }
        require(checker, held.len() <= most, || format!("at {zxid:#x} {held:x?} are held, of {most}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(token: u64, zxid: u64, what: &'static str) -> Told {
        Told { at: zxid, machine: token, what, subject: 0, numbers: [token, zxid, zxid] }
    }

    #[test]
    fn readers_may_overlap_and_writers_may_not() {
        let both = |one, other| [proven(1, 10, one), proven(2, 11, other), proven(1, 12, one)];
        assert!(judge("test", &both(PROVEN[1], PROVEN[1]), 1).is_ok());
        assert!(judge("test", &both(PROVEN[0], PROVEN[1]), 1).is_err());
        assert!(judge("test", &both(PROVEN[1], PROVEN[0]), 1).is_err());
        assert!(judge("test", &both(PROVEN[0], PROVEN[0]), 1).is_err());
    }

    #[test]
    fn no_more_than_the_maximum_overlap() {
        let told: Vec<Told> =
            [(1, 10), (2, 11), (1, 12), (3, 13), (2, 13)].map(|(t, z)| proven(t, z, PROVEN[1])).to_vec();
        assert!(judge_number("test", &told, (0, 2)).is_ok());
        assert!(judge_number("test", &told, (0, 1)).is_err());
    }
}
