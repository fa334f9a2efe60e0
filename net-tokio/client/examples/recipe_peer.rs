//! Recipes as a peer of `net-tokio/tests/interop/recipes.py`: reads `tag verb name arguments…` from its standard input, and answers each on a
//! line of its own, `tag ok …`, `tag no` or `tag error …`. What is asked of one name is done in its order, in a task of that name's own.
//!
//! usage: recipe_peer HOST:PORT curator|kazoo

use quorate_client::recipe::{ContenderOptions, Guard, Layout, Mutex};
use quorate_client::{Client, Millis, Tokio};
use std::collections::HashMap;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::sync::mpsc;

type Answer = Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// What a name stands for.
enum Object {
    Mutex(Mutex<Tokio>),
}

/// One name, and what it has.
struct Named {
    client: Client,
    layout: Layout,
    name: String,
    object: Option<Object>,
    guard: Option<Guard<Tokio>>,
}

impl Named {
    fn options(&self) -> ContenderOptions {
        ContenderOptions { layout: self.layout, data: self.name.clone().into(), acl: None }
    }

    fn keep(&mut self, object: Object) -> Answer {
        self.object = Some(object);
        ok(true)
    }

    async fn run(&mut self, verb: &str, words: &[&str]) -> Answer {
        match (verb, words) {
            ("mutex", [path]) => {
                let mutex = Mutex::with_options(&self.client, path, self.options());
                self.keep(Object::Mutex(mutex))
            }
            ("acquire", [longest]) => self.acquire(Millis(longest.parse()?)).await,
            ("release", []) => {
                self.guard.take().ok_or("it holds nothing")?.release().await?;
                ok(true)
            }
            ("revoke", [path]) => {
                let mutex = Mutex::new(&self.client, path);
                let line = mutex.contenders().await?;
                mutex.revoke(line.first().ok_or("nobody holds it")?).await?;
                ok(true)
            }
            ("revoked", []) => {
                let revoked = self.guard.as_ref().ok_or("it holds nothing")?.revoked();
                ok(tokio::time::timeout(std::time::Duration::from_millis(1), revoked).await.is_ok())
            }
            _ => Err(format!("no verb {verb} with {} words", words.len()).into()),
        }
    }

    async fn acquire(&mut self, longest: Millis) -> Answer {
        self.guard = match self.object.as_mut().ok_or("it is nothing")? {
            Object::Mutex(mutex) => mutex.acquire_within(longest).await?,
        };
        ok(self.guard.is_some())
    }
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
            let named = Named { client: client.clone(), layout, name, object: None, guard: None };
            tokio::spawn(serve(named, receiver));
            lines
        });
        lines.send(line)?;
    }
    client.close().await;
    Ok(())
}
