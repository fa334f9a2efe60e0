//! `explore`: everything that can happen to a few servers within bounds, and a saved path run again.

use super::report;
use clap::Args;
use quorate_sim::explore::{Beginning, Bounds, End, Path, Progress, Report, explore};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub(super) struct ExploreArguments {
    /// Servers, 2 to 5.
    #[arg(long, default_value_t = 3)]
    servers: u8,
    /// Writes that clients ask leaders for.
    #[arg(long, default_value_t = 2)]
    txns: u8,
    /// Crashes; whoever has crashed starts again, or never.
    #[arg(long, default_value_t = 1)]
    crashes: u8,
    /// How often a server is cut off from all others; that is healed, or never.
    #[arg(long, default_value_t = 1)]
    cuts: u8,
    /// Timers that are due: heartbeats, and the ends of patience. The ends of elections are not counted.
    #[arg(long, default_value_t = 0)]
    timers: u8,
    /// Lets what is said in elections come in all orders, not at once: many more states.
    #[arg(long)]
    all_elections: bool,
    /// Where it begins: elected (one leads, the others follow), or scratch (all have just started).
    #[arg(long, default_value = "elected")]
    from: Beginning,
    /// The most choices in a row; without it, everything.
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true)]
    depth: u32,
    /// The most states that are kept, about 50 bytes each.
    #[arg(long, default_value_t = 20_000_000)]
    max_states: u64,
    /// Saves the path to a violation.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Runs a saved path again instead.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Says how far it is, on stderr.
    #[arg(long)]
    progress: bool,
}

pub(super) fn main(arguments: &ExploreArguments) -> ExitCode {
    let result = match &arguments.replay {
        Some(file) => replay(arguments, file),
        None => run(arguments),
    };
    match result {
        Ok(has_held) => ExitCode::from(u8::from(!has_held)),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &ExploreArguments) -> Result<bool, String> {
    let bounds = Bounds {
        servers: arguments.servers,
        txns: arguments.txns,
        crashes: arguments.crashes,
        cuts: arguments.cuts,
        timers: arguments.timers,
        all_elections: arguments.all_elections,
        from: arguments.from,
        depth: arguments.depth,
        max_states: arguments.max_states,
    };
    bounds.check()?;
    tell_panics(&bounds, arguments.out.clone());
    let cpu = report::cpu_nanos();
    let result = explore(&bounds, |Progress { depth, new, states, transitions }| {
        if arguments.progress {
            eprintln!("depth {depth}: {new} states more, {states} in all, {transitions} transitions");
        }
    });
    let cpu = report::cpu_nanos() - cpu;
    if let (Some(file), Some(path)) = (&arguments.out, &result.path) {
        let shown = file.display();
        std::fs::write(file, path.to_json()).map_err(|error| format!("{shown} can't be written: {error}"))?;
    }
    if arguments.json {
        println!("{}", as_json(&bounds, &result, cpu));
    } else {
        print!("{}", in_words(&result, cpu));
        if let Some(path) = &result.path {
            tell(path)?;
            match &arguments.out {
                Some(file) => println!("replay          quorate-sim explore --replay {}", file.display()),
                None => println!(
                    "replay          run it again with --out FILE, then: quorate-sim explore --replay FILE"
                ),
            }
        }
    }
    Ok(result.violation.is_none())
}

/// A panic of a peer is told with the path to it, and ends the process as a violation does.
fn tell_panics(bounds: &Bounds, out: Option<PathBuf>) {
    let bounds = bounds.clone();
    std::panic::set_hook(Box::new(move |panic| {
        println!("{panic}");
        let path = Path::under_way(&bounds);
        println!("breaks no_panic, behind {} steps", path.len());
        match &out {
            Some(file) if std::fs::write(file, path.to_json()).is_ok() => {
                println!("replay          quorate-sim explore --replay {}", file.display());
            }
            _ => println!("the path        {}", path.to_json()),
        }
        std::process::exit(1);
    }));
}

fn rate(states: u64, cpu_ns: u64) -> u64 {
    (u128::from(states) * 1_000_000_000 / u128::from(cpu_ns.max(1))) as u64
}

fn as_json(bounds: &Bounds, result: &Report, cpu: u64) -> serde_json::Value {
    json!({
        "bounds": bounds,
        "result": result,
        "cpu_seconds": cpu as f64 / 1e9,
        "states_per_cpu_second": rate(result.states, cpu),
    })
}

fn in_words(result: &Report, cpu: u64) -> String {
    let depth = result.depth;
    let verdict = match result.end {
        End::Whole => format!(
            "held: every state that can be reached within these bounds was seen, the farthest at depth {depth}"
        ),
        End::Depth => format!("held: every state up to depth {depth} was seen"),
        End::Full => format!(
            "not complete: --max-states ended it; every state up to depth {depth} was seen, and held, and so did some beyond"
        ),
        End::Broken => "broken".to_owned(),
    };
    format!(
        "states          {} ({} a CPU second)\ntransitions     {}\nfinal states    {}\nof one server   {} states; a peer was at work {} \
         times\nCPU             {:.2} s\nverdict         {verdict}\n",
        result.states,
        rate(result.states, cpu),
        result.transitions,
        result.final_states,
        result.server_states,
        result.worked_out,
        cpu as f64 / 1e9,
    )
}

/// A path in words; true when nothing is broken at its end.
fn tell(path: &Path) -> Result<bool, String> {
    let violation = path.replay(|line| println!("{line}")).map_err(|error| error.to_string())?;
    match &violation {
        Some(violation) => println!("breaks {}: {}", violation.checker, report::shortened(&violation.detail)),
        None => println!("held: {} is not broken any more", path.checker()),
    }
    Ok(violation.is_none())
}

fn replay(arguments: &ExploreArguments, file: &std::path::Path) -> Result<bool, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown} can't be read: {error}"))?;
    let path = Path::from_json(&text).map_err(|error| format!("{shown}: {error}"))?;
    if !arguments.json {
        return tell(&path);
    }
    let mut lines = Vec::new();
    let violation = path.replay(|line| lines.push(line)).map_err(|error| format!("{shown}: {error}"))?;
    println!("{}", json!({ "path": path, "steps": lines, "violation": violation }));
    Ok(violation.is_none())
}
