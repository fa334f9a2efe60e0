//! Everybody registers an instance of a service, says something else of it and takes it away again, while others delete its node and
//! put there what can't be read; and everybody picks among those that there are. Who is picked is enabled, does not rest, and says
//! nothing older than it said before; whom a strategy has to pick follows from who is there. Once all stay, all are picked, with what
//! they said last, and nobody else.

use super::Scene;
use crate::app::SimRuntime;
use quorate_core::client::{CreateOptions, Runtime};
use quorate_core::recipe::{
    Provider, Registration, RestPolicy, Service, ServiceInstance, ServiceType, Strategy, service_names,
};
use quorate_core::vocabulary::{Millis, Mono, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const BASE: &str = "/services";
const NAME: &str = "payments";
const DONE: &str = "/services-done";
/// What an instance says last.
const LAST: i64 = i64::MAX;
const MOST_PAUSE_MS: u64 = 3000;
const REST: RestPolicy = RestPolicy { failures: 2, period: Millis(3000) };
pub(super) const PROBES: &[&str] = &[
    "app_discovery_complete",
    "app_discovery_nobody",
    "app_discovery_picked",
    "app_discovery_rested",
    "app_discovery_static",
    "app_discovery_unregistered",
];

pub(super) async fn run(scene: Scene) {
    let service = loop {
        match Service::watch(&scene.client, BASE, NAME).await {
            Ok(service) => break service,
            Err(error) if scene.is_passing(&error) => scene.pause(MOST_PAUSE_MS).await,
            Err(error) => return scene.violate("app_discovery", error),
        }
    };
    let nameless = ServiceInstance { name: NAME.to_owned(), ..ServiceInstance::default() };
    if Registration::start(&scene.client, BASE, &nameless).registered().await {
        scene.violate("app_discovery", "who has no id is registered");
    }
    let mut user = User::new(&scene, service);
    let mut said = 0;
    while !scene.is_over() {
        register(&scene, &mut user, &mut said).await;
    }
    take_away(&scene, said).await;
    let registration = Registration::start(&scene.client, BASE, &instance(&scene, Kind::Dynamic, LAST, true));
    meet(&scene, &mut user).await;
    unregister(&scene, Kind::Dynamic, registration).await;
    scene.leave_nothing().await;
}

/// What a machine registers: one of each has an id of its own.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Dynamic,
    Static,
}

impl Kind {
    fn id(self, machine: u64) -> String {
        match self {
            Kind::Dynamic => format!("m{machine}"),
            Kind::Static => format!("s{machine}"),
        }
    }
}

fn instance(scene: &Scene, kind: Kind, said: i64, enabled: bool) -> ServiceInstance {
    ServiceInstance {
        name: NAME.to_owned(),
        id: kind.id(scene.machine),
        port: Some(scene.machine as u16),
        registration_time_utc: said,
        service_type: match kind {
            Kind::Dynamic => ServiceType::Dynamic,
            Kind::Static => ServiceType::Static,
        },
        enabled,
        ..ServiceInstance::default()
    }
}

/// Is there for a while.
async fn register(scene: &Scene, user: &mut User<'_>, said: &mut i64) {
    let kind = if scene.one_in(4) { Kind::Static } else { Kind::Dynamic };
    let mut next = |enabled| {
        *said += 1;
        instance(scene, kind, *said, enabled)
    };
    let registration = Registration::start(&scene.client, BASE, &next(true));
    for _ in 0..=scene.runtime.below(8) {
        scene.pause(MOST_PAUSE_MS).await;
        match scene.runtime.below(8) {
            0 => registration.update(&next(!scene.one_in(3))),
            1 => user.expel().await,
            2 => spoil(scene).await,
            3 | 4 => user.fail(),
            _ => user.pick(),
        }
    }
    match scene.one_in(2) {
        true => drop(registration),
        false => unregister(scene, kind, registration).await,
    }
}

/// Puts there what is no instance.
async fn spoil(scene: &Scene) {
    let path = format!("{BASE}/{NAME}/spoilt");
    // One that is there is as good.
    let _ = scene.client.create(&path, "no document", &CreateOptions::persistent()).await;
}

/// Whoever has unregistered is not there.
async fn unregister(scene: &Scene, kind: Kind, registration: Registration) {
    let session = scene.client.session().latest().id;
    if registration.unregister().await.is_err() {
        return;
    }
    scene.runtime.probe("app_discovery_unregistered");
    let path = format!("{BASE}/{NAME}/{}", kind.id(scene.machine));
    if let Ok(Some(stat)) = scene.client.exists(&path).await
        && scene.client.session().latest().id == session
        && [0, session.0].contains(&stat.ephemeral_owner)
    {
        scene.violate("app_discovery", format!("{path} is unregistered, and there: {stat:?}"));
    }
}

/// What outlives sessions has to be taken away.
async fn take_away(scene: &Scene, said: i64) {
    let path = format!("{BASE}/{NAME}/{}", Kind::Static.id(scene.machine));
    loop {
        let there = (scene.client.sync(&path), scene.client.exists(&path));
        if let (Ok(()), Ok(None)) = (there.0.await, there.1.await) {
            return;
        }
        let registration =
            Registration::start(&scene.client, BASE, &instance(scene, Kind::Static, said + 1, true));
        if registration.registered().await {
            scene.runtime.probe("app_discovery_static");
        }
        unregister(scene, Kind::Static, registration).await;
        scene.pause(MOST_PAUSE_MS).await;
    }
}

/// Ready when everybody has seen everybody, with what they said last.
async fn meet(scene: &Scene, user: &mut User<'_>) {
    let is_complete = |there: &Instances| {
        there.len() as u64 == scene.machines
            && there.values().all(|instance| instance.registration_time_utc == LAST)
    };
    while !is_complete(&user.look()) {
        if !user.provider.service().changed().await {
            return scene.violate("app_discovery", "the service is not followed any more");
        }
    }
    user.pick();
    if let Ok(names) = service_names(&scene.client, BASE).await
        && names.iter().any(|name| name != NAME)
    {
        scene.violate("app_discovery", format!("the services are {names:?}"));
    }
    scene.runtime.probe("app_discovery_complete");
    scene.ensure(&format!("{DONE}/{}", scene.machine)).await;
    loop {
        match scene.client.children(DONE).await {
            Ok((done, _)) if done.len() as u64 == scene.machines => break,
            _ => scene.pause(MOST_PAUSE_MS).await,
        }
    }
}

type Instances = BTreeMap<String, Arc<ServiceInstance>>;

/// Who picks, and what it knows of whom it may pick.
struct User<'a> {
    scene: &'a Scene,
    provider: Provider<SimRuntime>,
    strategy: Strategy,
    stuck_to: Option<String>,
    /// When each has failed first, and how often since.
    failures: BTreeMap<String, (Mono, u32)>,
    /// The latest that each has said.
    newest: BTreeMap<String, i64>,
}

fn weight(instance: &ServiceInstance) -> u32 {
    u32::from(instance.port.unwrap_or_default() % 3)
}

impl<'a> User<'a> {
    fn new(scene: &'a Scene, service: Service) -> Self {
        let strategies =
            [Strategy::RoundRobin, Strategy::Random, Strategy::Sticky, Strategy::Weighted(weight)];
        let strategy = strategies[scene.runtime.below(4) as usize];
        let provider = Provider::new(&scene.client, service, strategy, REST);
        let (failures, newest) = (BTreeMap::new(), BTreeMap::new());
        User { scene, provider, strategy, stuck_to: None, failures, newest }
    }

    /// Who is there.
    fn look(&mut self) -> Instances {
        let there = self.provider.service().instances().clone();
        for (id, instance) in &there {
            let is_right = instance.enabled
                && instance.name == NAME
                && instance.id == *id
                && instance.port.is_some_and(|port| id[1..] == port.to_string());
            let newest = self.newest.insert(id.clone(), instance.registration_time_utc);
            if !is_right || newest.is_some_and(|newest| newest > instance.registration_time_utc) {
                self.scene.violate("app_discovery", format!("{id} is {instance:?} behind {newest:?}"));
            }
        }
        there
    }

    /// Picks as often as it takes to meet all.
    fn pick(&mut self) {
        let there = self.look();
        self.forget();
        let rests = |id: &str| self.failures.get(id).is_some_and(|(_, failures)| *failures >= REST.failures);
        let awake: BTreeSet<&str> = there.keys().map(String::as_str).filter(|id| !rests(id)).collect();
        if awake.len() < there.len() {
            self.scene.runtime.probe("app_discovery_rested");
        }
        let is_picked = |id: &str| match self.strategy {
            Strategy::Weighted(_) => there.get(id).is_some_and(|instance| weight(instance) > 0),
            _ => true,
        };
        let wanted: BTreeSet<&str> = awake.iter().copied().filter(|id| is_picked(id)).collect();
        let picked: Vec<_> = awake.iter().filter_map(|_| self.provider.pick()).collect();
        let ids: BTreeSet<&str> = picked.iter().map(|(id, _)| id.as_str()).collect();
        let is_right = match self.strategy {
            _ if wanted.is_empty() => ids.is_empty(),
            Strategy::RoundRobin => ids == wanted,
            Strategy::Random | Strategy::Weighted(_) => !ids.is_empty() && ids.is_subset(&wanted),
            Strategy::Sticky => {
                let stuck_to = self.stuck_to.as_deref().filter(|id| wanted.contains(id));
                ids.len() == 1 && ids.is_subset(&wanted) && stuck_to.is_none_or(|id| ids.contains(id))
            }
        };
        let is_same = picked.iter().all(|(id, instance)| there.get(id) == Some(instance));
        let times = if wanted.is_empty() { 0 } else { awake.len() };
        if !is_right || !is_same || picked.len() != times {
            let strategy = self.strategy;
            self.scene.violate("app_discovery", format!("{strategy:?} picks {picked:?} of {wanted:?}"));
        }
        let Some((id, _)) = picked.last() else { return self.scene.runtime.probe("app_discovery_nobody") };
        self.scene.runtime.probe("app_discovery_picked");
        self.stuck_to = Some(id.clone());
    }

    /// The one that was picked last has failed.
    fn fail(&mut self) {
        self.forget();
        if let Some(id) = &self.stuck_to {
            self.provider.failed(id);
            self.failures.entry(id.clone()).or_insert((self.scene.runtime.now(), 0)).1 += 1;
        }
    }

    /// What has failed too long ago counts no more.
    fn forget(&mut self) {
        let now = self.scene.runtime.now();
        self.failures.retain(|_, (since, _)| now.millis_since(*since) < REST.period);
    }

    /// Takes somebody's node away.
    async fn expel(&mut self) {
        let there = self.look();
        if let Some(id) = there.keys().nth(self.scene.runtime.below(self.scene.machines) as usize) {
            // Whoever comes too late deletes nothing.
            let _ = self.scene.client.delete(&format!("{BASE}/{NAME}/{id}"), Version::ANY).await;
        }
    }
}
