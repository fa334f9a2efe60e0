//! Services: instances say where they are, and clients pick among those that are there.
//!
//! The layout and the documents are those of Curator's service discovery: `<base>/<service>/<id>`, JSON. Invariants: an instance
//! that is registered is there for as long as its session lives, and again in the next; what can't be read as an instance, or says
//! that it is not enabled, is not picked; one that has failed rests for a while.
//!
//! Absent: `uriSpec` and a payload's class are kept as they are and not interpreted; instances with sequence numbers behind their
//! ids are seen, but not registered.

use super::cache::{Cache, CacheEvents, Scope};
use super::persist::{below, children};
use super::persistent_node::{Lifetime, NodeView, PersistentNode};
use crate::client::{Client, Live, Result, Runtime};
use crate::vocabulary::{Millis, Mono};
use bytes::Bytes;
use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long an instance is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceType {
    /// As long as its session.
    #[default]
    Dynamic,
    /// Until it is unregistered.
    Static,
    /// The same.
    Permanent,
    /// As long as its session, with a number behind its id.
    DynamicSequential,
}

/// Where a service is to be had; Curator's `ServiceInstance`, in its order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceInstance {
    /// The service.
    pub name: String,
    /// The instance, among those of the service.
    pub id: String,
    /// The host.
    pub address: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The port for TLS.
    pub ssl_port: Option<u16>,
    /// Whatever else there is to be said of it. Curator's clients need a `@class` in an object.
    pub payload: Option<serde_json::Value>,
    /// When it was registered, in ms since 1970.
    #[serde(rename = "registrationTimeUTC")]
    pub registration_time_utc: i64,
    /// How long it is there.
    pub service_type: ServiceType,
    /// How its address is built.
    pub uri_spec: Option<serde_json::Value>,
    /// Whether it is to be picked. Written only if not: old clients of Curator's know nothing of it.
    #[serde(skip_serializing_if = "is_enabled")]
    pub enabled: bool,
}

fn is_enabled(enabled: &bool) -> bool {
    *enabled
}

impl Default for ServiceInstance {
    fn default() -> Self {
        ServiceInstance {
            name: String::new(),
            id: String::new(),
            address: None,
            port: None,
            ssl_port: None,
            payload: None,
            registration_time_utc: 0,
            service_type: ServiceType::Dynamic,
            uri_spec: None,
            enabled: true,
        }
    }
}

impl ServiceInstance {
    fn document(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts, numbers and JSON make JSON").into()
    }
}

/// An instance that is registered. Dropping it unregisters it; see [`PersistentNode`] for what becomes of it with its session.
#[derive(Debug)]
#[must_use = "whoever drops it has unregistered"]
#[doc(alias = "ServiceDiscovery")]
pub struct Registration(PersistentNode);

impl Registration {
    /// Registers an instance below `base` from now on.
    pub fn start<R: Runtime>(client: &Client<R>, base: &str, instance: &ServiceInstance) -> Self {
        let path = below(&below(base, &instance.name), &instance.id);
        let lifetime = match instance.service_type {
            ServiceType::Dynamic | ServiceType::DynamicSequential => Lifetime::Ephemeral,
            ServiceType::Static | ServiceType::Permanent => Lifetime::Persistent,
        };
        Registration(PersistentNode::start(client, &path, instance.document(), lifetime, None))
    }

    /// Ready when clients can see it: true; or never will, since the session is over, or its name or its id is none: false.
    pub async fn registered(&self) -> bool {
        self.0.ready().await
    }

    /// Whether clients can see it, as a value that changes.
    pub fn view(&self) -> Live<NodeView> {
        self.0.view()
    }

    /// Says something else of it. Its name and its id stay.
    pub fn update(&self, instance: &ServiceInstance) {
        self.0.set_data(instance.document());
    }

    /// Unregisters it; ready when it is gone.
    ///
    /// # Errors
    /// When the session is over: the servers see to it then.
    pub async fn unregister(self) -> Result<()> {
        self.0.close().await
    }
}

/// The services that instances have been registered of.
///
/// # Errors
/// Those of [`Client::children`].
pub async fn service_names<R: Runtime>(client: &Client<R>, base: &str) -> Result<Vec<String>> {
    children(client, base).await
}

/// The instances of a service, live; Curator's `ServiceCache`.
#[derive(Debug)]
#[doc(alias = "ServiceCache")]
pub struct Service {
    cache: Cache,
    events: CacheEvents,
    path: String,
    known: BTreeMap<String, Arc<ServiceInstance>>,
}

impl Service {
    /// Begins to watch a service, which need not have instances; ready when all are known.
    ///
    /// # Errors
    /// Those of [`Cache::start`].
    pub async fn watch<R: Runtime>(client: &Client<R>, base: &str, name: &str) -> Result<Self> {
        let path = below(base, name);
        let cache = Cache::start(client, &path, Scope::Children).await?;
        let events = cache.events();
        Ok(Service { cache, events, path, known: BTreeMap::new() })
    }

    /// Those that can be picked now, by the names of their nodes.
    pub fn instances(&mut self) -> &BTreeMap<String, Arc<ServiceInstance>> {
        while let Some(Some(event)) = self.events.next().now_or_never() {
            let Some(name) = event.path.strip_prefix(&self.path).and_then(|name| name.strip_prefix('/'))
            else {
                continue;
            };
            let instance = event.new.and_then(|value| serde_json::from_slice(value.bytes()).ok());
            match instance.filter(|instance: &ServiceInstance| instance.enabled) {
                Some(instance) => self.known.insert(name.to_owned(), Arc::new(instance)),
                None => self.known.remove(name),
            };
        }
        &self.known
    }

    /// Ready when others may be there than this handle has waited for; false when nothing will change any more.
    pub async fn changed(&mut self) -> bool {
        self.cache.changed().await
    }
}

/// Which instance is picked.
#[derive(Clone, Copy, Debug, Default)]
pub enum Strategy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The same for as long as it can be picked.
    Sticky,
    /// Any, but those of twice the weight twice as often. None of weight 0.
    Weighted(fn(&ServiceInstance) -> u32),
}

/// When an instance rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestPolicy {
    /// With so many failures,
    pub failures: u32,
    /// within so long of the first, until that is over.
    pub period: Millis,
}

impl Default for RestPolicy {
    fn default() -> Self {
        RestPolicy { failures: 2, period: Millis(30_000) }
    }
}

/// Picks instances of a service; Curator's `ServiceProvider`.
#[derive(Debug)]
#[doc(alias = "ServiceProvider")]
pub struct Provider<R: Runtime> {
    service: Service,
    runtime: R,
    strategy: Strategy,
    rest: RestPolicy,
    turn: usize,
    stuck_to: Option<String>,
    /// When each failed first, and how often since.
    failures: BTreeMap<String, (Mono, u32)>,
}

impl<R: Runtime> Provider<R> {
    /// Picks from `service`.
    pub fn new(client: &Client<R>, service: Service, strategy: Strategy, rest: RestPolicy) -> Self {
        let runtime = client.runtime().clone();
        Provider { service, runtime, strategy, rest, turn: 0, stuck_to: None, failures: BTreeMap::new() }
    }

    /// The service that it picks from.
    #[doc(alias = "getAllInstances")]
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// One that is there, is enabled and does not rest; None if there is none. Its first part is the name to report failures by.
    pub fn pick(&mut self) -> Option<(String, Arc<ServiceInstance>)> {
        self.forget();
        let rest = self.rest;
        let rests =
            |name: &str| self.failures.get(name).is_some_and(|(_, failures)| *failures >= rest.failures);
        let awake: Vec<_> = self.service.instances().iter().filter(|(name, _)| !rests(name)).collect();
        let entropy = || self.runtime.entropy();
        let (name, instance) = match self.strategy {
            Strategy::RoundRobin => {
                self.turn = self.turn.wrapping_add(1);
                awake.get(self.turn.checked_rem(awake.len())?)?
            }
            Strategy::Random => awake.get(below_bound(entropy(), awake.len() as u64) as usize)?,
            Strategy::Sticky => {
                let stuck_to = self.stuck_to.as_ref();
                let same = awake.iter().find(|(name, _)| Some(*name) == stuck_to);
                same.or_else(|| awake.get(below_bound(entropy(), awake.len() as u64) as usize))?
            }
            Strategy::Weighted(weight) => {
                let sum: u64 = awake.iter().map(|(_, instance)| u64::from(weight(instance))).sum();
                let mut at = below_bound(entropy(), sum);
                awake.iter().find(|(_, instance)| {
                    let weight = u64::from(weight(instance));
                    let is_it = at < weight;
                    at = at.saturating_sub(weight);
                    is_it
                })?
            }
        };
        let picked = ((*name).clone(), Arc::clone(instance));
        self.stuck_to = Some(picked.0.clone());
        Some(picked)
    }

    /// The instance of this name has failed. With too many failures it rests.
    #[doc(alias = "noteError")]
    pub fn failed(&mut self, name: &str) {
        self.forget();
        let now = self.runtime.now();
        self.failures.entry(name.to_owned()).or_insert((now, 0)).1 += 1;
    }

    /// What has failed too long ago counts no more.
    fn forget(&mut self) {
        let (now, period) = (self.runtime.now(), self.rest.period);
        self.failures.retain(|_, (since, _)| now.millis_since(*since) < period);
    }
}

/// A number below `bound`, or 0.
fn below_bound(entropy: u64, bound: u64) -> u64 {
    ((u128::from(entropy) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_curators() {
        let text = r#"{"name":"test","id":"7","address":"10.0.0.5","port":1234,"sslPort":null,"payload":{"@class":"a.B","x":1},"registrationTimeUTC":1407577834980,"serviceType":"DYNAMIC","uriSpec":null}"#;
        let instance: ServiceInstance = serde_json::from_str(text).expect("it is one");
        assert_eq!((instance.port, instance.enabled), (Some(1234), true));
        assert_eq!(instance.document(), text);
    }

    #[test]
    fn what_is_missing_is_as_nothing_was_said_and_what_is_new_is_passed_over() {
        let instance: ServiceInstance = serde_json::from_str("{}").expect("it is one");
        assert_eq!(instance, ServiceInstance::default());
        let text = r#"{"enabled":false,"new":1,"serviceType":"DYNAMIC_SEQUENTIAL"}"#;
        let instance: ServiceInstance = serde_json::from_str(text).expect("it is one");
        assert_eq!((instance.enabled, instance.service_type), (false, ServiceType::DynamicSequential));
        assert!(str::from_utf8(&instance.document()).expect("it is text").ends_with(r#""enabled":false}"#));
    }
}
