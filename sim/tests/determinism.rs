//! Determinism: the same seed is the same run, and whatever could make it another is noticed, and named by the first event that differs.
//! What breaks it is planted through the one seam of free choices, by choosers that misbehave.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "these are what is planted")]

use quorate_sim::{Checks, Choice, Chooser, Key, Plan, Scenario, Seeded, run_twice, run_with};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

const SCENES: [(Scenario, u64); 4] =
    [(Scenario::R0, 1), (Scenario::R1, 101), (Scenario::Rj, 5), (Scenario::Rr(None), 3)];

/// A seed's choices, but for those that `odd` makes.
struct Faulty<F> {
    seeded: Seeded,
    odd: F,
}

impl<F: FnMut(Choice, Key, u64) -> Option<u64>> Chooser for Faulty<F> {
    fn pick(&mut self, kind: Choice, key: Key, n: u64) -> u64 {
        (self.odd)(kind, key, n).unwrap_or_else(|| self.seeded.pick(kind, key, n))
    }
}

fn faulty<F>(seed: u64, odd: F) -> Box<dyn Chooser>
where
    F: FnMut(Choice, Key, u64) -> Option<u64> + 'static,
{
    Box::new(Faulty { seeded: Seeded { seed }, odd })
}

#[test]
fn a_run_is_the_same_each_time() {
    for (scenario, seed) in SCENES {
        let plan = Plan::expand(scenario, seed);
        let (outcome, difference) = run_twice(&plan, || Box::new(Seeded { seed }), Checks::All);
        assert_eq!(difference, None, "{scenario}, seed {seed}");
        let once = run_with(&plan, Box::new(Seeded { seed }), Checks::All, Some(30));
        assert_eq!(once.trace_hash, outcome.trace_hash, "looking closer changes nothing");
        assert_eq!(once.counters, outcome.counters);
    }
}

/// The two runs are told in full; where the first lines differ is where the difference has to be.
#[test]
fn the_first_event_that_differs_is_named() {
    for (scenario, seed) in [(Scenario::R0, 2), (Scenario::R1, 100), (Scenario::Rr(None), 3)] {
        let plan = Plan::expand(scenario, seed);
        // Some call of a disk, deep in the run, takes another time.
        let another = move || {
            faulty(seed, |kind, key, n| (kind == Choice::DiskLatency && key.1 == 200).then_some(n - 1))
        };
        let usual = move || -> Box<dyn Chooser> { Box::new(Seeded { seed }) };
        let tell = |chooser| run_with(&plan, chooser, Checks::All, Some(usize::MAX)).last_events;
        let (told, told_again) = (tell(usual()), tell(another()));
        let parts = told.iter().zip(&told_again).position(|(first, second)| first != second);
        let parts = parts.expect("it makes a difference");
        assert!(parts > 50, "{scenario}, seed {seed}: only {parts} events are the same");
        let mut runs = 0;
        let chooser = || {
            runs += 1;
            if runs == 1 { usual() } else { another() }
        };
        let difference = run_twice(&plan, chooser, Checks::All).1.expect("they differ");
        assert_eq!(difference.event(), Some(parts), "{difference}; {} or {}", told[parts], told_again[parts]);
        let words = difference.to_string();
        let begin = |line: &String| line.trim_start().split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert!(words.contains(&begin(&told[parts])), "{words}: {}", told[parts]);
        assert!(words.contains(&begin(&told_again[parts])), "{words}: {}", told_again[parts]);
    }
}

fn is_caught(what: &str, chooser: impl Fn(u64) -> Box<dyn Chooser>) {
    for (scenario, seed) in SCENES {
        let (_, difference) = run_twice(&Plan::expand(scenario, seed), || chooser(seed), Checks::All);
        let difference =
            difference.unwrap_or_else(|| panic!("{what} is not seen in {scenario}, seed {seed}"));
        let words = difference.to_string();
        assert!(difference.event().is_some() && words.contains("the second:"), "{words}");
    }
}

/// What every scenario chooses all the time.
fn is_common(kind: Choice) -> bool {
    matches!(kind, Choice::NetLatency | Choice::DiskLatency | Choice::Scene)
}

#[test]
fn a_number_that_outlives_a_run_is_caught() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    is_caught("a global counter", |seed| {
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        faulty(seed, move |kind, key, n| {
            is_common(kind).then(|| Seeded { seed: seed + run % 2 }.pick(kind, key, n))
        })
    });
}

#[test]
fn a_clock_is_caught() {
    is_caught("a clock", |seed| {
        faulty(seed, |kind, _, n| {
            let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is late");
            is_common(kind).then_some(passed.as_nanos() as u64 % n)
        })
    });
}

#[test]
fn the_order_of_a_hash_table_is_caught() {
    is_caught("a hash table", |seed| {
        let table: HashSet<u64> = (0..1000).collect();
        faulty(seed, move |kind, key, n| {
            let which = Seeded { seed }.pick(kind, key, 1000) as usize;
            is_common(kind).then(|| table.iter().nth(which).map_or(0, |number| number % n))
        })
    });
}

/// It is the same in each run that asks the same, so only asking each question twice shows it.
#[test]
fn a_chooser_that_counts_its_questions_is_caught() {
    is_caught("a count of questions", |seed| {
        let mut asked = 0;
        faulty(seed, move |kind, _, n| {
            asked += 1;
            is_common(kind).then(|| Seeded { seed }.pick(kind, Key(asked, 0, 0), n))
        })
    });
}
