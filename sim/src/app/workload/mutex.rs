//! Everybody wants one lock, and writes while holding it: into the ensemble by transactions, and to something outside.
//!
//! The judge trusts proofs only: a transaction that succeeded proves that its guard held between the call and the answer. A machine
//! that stood still may believe for a while that it holds what others have; that harms nobody whose resource looks at tokens.

use super::{Resource, Scene};
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use quorate_core::client::{Acl, Error, OpResult};
use quorate_core::recipe::{Guard, Lost, Mutex};
use quorate_core::vocabulary::{Millis, Version};

const LOCK: &str = "/mutex/lock";
const DATA: &str = "/mutex/data";
const MOST_PAUSE_MS: u64 = 300;
pub(super) const PROBES: &[&str] = &[
    "app_mutex_acquired",
    "app_mutex_acquired_over_a_loss",
    "app_mutex_deleted",
    "app_mutex_fenced_off",
    "app_mutex_given_up",
    "app_mutex_lost",
    "app_mutex_reentered",
    "app_mutex_revoked",
    "app_mutex_timed_out",
    "app_mutex_unconfirmed",
];

pub(super) async fn run(scene: Scene, resource: Resource) {
    scene.ensure(DATA).await;
    // What is missing is made by whoever may write where it is missing, and only there. Whatever becomes of it.
    let _ = scene.client.set_acl("/", Acl::world_readable(), Version::ANY).await;
    let mut mutex = Mutex::new(&scene.client, LOCK);
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let acquired = match scene.runtime.below(6) {
            0 => mutex.try_acquire().await,
            1 => mutex.acquire_within(Millis(scene.runtime.below(500))).await,
            2 => trouble(&scene, &mutex).await.map(|()| None),
            _ => mutex.acquire().await.map(Some),
        };
        match acquired {
            Ok(Some(guard)) => hold(&scene, &mut mutex, guard, resource).await,
            Ok(None) => scene.runtime.probe("app_mutex_timed_out"),
            Err(error) if scene.is_passing(&error) => scene.runtime.probe("app_mutex_given_up"),
            Err(error) => scene.violate("app_mutex", error),
        }
    }
    scene.leave_nothing().await;
}

/// Makes life hard for who holds the lock: asks it to go, or takes its node away.
async fn trouble(scene: &Scene, mutex: &Mutex<SimRuntime>) -> Result<(), Error> {
    let Some(first) = mutex.contenders().await?.into_iter().next() else { return Ok(()) };
    match scene.one_in(4) {
        // Whoever gets here too late deletes nothing.
        true => scene.client.delete(&first.path, Version::ANY).await.or(Ok(())),
        false => mutex.revoke(&first).await,
    }
}

async fn hold(scene: &Scene, mutex: &mut Mutex<SimRuntime>, guard: Guard<SimRuntime>, resource: Resource) {
    scene.runtime.probe("app_mutex_acquired");
    scene.runtime.tell("acquired", [token(&guard), 0, 0]);
    if scene.one_in(4)
        && let Ok(again) = mutex.acquire().await
        && again.token() == guard.token()
    {
        scene.runtime.probe("app_mutex_reentered");
        drop(again);
    }
    let work = async {
        for _ in 0..=scene.runtime.below(3) {
            scene.pause(MOST_PAUSE_MS).await;
            match scene.one_in(2) {
                true => write_inside(scene, &guard).await,
                false => write_outside(scene, &guard, resource).await,
            }
        }
    };
    if scene.one_in(2) {
        work.await;
    } else if let Err(lost) = guard.run(work).await {
        scene.runtime.probe(match lost {
            Lost::Unconfirmed => "app_mutex_unconfirmed",
            Lost::Deleted => "app_mutex_deleted",
            _ => "app_mutex_lost",
        });
    }
    if futures_util::FutureExt::now_or_never(guard.revoked()).is_some() {
        scene.runtime.probe("app_mutex_revoked");
    }
    // What was lost is kept: it must not be in the way of who comes behind it.
    if !guard.is_held()
        && let Ok(again) = mutex.acquire().await
    {
        scene.runtime.probe("app_mutex_acquired_over_a_loss");
        drop(again);
    }
    match scene.one_in(2) {
        true => drop(guard),
        // It fails when the session is over.
        false => drop(guard.release().await),
    }
}

async fn write_inside(scene: &Scene, guard: &Guard<SimRuntime>) {
    let asked = scene.runtime.world_time();
    let write = guard.transaction().set(DATA, guard.token().to_string(), Version::ANY);
    match write.commit().await {
        Ok(results) => match results.as_slice() {
            [OpResult::Checked, OpResult::Set(stat)] => {
                scene.runtime.tell("held", [token(guard), stat.mzxid.0 as u64, asked]);
            }
            other => scene.violate("app_mutex", format!("{other:?} of a transaction")),
        },
        Err(error) if Guard::<SimRuntime>::is_fenced_off(&error) => {
            scene.runtime.probe("app_mutex_fenced_off")
        }
        Err(error) if scene.is_passing(&error) => {}
        Err(error) => scene.violate("app_mutex", error),
    }
}

/// Looks whether it holds, and writes a moment later.
async fn write_outside(scene: &Scene, guard: &Guard<SimRuntime>, resource: Resource) {
    if !guard.is_held() {
        return;
    }
    scene.pause(MOST_PAUSE_MS).await;
    if resource == Resource::Unfenced {
        scene.runtime.tell("wrote", [token(guard), 0, 0]);
    }
}

fn token(guard: &Guard<SimRuntime>) -> u64 {
    guard.token().0.0 as u64
}

/// Nobody is proven to hold what somebody behind it has acquired.
pub(super) fn judge(told: &[Told]) -> Verdict {
    let mut proofs: Vec<[u64; 3]> =
        told.iter().filter(|told| told.what == "held").map(|told| told.numbers).collect();
    proofs.sort_by_key(|[_, zxid, _]| *zxid);
    for pair in proofs.windows(2) {
        let ([first, ..], [second, zxid, _]) = (pair[0], pair[1]);
        require("app_mutex", first <= second, || {
            format!("{second:#x} wrote at {zxid:#x}, after {first:#x} had, which came behind it")
        })?;
    }
    let acquired = told.iter().filter(|told| told.what == "acquired");
    for Told { at, machine, numbers: [token, ..], .. } in acquired {
        let later = proofs.iter().find(|[other, _, asked]| other < token && asked > at);
        require("app_mutex", later.is_none(), || {
            format!("machine {machine} had acquired {token:#x} at {at}, before {later:x?} was asked for")
        })?;
    }
    Ok(())
}

/// What the resource took, it took from one holder after the other.
pub(super) fn judge_unfenced(told: &[Told]) -> Verdict {
    judge(told)?;
    let mut highest = 0;
    for Told { at, machine, numbers: [token, ..], .. } in told.iter().filter(|told| told.what == "wrote") {
        require("app_unfenced", *token >= highest, || {
            format!("machine {machine} wrote with {token:#x} at {at}, after {highest:#x}")
        })?;
        highest = *token;
    }
    Ok(())
}
