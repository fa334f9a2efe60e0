//! A lock that is not enough, found by the simulator: `cargo run --release -p quorate-sim --example tickets`.
//!
//! Machines give out ticket numbers, one after the other, under a lock of their own making. The lock is an ephemeral node, as in many a
//! program: who can create it has it. It looks right, and every test on one machine passes.

use quorate_core::client::{Client, CreateOptions, Outcome, Result, Runtime};
use quorate_core::vocabulary::{ErrorCode, Version};
use quorate_sim::app::Scene;
use quorate_sim::{Report, Sim};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError};

const LOCK: &str = "/tickets-lock";
const LAST: &str = "/tickets-last";
const SEEDS: u64 = 300;

#[expect(
    clippy::disallowed_types,
    reason = "programs have to be Send, though one thread runs them all; nothing waits"
)]
type Shared<T> = Arc<std::sync::Mutex<T>>;

/// How the number is written.
#[derive(Clone, Copy, Debug)]
enum Write {
    /// Whoever has the lock has it alone, so there is nothing to look at.
    Blindly,
    /// Only over the number that was read: who has lost the lock without knowing writes nothing.
    OverWhatWasRead,
}

/// Waits for the lock. A node that is this machine's already is left of an answer that was lost on its way.
async fn acquire<R: Runtime>(client: &Client<R>, me: &str) -> Result<()> {
    loop {
        match client.get_watched(LOCK).await {
            Ok((value, _)) if value.bytes() == me.as_bytes() => return Ok(()),
            // Gone, or something else has come to pass: it is looked again.
            Ok((_, mut watch)) => drop(watch.next().await),
            Err(error) if error.code() == Some(ErrorCode::NoNode) => {
                match client.create(LOCK, me.to_owned(), &CreateOptions::ephemeral()).await {
                    Err(error) if error.code() == Some(ErrorCode::NodeExists) => {}
                    Err(error) if error.outcome() == Outcome::Unknown => {}
                    created => return created.map(drop),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// The next number, with the lock held.
async fn next_ticket(scene: &Scene, write: Write) -> Result<u64> {
    acquire(&scene.client, &scene.machine.to_string()).await?;
    let number = take_ticket(scene, write).await;
    scene.client.delete(LOCK, Version::ANY).await?;
    number
}

async fn take_ticket(scene: &Scene, write: Write) -> Result<u64> {
    let last = scene.client.get(LAST).await?;
    let text = str::from_utf8(last.bytes()).unwrap_or_default();
    let next = text.parse::<u64>().unwrap_or(0) + 1;
    // Work takes time, and sometimes a machine stands still in it.
    scene.pause(200).await;
    let version = match write {
        Write::Blindly => Version::ANY,
        Write::OverWhatWasRead => last.version(),
    };
    scene.client.set(LAST, next.to_string(), version).await?;
    Ok(next)
}

/// Five machines under everything that breaks. A number that was given twice breaks the rule.
fn sim(seed: u64, write: Write) -> Sim {
    let given: Shared<BTreeMap<u64, u64>> = Arc::default();
    Sim::new(seed).servers(3).clients(5, move |scene| {
        let given = Arc::clone(&given);
        async move {
            scene.ensure(LAST).await;
            while !scene.is_over() {
                scene.pause(1000).await;
                // With an error nobody has a ticket.
                let Ok(number) = next_ticket(&scene, write).await else { continue };
                let before =
                    given.lock().unwrap_or_else(PoisonError::into_inner).insert(number, scene.machine);
                if let Some(before) = before {
                    scene.violate("one_ticket_each", format!("machine {before} has ticket {number}, too"));
                }
            }
            scene.client.close().await;
        }
    })
}

fn main() -> ExitCode {
    let found = |write| -> std::result::Result<Option<Report>, String> {
        Sim::first_failure(0..SEEDS, |seed| sim(seed, write))
    };
    let (broken, repaired) = (found(Write::Blindly), found(Write::OverWhatWasRead));
    match (broken, repaired) {
        (Ok(Some(report)), Ok(None)) => {
            println!("With the lock alone:\n\n{report}\n");
            println!("Over what was read: {SEEDS} seeds, every rule held.");
            ExitCode::SUCCESS
        }
        (broken, repaired) => {
            for report in [broken, repaired] {
                match report {
                    Ok(Some(report)) => println!("{report}"),
                    Ok(None) => println!("{SEEDS} seeds, every rule held"),
                    Err(error) => println!("{error}"),
                }
            }
            ExitCode::FAILURE
        }
    }
}
