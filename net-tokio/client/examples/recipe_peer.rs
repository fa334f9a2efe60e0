//! Recipes as a peer of `net-tokio/tests/interop/recipes.py`: reads `tag verb name arguments…` from its standard input, and answers each on a
//! line of its own, `tag ok …`, `tag no` or `tag error …`. What is asked of one name is done in its order, in a task of that name's own.
//!
//! usage: recipe_peer HOST:PORT curator|kazoo

use quorate_client::recipe::{
    Barrier, ContenderOptions, Counter, DoubleBarrier, Encoding, Entered, Group, Guard, Items, Layout,
    LeaderLatch, LeaderSelector, LockedItem, LockingQueue, Maximum, Member, Mutex, PriorityQueue, Queue,
    RwLock, Semaphore, SetPartitioner, Share,
};
use quorate_client::{Client, Millis, Tokio};
use std::collections::HashMap;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Result<String, Failure>;

/// What a name stands for.
enum Object {
    Mutex(Mutex<Tokio>),
    Reader(RwLock<Tokio>),
    Writer(RwLock<Tokio>),
    Semaphore(Semaphore<Tokio>),
    Latch(LeaderLatch<Tokio>),
    /// Leads when the first is ready, until the second is dropped.
    Elected(oneshot::Receiver<()>, #[expect(dead_code, reason = "it is kept")] oneshot::Sender<()>),
    DoubleBarrier(DoubleBarrier<Tokio>),
    Member(Member, Group),
    Partitioner(SetPartitioner<Tokio>),
}

/// One name, and what it has.
struct Named {
    client: Client,
    layout: Layout,
    name: String,
    object: Option<Object>,
    guards: Vec<Guard<Tokio>>,
    entered: Option<Entered<Tokio>>,
    share: Option<Share<Tokio>>,
    item: Option<LockedItem<Tokio>>,
}

impl Named {
    fn new(client: &Client, layout: Layout, name: &str) -> Self {
        let (client, name) = (client.clone(), name.to_owned());
        Named {
            client,
            layout,
            name,
            object: None,
            guards: Vec::new(),
            entered: None,
            share: None,
            item: None,
        }
    }

    fn options(&self) -> ContenderOptions {
        ContenderOptions { layout: self.layout, data: self.name.clone().into(), acl: None }
    }

    fn keep(&mut self, object: Object) -> Answer {
        self.object = Some(object);
        ok(true)
    }

    async fn run(&mut self, verb: &str, words: &[&str]) -> Answer {
        match words {
            [] => self.run_bare(verb).await,
            [path, ..] if path.starts_with('/') => match self.make(verb, path, &words[1..]).await? {
                Some(answer) => Ok(answer),
                None => self.run_on_path(verb, path, &words[1..]).await,
            },
            [longest] => self.run_within(verb, Millis(longest.parse()?)).await,
            _ => Err(format!("no verb {verb} with {} words", words.len()).into()),
        }
    }

    /// Makes an object, if that is what the verb asks for.
    async fn make(&mut self, verb: &str, path: &str, words: &[&str]) -> Result<Option<String>, Failure> {
        let (client, options) = (self.client.clone(), self.options());
        let object = match (verb, words) {
            ("mutex", []) => Object::Mutex(Mutex::with_options(&client, path, options)),
            ("read", []) => Object::Reader(RwLock::with_options(&client, path, options)),
            ("write", []) => Object::Writer(RwLock::with_options(&client, path, options)),
            ("semaphore", [leases]) => {
                let maximum = Maximum::Fixed(leases.parse()?);
                Object::Semaphore(Semaphore::with_options(&client, path, maximum, options))
            }
            ("latch", [id]) => Object::Latch(LeaderLatch::new(&client, path, (*id).to_owned())),
            ("elect", [id]) => {
                elect(&client, path, ContenderOptions { data: (*id).to_owned().into(), ..options })
            }
            ("double-barrier", [members]) => {
                Object::DoubleBarrier(DoubleBarrier::with_options(&client, path, members.parse()?, options))
            }
            ("join", [id, data]) => {
                let group = Group::watch(&client, path, self.layout).await?;
                let member = match self.layout {
                    Layout::Curator => Member::join(&client, path, id, (*data).to_owned()),
                    Layout::Kazoo => Member::join_party(&client, path, id),
                };
                member.joined().await;
                Object::Member(member, group)
            }
            ("partition", items) => {
                let items = items.iter().map(|item| (*item).to_owned());
                let member =
                    SetPartitioner::new(&client, path, &self.name, items).time_boundary(Millis(1000));
                Object::Partitioner(member)
            }
            _ => return Ok(None),
        };
        self.keep(object).map(Some)
    }

    async fn run_on_path(&mut self, verb: &str, path: &str, words: &[&str]) -> Answer {
        let client = &self.client;
        match (verb, words) {
            ("revoke", []) => {
                let mutex = Mutex::new(client, path);
                mutex.revoke(mutex.contenders().await?.first().ok_or("nobody holds it")?).await?;
                ok(true)
            }
            ("set-barrier", []) => ok(Barrier::new(client, path).raise().await.is_ok()),
            ("remove-barrier", []) => ok(Barrier::new(client, path).lower().await.is_ok()),
            ("wait-barrier", [longest]) => {
                ok(Barrier::new(client, path).wait_within(Millis(longest.parse()?)).await?)
            }
            ("add-long", [by]) => add(Counter::new(client, path), by).await,
            ("add-count", [by]) => add(Counter::with_encoding(client, path, Encoding::Int), by).await,
            ("add-text", [by]) => add(Counter::with_encoding(client, path, Encoding::Text), by).await,
            ("put-simple", [item]) => done(Queue::simple(client, path).put((*item).to_owned()).await),
            ("put", [item]) => done(Queue::new(client, path).put((*item).to_owned()).await),
            ("put-queue", [item]) => {
                done(PriorityQueue::kazoo(client, path).put((*item).to_owned(), 100).await)
            }
            ("put-locking", [item]) => done(LockingQueue::kazoo(client, path).put((*item).to_owned()).await),
            ("take-simple", [longest]) => taken(longest, Queue::simple(client, path).take()).await,
            ("take", [longest]) => taken(longest, Queue::new(client, path).take()).await,
            ("take-queue", [longest]) => taken(longest, PriorityQueue::kazoo(client, path).take()).await,
            ("get-locking", [longest]) => {
                let queue = LockingQueue::kazoo(client, path);
                let Ok(item) = timeout(ms(longest)?, queue.get()).await else { return ok(false) };
                Ok(words_of(self.item.insert(item?).items()))
            }
            ("take-locking", [longest]) => {
                let queue = LockingQueue::kazoo(client, path);
                let Ok(item) = timeout(ms(longest)?, queue.get()).await else { return ok(false) };
                let (item, words) =
                    item.map(|item| (words_of(item.items()), item)).map(|(words, item)| (item, words))?;
                if item.consume().await? { Ok(words) } else { Err("the item was lost".into()) }
            }
            _ => Err(format!("no verb {verb} with a path and {} words", words.len()).into()),
        }
    }

    async fn run_within(&mut self, verb: &str, longest: Millis) -> Answer {
        let limit = Duration::from_millis(longest.0);
        match (verb, self.object.as_mut().ok_or("it is nothing")?) {
            ("acquire", object) => {
                self.guards = match object {
                    Object::Mutex(mutex) => mutex.acquire_within(longest).await?.into_iter().collect(),
                    Object::Reader(lock) => lock.read_within(longest).await?.into_iter().collect(),
                    Object::Writer(lock) => lock.write_within(longest).await?.into_iter().collect(),
                    Object::Semaphore(semaphore) => {
                        semaphore.acquire_within(1, longest).await?.unwrap_or_default()
                    }
                    _ => return Err("it can't be acquired".into()),
                };
                ok(!self.guards.is_empty())
            }
            ("lead", Object::Latch(latch)) => {
                self.guards =
                    timeout(limit, latch.await_leadership()).await.ok().transpose()?.into_iter().collect();
                ok(!self.guards.is_empty())
            }
            ("lead", Object::Elected(leads, _)) => ok(timeout(limit, leads).await.is_ok()),
            ("enter", Object::DoubleBarrier(barrier)) => {
                self.entered = barrier.enter_within(longest).await?;
                ok(self.entered.is_some())
            }
            ("leave", _) => ok(self.entered.take().ok_or("it is not in")?.leave_within(longest).await?),
            _ => Err(format!("no verb {verb} with a time").into()),
        }
    }

    async fn run_bare(&mut self, verb: &str) -> Answer {
        if verb == "consume" {
            return ok(self.item.take().ok_or("it has no item")?.consume().await?);
        }
        match (verb, self.object.as_mut().ok_or("it is nothing")?) {
            ("release" | "resign", Object::Elected(..)) => {
                self.object = None;
                ok(true)
            }
            ("release" | "resign", _) => {
                for guard in self.guards.drain(..) {
                    guard.release().await?;
                }
                ok(true)
            }
            ("revoked", _) => {
                let revoked = self.guards.first().ok_or("it holds nothing")?.revoked();
                ok(timeout(Duration::from_millis(1), revoked).await.is_ok())
            }
            ("leader", Object::Latch(latch)) => {
                let leader = latch.leader().await?.ok_or("nobody leads")?;
                Ok(format!("ok {}", String::from_utf8_lossy(&leader.id)))
            }
            ("members", Object::Member(_, group)) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let members = group.members().into_iter();
                let mut words: Vec<_> = match self.layout {
                    Layout::Curator => members.map(|(id, data)| format!("{id}={}", text(&data))).collect(),
                    Layout::Kazoo => members.map(|(_, data)| text(&data)).collect(),
                };
                words.sort();
                Ok(format!("ok {}", words.join(" ")))
            }
            ("quit", Object::Member(..)) => match self.object.take() {
                Some(Object::Member(member, _)) => done(member.leave().await),
                _ => Err("it is no member".into()),
            },
            ("share", Object::Partitioner(member)) => {
                self.share = None;
                let share = self.share.insert(member.acquire().await?);
                Ok(format!("ok {}", share.items().collect::<Vec<_>>().join(" ")))
            }
            ("leave-partition", Object::Partitioner(_)) => {
                self.share = None;
                match self.object.take() {
                    Some(Object::Partitioner(member)) => done(member.leave().await),
                    _ => Err("it has no part".into()),
                }
            }
            _ => Err(format!("no verb {verb} without words").into()),
        }
    }
}

/// Stands for leadership; leads until the object is dropped.
fn elect(client: &Client, path: &str, options: ContenderOptions) -> Object {
    let mut selector = LeaderSelector::with_options(client, path, options);
    let (tell, leads) = oneshot::channel();
    let (resign, mut is_over) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut tell = Some(tell);
        let lead = selector.run(|_guard| {
            tell.take().map(|tell| tell.send(()));
            std::future::pending::<std::ops::ControlFlow<()>>()
        });
        tokio::select! {
            biased;
            _ = &mut is_over => {}
            _ = lead => {}
        }
    });
    Object::Elected(leads, resign)
}

async fn add(counter: Counter<Tokio>, by: &str) -> Answer {
    Ok(format!("ok {}", counter.add(by.parse()?).await?))
}

async fn taken<E>(longest: &str, take: impl Future<Output = Result<Items, E>>) -> Answer
where
    Failure: From<E>,
{
    match timeout(ms(longest)?, take).await {
        Ok(items) => Ok(words_of(&items?)),
        Err(_) => ok(false),
    }
}

fn words_of(items: &[bytes::Bytes]) -> String {
    let words: Vec<_> = items.iter().map(|item| String::from_utf8_lossy(item)).collect();
    format!("ok {}", words.join(" "))
}

fn ms(word: &str) -> Result<Duration, Failure> {
    Ok(Duration::from_millis(word.parse()?))
}

fn done(answer: quorate_client::Result<()>) -> Answer {
    answer?;
    ok(true)
}

fn ok(is_done: bool) -> Answer {
    Ok(if is_done { "ok" } else { "no" }.to_owned())
}

async fn serve(mut named: Named, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = named.run(words[1], &words[3..]).await.unwrap_or_else(|error| format!("error {error}"));
        println!("{} {}", words[0], answer.replace('\n', " "));
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, connect, layout] = arguments.as_slice() else {
        return Err("usage: recipe_peer HOST:PORT LAYOUT".into());
    };
    let layout = if layout == "kazoo" { Layout::Kazoo } else { Layout::Curator };
    let client = quorate_client::connect(connect).await?;
    let mut names: HashMap<String, mpsc::UnboundedSender<String>> = HashMap::new();
    println!("ready");
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = input.next_line().await? {
        let name = line.split(' ').nth(2).ok_or("a line has a tag, a verb and a name")?.to_owned();
        let lines = names.entry(name.clone()).or_insert_with(|| {
            let (lines, receiver) = mpsc::unbounded_channel();
            tokio::spawn(serve(Named::new(&client, layout, &name), receiver));
            lines
        });
        lines.send(line)?;
    }
    client.close().await;
    Ok(())
}
