//! Recipes, each with an example that runs: `cargo test` plays them against a server in its process.
//!
//! They are [`quorate_core::recipe`]'s, where each says exactly what it promises. Nodes are called as Curator calls them, or, under
//! [`Layout::Kazoo`], as kazoo does: clients of those share the same lock, queue or group. What is held is held by a [`Guard`]: it knows when it
//! is lost, and its token only rises.
//!
//! | recipe | promises | does not promise |
//! |---|---|---|
//! | [`Mutex`], [`RwLock`], [`MultiLock`] | in turn; of those whose transactions succeed one holds at a time; tokens rise | that a machine that stood still knows that it has lost |
//! | [`Semaphore`] | never more leases than the maximum | that tokens of leases are in an order |
//! | [`LeaderLatch`], [`LeaderSelector`] | what the mutex does, of leading | |
//! | [`Barrier`] | whoever passes has done so at a moment when it was down | |
//! | [`DoubleBarrier`] | nobody is in before all are | that those who are in wait for who has died |
//! | [`Counter`], [`SharedValue`] | done once, or not at all; an unknown outcome is said | speed for crowds |
//! | [`IdGenerator`] | ids are unique, and rise at each generator | that they are without gaps, or rise over all generators |
//! | [`Queue`], [`PriorityQueue`], [`DelayQueue`] | put once; taken by one at most | that a taker that dies has done its work |
//! | [`LockingQueue`] | taken until it is consumed: at least once | at most once |
//! | [`Cache`] | becomes what the servers have; events tell old and new | that every state in between is seen |
//! | [`Group`], [`PersistentNode`] | comes back after the session was lost | that who is on the list is alive |
//! | [`Service`], [`Provider`] | what is registered is picked, what fails rests | that what is picked answers |
//! | [`Config`] | one version after the other, the last of them kept | |
//! | [`SetPartitioner`] | an item is one member's at a time, by a lock of its own | that all are always somebody's |
//! | [`NonBlockingLease`] | one holder until a time, whether it lives or not | anything where wall clocks do not agree |
//!
//! # A lock
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::Mutex;
//! use quorate_client::{CreateOptions, Version};
//!
//! let mut lock = Mutex::new(&client, "/locks/invoices");
//! let guard = lock.acquire().await?;
//! println!("held by {}, until {:?}", guard.token(), client.session().latest().assured_until);
//!
//! // Writes that only happen while it is held, whatever this machine believes.
//! client.create("/invoices", "", &CreateOptions::persistent()).await?;
//! guard.transaction().set("/invoices", "17", Version::ANY).commit().await?;
//!
//! // Work that is dropped when it is lost.
//! let done = guard.run(async { 42 }).await?;
//! assert_eq!(done, 42);
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Whoever protects something outside of the ensemble gives it `guard.token()`, and has it refuse a smaller one than it has seen.
//!
//! # Readers and writers, several locks, leases
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::Millis;
//! use quorate_client::recipe::{Maximum, MultiLock, RwLock, Semaphore};
//!
//! let lock = RwLock::new(&client, "/locks/catalogue");
//! let (one, other) = (lock.read().await?, lock.read().await?);
//! assert!(lock.write_within(Millis(50)).await?.is_none());
//! drop((one, other));
//! let write = lock.write().await?;
//! let read = lock.downgrade(&write).await?;
//! drop((write, read));
//!
//! let mut both = MultiLock::new(&client, ["/locks/a", "/locks/b"]);
//! both.acquire().await?.release().await?;
//!
//! let connections = Semaphore::new(&client, "/connections", Maximum::Fixed(2));
//! let leases = connections.acquire_many(2).await?;
//! assert!(connections.try_acquire(1).await?.is_none());
//! drop(leases);
//! # Ok(())
//! # }
//! ```
//!
//! # Leaders
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{LeaderLatch, LeaderSelector};
//! use std::ops::ControlFlow;
//!
//! let mut latch = LeaderLatch::new(&client, "/leader", "me");
//! let leads = latch.await_leadership().await?;
//! assert_eq!(latch.leader().await?.unwrap().id, "me");
//! drop(leads);
//!
//! let mut selector = LeaderSelector::new(&client, "/work", "me");
//! let answer = selector.run(|_guard| async { ControlFlow::Break(42) }).await?;
//! assert_eq!(answer, 42);
//! # Ok(())
//! # }
//! ```
//!
//! # Barriers
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::Millis;
//! use quorate_client::recipe::{Barrier, DoubleBarrier};
//!
//! let barrier = Barrier::new(&client, "/migration");
//! barrier.raise().await?;
//! assert!(!barrier.wait_within(Millis(50)).await?);
//! barrier.lower().await?;
//! barrier.wait().await?;
//!
//! let double = DoubleBarrier::new(&client, "/race", 1);
//! let entered = double.enter().await?;
//! entered.leave().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Numbers and values
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{Counter, IdGenerator, SharedValue};
//!
//! let counter = Counter::new(&client, "/visits");
//! assert_eq!(counter.add(3).await?, 3);
//! assert!(counter.compare_and_set(3, 5).await?);
//!
//! let mut ids = IdGenerator::new(&client, "/ids", 1000);
//! assert!(ids.next().await? < ids.next().await?);
//!
//! let colour = SharedValue::open(&client, "/colour", "red").await?;
//! let seen = colour.latest().unwrap();
//! assert!(colour.replace(&seen, "blue").await?);
//! # Ok(())
//! # }
//! ```
//!
//! # Queues
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{LockingQueue, PriorityQueue, Queue};
//!
//! let mut queue = Queue::new(&client, "/mail");
//! queue.put("hello").await?;
//! assert_eq!(queue.take().await?, ["hello"]);
//!
//! let mut urgent = PriorityQueue::new(&client, "/urgent");
//! urgent.put("later", 10).await?;
//! urgent.put("now", 1).await?;
//! assert_eq!(urgent.take().await?, ["now"]);
//!
//! // What is not consumed, since its taker has died, is taken again.
//! let jobs = LockingQueue::new(&client, "/jobs", "/jobs-locks");
//! jobs.put("job").await?;
//! let job = jobs.get().await?;
//! assert!(job.consume().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # Pictures and groups
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{Cache, Group, Layout, Member, Scope};
//! use quorate_client::CreateOptions;
//!
//! let member = Member::join(&client, "/members", "10.0.0.7", "a machine");
//! member.joined().await;
//! let mut group = Group::watch(&client, "/members", Layout::Curator).await?;
//! assert_eq!(group.members()["10.0.0.7"], "a machine");
//! member.leave().await?;
//! while !group.members().is_empty() {
//!     group.changed().await;
//! }
//!
//! let mut tree = Cache::start(&client, "/tree", Scope::Tree).await?;
//! client.create("/tree/leaf", "green", &CreateOptions::persistent().parents()).await?;
//! while tree.get("/tree/leaf").is_none() {
//!     tree.changed().await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Services
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{Provider, Registration, RestPolicy, Service, ServiceInstance, Strategy};
//!
//! let (name, id) = ("billing".to_owned(), "7".to_owned());
//! let address = Some("10.0.0.7".to_owned());
//! let instance = ServiceInstance { name, id, address, port: Some(8080), ..ServiceInstance::default() };
//! let registration = Registration::start(&client, "/services", &instance);
//! registration.registered().await;
//!
//! let service = Service::watch(&client, "/services", "billing").await?;
//! let mut provider = Provider::new(&client, service, Strategy::RoundRobin, RestPolicy::default());
//! let (name, picked) = provider.pick().unwrap();
//! assert_eq!(picked.port, Some(8080));
//! // It did not answer: with two failures it rests.
//! provider.failed(&name);
//! registration.unregister().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Configurations
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::Version;
//! use quorate_client::recipe::Config;
//! use std::collections::BTreeMap;
//!
//! let config: Config<_, BTreeMap<String, u32>> = Config::new(&client, "/config", 10);
//! let first = config.publish(&BTreeMap::from([("limit".to_owned(), 10)]), Version::ANY).await?;
//! let mut live = config.live().await?;
//! config.publish(&BTreeMap::from([("limit".to_owned(), 20)]), first).await?;
//! while live.latest().unwrap().value["limit"] != 20 {
//!     live.changed().await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Shares and leases
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! # let server = quorate::server::EmbeddedServer::start()?;
//! # let client = quorate_client::connect(&server.connect_string()).await?;
//! use quorate_client::recipe::{NonBlockingLease, SetPartitioner};
//! use quorate_client::{Millis, Wall};
//!
//! let items = ["p1", "p2"].map(String::from);
//! let mut member = SetPartitioner::new(&client, "/partitions", "me", items).time_boundary(Millis(100));
//! let share = member.acquire().await?;
//! assert_eq!(share.items().count(), 2);
//! share.release().await?;
//! member.leave().await?;
//!
//! let now = || Wall(1_790_000_000_000);
//! let lease = NonBlockingLease::new(&client, "/nightly", "me");
//! assert!(lease.obtain(Millis(60_000), now).await?.is_some());
//! let other = NonBlockingLease::new(&client, "/nightly", "another");
//! assert!(other.obtain(Millis(60_000), now).await?.is_none());
//! # Ok(())
//! # }
//! ```

pub use quorate_core::recipe::*;
