//! Everybody puts items into queues of all kinds and takes them, and gives up waiting now and then. What was put is taken once, but
//! for what was said to be unknown; whoever takes from a queue that keeps its order takes what one of them put in that order;
//! and nobody takes from the queue of the delayed what is not due by the clock of who takes.

use super::Scene;
use crate::app::SimRuntime;
use crate::app::machine::Told;
use crate::checkers::{Verdict, require, violated};
use futures_util::future::{Either, select};
use quorate_core::client::{Error, Outcome, Runtime};
use quorate_core::recipe::{DelayQueue, Items, PriorityQueue, Queue, TakeError, WallClock};
use quorate_core::vocabulary::{ErrorCode, Mono};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;

const PATHS: [&str; 5] = ["/queue/plain", "/queue/simple", "/queue/priority", "/queue/kazoo", "/queue/delay"];
/// Of the first of them, so many keep their order.
const IN_ORDER: u64 = 2;
const MOST_PAUSE_MS: u64 = 2800;
pub(super) const PROBES: &[&str] = &[
    "app_queue_empty",
    "app_queue_given_up",
    "app_queue_put_unknown",
    "app_queue_take_unknown",
    "app_queue_taken",
    "app_queue_taken_later",
];

struct Queues {
    plain: Queue<SimRuntime>,
    simple: Queue<SimRuntime>,
    priority: PriorityQueue<SimRuntime>,
    kazoo: PriorityQueue<SimRuntime>,
    delay: DelayQueue<SimRuntime>,
}

type Taken = Result<Items, TakeError>;

impl Queues {
    fn new(scene: &Scene) -> Self {
        let (client, runtime) = (&scene.client, scene.runtime.clone());
        Queues {
            plain: Queue::new(client, PATHS[0]),
            simple: Queue::simple(client, PATHS[1]),
            priority: PriorityQueue::new(client, PATHS[2]),
            kazoo: PriorityQueue::kazoo(client, PATHS[3]),
            delay: DelayQueue::new(client, PATHS[4], WallClock::new(move || runtime.now().0 / 1_000_000)),
        }
    }

    async fn put(&self, scene: &Scene, kind: u64, item: Vec<u8>) -> Result<(), Error> {
        let later = scene.runtime.below(2000);
        match kind {
            0 => self.plain.put(item).await,
            1 => self.simple.put(item).await,
            2 => self.priority.put(item, later as i32 - 1000).await,
            3 => self.kazoo.put(item, later as i32).await,
            _ => {
                let due = now_ms(scene) + later;
                self.delay.put([item, due.to_be_bytes().to_vec()].concat(), due).await
            }
        }
    }

    async fn take(&mut self, kind: u64) -> Taken {
        match kind {
            0 => self.plain.take().await,
            1 => self.simple.take().await,
            2 => self.priority.take().await,
            3 => self.kazoo.take().await,
            _ => self.delay.take().await,
        }
    }

    async fn try_take(&mut self, kind: u64) -> Result<Option<Items>, TakeError> {
        match kind {
            0 => self.plain.try_take().await,
            1 => self.simple.try_take().await,
            2 => self.priority.try_take().await,
            3 => self.kazoo.try_take().await,
            _ => self.delay.try_take().await,
        }
    }
}

pub(super) async fn run(scene: Scene) {
    let mut queues = Queues::new(&scene);
    let mut put = 0;
    // Whether a take of each was given up, and so may come back later.
    let mut given_up = [false; PATHS.len()];
    while !scene.is_over() {
        scene.pause(MOST_PAUSE_MS).await;
        let kind = scene.runtime.below(PATHS.len() as u64);
        if scene.one_in(2) {
            put += 1;
            self::put(&scene, &queues, kind, scene.machine << 32 | put).await;
            continue;
        }
        let taken = match scene.one_in(3) {
            true => queues.try_take(kind).await,
            false => within(&scene, queues.take(kind)).await,
        };
        if given_up[kind as usize] && matches!(taken, Ok(Some(_))) {
            scene.runtime.probe("app_queue_taken_later");
        }
        given_up[kind as usize] = matches!(taken, Ok(None));
        tell(&scene, kind, taken);
    }
    // Not all begin with the same.
    for kind in 0..PATHS.len() as u64 {
        drain(&scene, &mut queues, (kind + scene.machine) % PATHS.len() as u64).await;
    }
    scene.leave_nothing().await;
}

async fn put(scene: &Scene, queues: &Queues, kind: u64, id: u64) {
    match queues.put(scene, kind, id.to_be_bytes().to_vec()).await {
        Ok(()) => scene.runtime.tell("put", [id, kind, 0]),
        Err(error) if error.outcome() == Outcome::Unknown => {
            scene.runtime.probe("app_queue_put_unknown");
            scene.runtime.tell("perhaps put", [id, kind, 0]);
        }
        Err(error) if scene.is_passing(&error) => {}
        Err(error) => scene.violate("app_queue", error),
    }
}

/// What is taken before patience ends.
async fn within(scene: &Scene, take: impl Future<Output = Taken>) -> Result<Option<Items>, TakeError> {
    let due = scene.runtime.now().0 + scene.runtime.below(MOST_PAUSE_MS) * 1_000_000;
    match select(pin!(take), pin!(scene.runtime.sleep_until(Mono(due)))).await {
        Either::Left((taken, _)) => taken.map(Some),
        Either::Right(_) => Ok(None),
    }
}

/// By the machine's clock.
fn now_ms(scene: &Scene) -> u64 {
    scene.runtime.now().0 / 1_000_000
}

/// What an item says: who it is and, in the queue of the delayed, when it is due by the clock of who put it.
fn numbers(items: &Items) -> Option<(u64, Option<u64>)> {
    let (id, due) = items.first()?.split_first_chunk()?;
    Some((u64::from_be_bytes(*id), due.first_chunk().copied().map(u64::from_be_bytes)))
}

/// Whether anything was taken, or may have been.
fn tell(scene: &Scene, kind: u64, taken: Result<Option<Items>, TakeError>) -> bool {
    let id = |items: &Items| numbers(items).unwrap_or_default().0;
    match taken {
        Ok(Some(items)) => {
            scene.runtime.probe("app_queue_taken");
            let now = now_ms(scene);
            if let Some((id, Some(due))) = numbers(&items).filter(|(_, due)| due.is_some_and(|due| due > now))
            {
                scene.violate("app_queue", format!("{id:#x} is due at {due} ms, and was taken at {now} ms"));
            }
            scene.runtime.tell("taken", [id(&items), kind, 0]);
            return true;
        }
        Ok(None) => scene.runtime.probe("app_queue_empty"),
        Err(TakeError::Unknown { items, .. }) => {
            scene.runtime.probe("app_queue_take_unknown");
            scene.runtime.tell("perhaps taken", [id(&items), kind, 0]);
            return true;
        }
        Err(TakeError::Client(error)) if scene.is_passing(&error) => {
            scene.runtime.probe("app_queue_given_up")
        }
        Err(error) => scene.violate("app_queue", error),
    }
    false
}

/// Takes what there is, until a look behind a sync shows nothing.
async fn drain(scene: &Scene, queues: &mut Queues, kind: u64) {
    loop {
        let taken = queues.try_take(kind).await;
        let is_empty = matches!(taken, Ok(None));
        if tell(scene, kind, taken) {
            continue;
        }
        let path = PATHS[kind as usize];
        let left = match scene.client.sync(path).await {
            Ok(()) => scene.client.children(path).await.map(|(names, _)| names.len()),
            Err(error) => Err(error),
        };
        match left {
            Ok(0) if is_empty => return,
            Err(error) if is_empty && error.code() == Some(ErrorCode::NoNode) => return,
            _ => scene.pause(MOST_PAUSE_MS).await,
        }
    }
}

#[derive(Default)]
struct Fate {
    kind: u64,
    is_put: bool,
    is_perhaps_put: bool,
    taken: u64,
    perhaps_taken: u64,
}

pub(super) fn judge(told: &[Told]) -> Verdict {
    let mut fates: BTreeMap<u64, Fate> = BTreeMap::new();
    for Told { what, numbers: [id, kind, _], .. } in told {
        let fate = fates.entry(*id).or_default();
        fate.kind = *kind;
        match *what {
            "put" => fate.is_put = true,
            "perhaps put" => fate.is_perhaps_put = true,
            "taken" => fate.taken += 1,
            _ => fate.perhaps_taken += 1,
        }
    }
    for (id, fate) in &fates {
        let Fate { kind, is_put, is_perhaps_put, taken, perhaps_taken } = fate;
        let path = PATHS[*kind as usize];
        require("app_queue", *taken <= 1, || format!("{id:#x} of {path} was taken {taken} times"))?;
        require("app_queue", !is_put || taken + perhaps_taken > 0, || format!("{id:#x} of {path} is lost"))?;
        let was_put = *is_put || *is_perhaps_put;
        require("app_queue", was_put || taken + perhaps_taken == 0, || {
            format!("{id:#x} of {path} was taken, and not put")
        })?;
    }
    judge_order(told, &fates)
}

/// Of what one machine has put for certain, another takes nothing before what was put earlier.
fn judge_order(told: &[Told], fates: &BTreeMap<u64, Fate>) -> Verdict {
    let mut latest: BTreeMap<(u64, u64, u64), u64> = BTreeMap::new();
    for Told { machine, numbers: [id, kind, _], .. } in told.iter().filter(|told| told.what == "taken") {
        if *kind >= IN_ORDER || !fates.get(id).is_some_and(|fate| fate.is_put) {
            continue;
        }
        let before = latest.insert((*machine, id >> 32, *kind), *id);
        if before.is_some_and(|before| before > *id) {
            return violated(
                "app_queue",
                format!("machine {machine} has taken {id:#x} behind {before:x?}, which was put later"),
            );
        }
    }
    Ok(())
}
