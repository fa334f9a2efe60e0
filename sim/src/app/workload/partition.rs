//! A set is shared out among machines that come and go, and everybody writes for what is its own.
//!
//! A transaction that succeeded proves that an item was the writer's then: no other's whose lock came behind is proven before. Of one
//! party everybody has another share, and all together have the whole set. Machine 0 stays until it has all of it: a change of the
//! party that nobody was told of shows as liveness.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require};
use futures_util::future::{Either, select};
use quorate_core::client::{OpResult, Outcome};
use quorate_core::recipe::{Guard, SetPartitioner, Share};
use quorate_core::vocabulary::{Millis, Version};
use std::collections::BTreeMap;
use std::pin::pin;

const PATH: &str = "/partition";
const DATA: &str = "/partition/data";
const ITEMS: u64 = 5;
const LAST: u64 = 0;
const TIME_BOUNDARY: Millis = Millis(400);
const MOST_PAUSE_MS: u64 = 1000;
const MOST_PATIENCE_MS: u64 = 5000;
pub(super) const PROBES: &[&str] = &[
    "app_partition_acquired",
    "app_partition_ended",
    "app_partition_fenced_off",
    "app_partition_given_up",
    "app_partition_left",
    "app_partition_whole",
];

type Partitioner = SetPartitioner<SimRuntime>;

pub(super) async fn run(scene: Scene) {
    scene.ensure(DATA).await;
    let items = || (0..ITEMS).map(|item| item.to_string());
    let join = || {
        let identifier = format!("machine-{}", scene.machine);
        Partitioner::new(&scene.client, PATH, &identifier, items()).time_boundary(TIME_BOUNDARY)
    };
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let mut member = join();
        while !scene.is_over() && !scene.one_in(4) {
            let acquired = match select(pin!(member.acquire()), pin!(scene.pause(MOST_PATIENCE_MS))).await {
                Either::Left((acquired, _)) => acquired.map(Some),
                Either::Right(_) => Ok(None),
            };
            match acquired {
                Ok(Some(share)) => own(&scene, share).await,
                Ok(None) => scene.runtime.probe("app_partition_given_up"),
                Err(error) if scene.is_passing(&error) => {}
                Err(error) => scene.violate("app_partition", error),
            }
        }
        // It fails when the session is over.
        drop(member.leave().await);
        scene.runtime.probe("app_partition_left");
    }
    if scene.machine == LAST {
        be_the_last(&scene, join()).await;
    }
    scene.leave_nothing().await;
}

async fn be_the_last(scene: &Scene, mut member: Partitioner) {
    loop {
        match member.acquire().await {
            Ok(mut share) => {
                tell(scene, &share);
                if share.items().count() as u64 == ITEMS {
                    return scene.runtime.probe("app_partition_whole");
                }
                share.ended().await;
            }
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_partition", error),
        }
    }
}

/// Which party it is, how many are in it, and which items this machine has of it.
fn tell(scene: &Scene, share: &Share<SimRuntime>) {
    let bits = share.items().filter_map(|item| item.parse::<u64>().ok()).map(|item| 1 << item);
    let bytes = share.party().iter().flat_map(|name| name.bytes());
    let party = bytes.fold(0_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    scene.runtime.tell("share", [party, share.party().len() as u64, bits.sum()]);
}

async fn own(scene: &Scene, mut share: Share<SimRuntime>) {
    scene.runtime.probe("app_partition_acquired");
    tell(scene, &share);
    let is_deaf = scene.one_in(3);
    for _ in 0..scene.runtime.below(4) {
        write(scene, &share).await;
        // Some don't listen: what is theirs stays theirs until they release it.
        if is_deaf {
            scene.pause(MOST_PAUSE_MS).await;
            continue;
        }
        if let Either::Left(_) = select(pin!(share.ended()), pin!(scene.pause(MOST_PAUSE_MS))).await {
            scene.runtime.probe("app_partition_ended");
            break;
        }
    }
    match scene.one_in(2) {
        true => drop(share),
        // It fails when the session is over.
        false => drop(share.release().await),
    }
}

async fn write(scene: &Scene, share: &Share<SimRuntime>) {
    for item in share.items() {
        let (Some(guard), Ok(number)) = (share.guard(item), item.parse()) else {
            return scene.violate("app_partition", format!("{item} is held without a guard"));
        };
        let write = guard.transaction().set(DATA, item.to_owned(), Version::ANY);
        match write.commit().await {
            Ok(results) => match results.as_slice() {
                [OpResult::Checked, OpResult::Set(stat)] => {
                    let token = guard.token().0.0 as u64;
                    scene.runtime.tell("held", [token, stat.mzxid.0 as u64, number]);
                }
                other => scene.violate("app_partition", format!("{other:?} of a transaction")),
            },
            Err(error) if Guard::<SimRuntime>::is_fenced_off(&error) => {
                scene.runtime.probe("app_partition_fenced_off");
            }
            Err(error) if scene.is_passing(&error) || error.outcome() == Outcome::Unknown => {}
            Err(error) => scene.violate("app_partition", error),
        }
    }
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    for item in 0..ITEMS {
        let of_item = |told: &&Told| told.what == "held" && told.numbers[2] == item;
        let mut proofs: Vec<_> =
            told.iter().filter(of_item).map(|told| (told.numbers[1], told.numbers[0])).collect();
        proofs.sort_unstable();
        for pair in proofs.windows(2) {
            let ((_, first), (zxid, second)) = (pair[0], pair[1]);
            require("app_partition", first <= second, || {
                format!(
                    "{second:#x} had item {item} at {zxid:#x}, after {first:#x} had, which came behind it"
                )
            })?;
        }
    }
    let mut parties: BTreeMap<u64, (u64, BTreeMap<u64, u64>)> = BTreeMap::new();
    for Told { machine, numbers: [party, members, bits], .. } in
        told.iter().filter(|told| told.what == "share")
    {
        let (_, shares) = parties.entry(*party).or_insert_with(|| (*members, BTreeMap::new()));
        let before = shares.insert(*machine, *bits);
        require("app_partition", before.is_none_or(|before| before == *bits), || {
            format!("machine {machine} had {before:?} and {bits} of one party")
        })?;
    }
    for (members, shares) in parties.values() {
        let (sum, union) = shares.values().fold((0, 0), |(sum, union), bits| (sum + bits, union | bits));
        require("app_partition", sum == union, || format!("in one party items are shared: {shares:?}"))?;
        let is_whole = shares.len() as u64 != *members || union == (1 << ITEMS) - 1;
        require("app_partition", is_whole, || format!("of a whole party nobody has some items: {shares:?}"))?;
    }
    Ok(())
}
