//! `quorate copy`: a subtree from one place to another, between servers or within one, through the client protocol.
//!
//! Kept: paths, data, ACLs. What can't be is told, and counted where it shows: ephemeral nodes live by sessions; containers and nodes with
//! a TTL look like others to every client, and become persistent; zxids, times and versions are the target's; the next number of sequential
//! nodes follows from what was created there: where some of the source's are gone or left out it is a lower one, and a sequential create
//! that comes to the number of a node that was copied is refused.
//!
//! ```text
//! place         where from, where to
//! sequences     where numbers go on otherwise
//! source        reading nodes
//! target        writing them
//! ```
//!
//! Invariants: a node is created with its ACL at once, so that it is never open to others; nothing is removed; the first refusal ends
//! it, and what is written stays. Absent: quotas; following changes. The copy is no snapshot: it shows each node as it was when it
//! was read.

mod place;
mod sequences;
mod source;
mod target;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use place::Place;
use quorate_client::{Client, Millis};
use sequences::Sequences;
use serde_json::json;
use source::{Node, Source};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use target::Target;

/// What `quorate copy` takes.
#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The subtree to copy: HOST:PORT[,HOST:PORT…][/PATH].
    source: Place,
    /// Where it is to stand, written alike; parents that are missing are made.
    target: Place,
    /// An identity to prove at both, as in digest:user:password.
    #[arg(long, value_name = "SCHEME:CREDENTIALS", value_parser = place::identity)]
    auth: Vec<(String, String)>,
    /// Set data and ACLs of nodes that are there already. Without this they are refused.
    #[arg(long)]
    overwrite: bool,
    /// Read everything and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long connecting may take, milliseconds.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout_ms: u64,
    /// Print what it came to as a JSON object.
    #[arg(long)]
    json: bool,
}

/// What a copy came to.
#[derive(Debug, Default)]
struct Account {
    nodes: u64,
    bytes: u64,
    overwritten: u64,
    /// Of those, such as live by a session there.
    stays_ephemeral: u64,
    /// Left out because they live by sessions.
    ephemeral: u64,
    /// Gone before they were read.
    vanished: u64,
    sequences: Sequences,
    has_quota: bool,
}

impl Account {
    fn count(&mut self, node: &Node) {
        self.nodes += 1;
        self.bytes += node.data.as_ref().map_or(0, |data| data.len() as u64);
    }
}

/// Copies, and prints what it came to; 0 if all that can be copied was.
pub(crate) fn main(arguments: &CopyArgs) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut account = Account::default();
    let began = Instant::now();
    let result = runtime.block_on(copy(arguments, &mut account));
    report(arguments, &account, began.elapsed(), result.as_ref().err());
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn copy(arguments: &CopyArgs, account: &mut Account) -> Result<(), String> {
    let (from, to) = (&arguments.source, &arguments.target);
    if from.contains(to) {
        return Err(format!("{to} lies within {from}: the copy would be copied"));
    }
    let progress = ProgressBar::new_spinner();
    progress.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is one"));
    progress.enable_steady_tick(Duration::from_millis(200));
    let source = Source::new(connect(from, arguments).await?, from.path());
    let target = Target::new(connect(to, arguments).await?, to.path(), arguments.overwrite);
    source.catch_up().await?;
    account.has_quota = source.has_quota().await;
    if !arguments.dry_run {
        target.prepare().await?;
    }
    let mut waiting = vec![String::new()];
    while !waiting.is_empty() {
        let begun = waiting.len().saturating_sub(source::AT_ONCE);
        let (nodes, below) = source.read(waiting.split_off(begun), account).await?;
        waiting.extend(below);
        match arguments.dry_run {
            true => nodes.iter().for_each(|node| account.count(node)),
            false => target.write(&nodes, account).await?,
        }
        progress.set_message(format!("{} nodes, {} bytes", account.nodes, account.bytes));
    }
    progress.finish_and_clear();
    source.client.close().await;
    target.client.close().await;
    Ok(())
}

async fn connect(place: &Place, arguments: &CopyArgs) -> Result<Client, String> {
    let failed = |error| format!("{place}: {error}");
    let builder = quorate_client::builder(place.servers()).map_err(failed)?;
    let identities = arguments.auth.iter();
    let builder =
        identities.fold(builder, |builder, (scheme, credentials)| builder.auth(scheme, credentials.clone()));
    builder.connect_timeout(Millis(arguments.timeout_ms)).connect().await.map_err(failed)
}

fn report(arguments: &CopyArgs, account: &Account, took: Duration, failure: Option<&String>) {
    let Account { nodes, bytes, overwritten, stays_ephemeral, ephemeral, vanished, sequences, has_quota } =
        account;
    let renumbered = sequences.renumbered();
    if arguments.json {
        let object = json!({
            "source": arguments.source.to_string(), "target": arguments.target.to_string(), "dry_run": arguments.dry_run,
            "nodes": nodes, "bytes": bytes, "overwritten": overwritten, "stays_ephemeral": stays_ephemeral,
            "ephemeral": ephemeral, "vanished": vanished,
            "renumbered": renumbered, "quota": has_quota, "seconds": took.as_secs_f64(), "error": failure,
        });
        return super::print(&format!("{object}\n"));
    }
    let done = if arguments.dry_run { "would copy" } else { "copied" };
    super::print(&format!(
        "{done} {nodes} nodes with {bytes} bytes from {} to {} in {:.1} s; {overwritten} were there already\n",
        arguments.source,
        arguments.target,
        took.as_secs_f64()
    ));
    let warnings = [
        (true, "containers and nodes with a TTL can't be told from others: their copies stay".to_owned()),
        (
            *ephemeral > 0,
            format!("{ephemeral} ephemeral nodes were left out: they live by sessions of the source"),
        ),
        (
            *stays_ephemeral > 0,
            format!(
                "{stays_ephemeral} nodes were there already as ephemeral ones, and go with their sessions"
            ),
        ),
        (*vanished > 0, format!("{vanished} nodes were gone before they could be read")),
        (
            renumbered > 0,
            format!(
                "below {renumbered} nodes, sequential names will go on from other numbers than in the source: one that was \
                 copied is refused"
            ),
        ),
        (
            *has_quota,
            format!("the quota of {} was not copied: set it with quorate cli setquota", arguments.source),
        ),
    ];
    for (_, warning) in warnings.iter().filter(|(applies, _)| *applies) {
        eprintln!("beware: {warning}");
    }
    if let Some(failure) = failure {
        eprintln!("{failure}");
    }
}
