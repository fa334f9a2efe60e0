//! Which seeds a sweep runs: those of a range, of its shard, that an earlier session has not done; each handed out once, in order.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Seeds end here, so that counting on a little behind the last one is no matter.
const LAST: u64 = 1 << 63;

/// Ranges `from..to` of seeds, in order, that neither meet nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>")]
pub(super) struct Ranges(Vec<(u64, u64)>);

impl From<Vec<(u64, u64)>> for Ranges {
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        let mut all = Ranges::default();
        ranges.into_iter().for_each(|(from, to)| all.insert(from, to));
        all
    }
}

impl Ranges {
    pub(super) fn insert(&mut self, mut from: u64, mut to: u64) {
        if from >= to {
            return;
        }
        let first = self.0.partition_point(|range| range.1 < from);
        let behind = self.0.partition_point(|range| range.0 <= to);
        if let (Some(one), true) = (self.0.get(first), first < behind) {
            (from, to) = (from.min(one.0), to.max(self.0[behind - 1].1));
        }
        self.0.splice(first..behind, [(from, to)]);
    }

    pub(super) fn insert_all(&mut self, others: &Ranges) {
        others.0.iter().for_each(|(from, to)| self.insert(*from, *to));
    }

    /// The end of the range that holds this seed, if one does.
    fn end_around(&self, seed: u64) -> Option<u64> {
        let range = self.0.get(self.0.partition_point(|range| range.1 <= seed))?;
        (range.0 <= seed).then_some(range.1)
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, (from, to)) in self.0.iter().enumerate() {
            write!(f, "{}{from}..{to}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// One of several parts of a range: seeds that leave the same remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    number: u64,
    of: u64,
}

impl Shard {
    pub(super) const WHOLE: Shard = Shard { number: 1, of: 1 };

    fn remainder(self) -> u64 {
        self.number % self.of
    }

    /// The first seed of it from `seed` on.
    fn at_or_after(self, seed: u64) -> u64 {
        seed + (self.remainder() + self.of - seed % self.of) % self.of
    }

    /// How far it is from one of its seeds to the next.
    pub(super) fn stride(self) -> u64 {
        self.of
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, of) = text.split_once('/').ok_or("a shard is written I/N, as in 1/4")?;
        let parsed = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
        let shard = Shard { number: parsed(number)?, of: parsed(of)? };
        let is_one = (1..=shard.of).contains(&shard.number) && shard.of < 1 << 32;
        is_one
            .then_some(shard)
            .ok_or_else(|| format!("{text} is no shard: the first of four is 1/4, the last 4/4"))
    }
}

/// The seeds of a sweep, and up to where they are handed out.
#[derive(Debug)]
pub(super) struct Seeds {
    to: u64,
    shard: Shard,
    /// Those that need not run again.
    done: Ranges,
    next: AtomicU64,
}

impl Seeds {
    pub(super) fn new((from, to): (u64, u64), shard: Shard, done: Ranges) -> Self {
        Seeds { to, shard, done, next: AtomicU64::new(from) }
    }

    /// The first one from `seed` on.
    pub(super) fn at_or_after(&self, seed: u64) -> Option<u64> {
        let mut seed = self.shard.at_or_after(seed);
        while let Some(end) = self.done.end_around(seed) {
            seed = self.shard.at_or_after(end);
        }
        (seed < self.to).then_some(seed)
    }

    /// Hands out the next one.
    pub(super) fn take(&self) -> Option<u64> {
        let mut taken = None;
        let step = |next| {
            taken = self.at_or_after(next);
            taken.map(|seed| seed + 1)
        };
        let handed_out = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        handed_out.ok().and(taken)
    }

    /// How many there are from `seed` on, and not yet handed out or not.
    pub(super) fn count_from(&self, mut seed: u64) -> u64 {
        let below = |end: u64| end.saturating_sub(self.shard.remainder()).div_ceil(self.shard.of);
        let mut count = 0;
        while let Some(first) = self.at_or_after(seed) {
            let behind = self.done.0.partition_point(|range| range.0 <= first);
            let end = self.done.0.get(behind).map_or(self.to, |range| range.0.min(self.to));
            count += below(end) - below(first);
            seed = end;
        }
        count
    }
}

pub(in crate::cli) fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = text.split_once("..").ok_or("seeds are written A..B")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text:?}: {error}"));
    let (from, to) = (number(from)?, number(to)?);
    match (from, to) {
        _ if to > LAST => Err(format!("seeds end at {LAST}")),
        _ if from >= to => Err(format!("{from}..{to} holds no seed")),
        _ => Ok((from, to)),
    }
}

/// `90s`, `5m`, `2h`, or seconds.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("{unit:?} is no unit of time: s, m or h")),
    };
    let number: u64 = number.parse().map_err(|error| format!("{number:?}: {error}"))?;
    let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| format!("in {text} nothing can be done"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(ranges: &[(u64, u64)]) -> Ranges {
        ranges.to_vec().into()
    }

    #[test]
    fn ranges_that_meet_become_one() {
        let mut all = ranges(&[(20, 30), (0, 10), (40, 50)]);
        assert_eq!(all.to_string(), "0..10, 20..30, 40..50");
        all.insert(10, 12);
        all.insert(19, 20);
        all.insert(5, 5);
        assert_eq!(all.to_string(), "0..12, 19..30, 40..50");
        all.insert(11, 45);
        assert_eq!(all.to_string(), "0..50");
        all.insert(52, 53);
        all.insert(60, 61);
        all.insert(51, 61);
        assert_eq!(all.to_string(), "0..50, 51..61");
    }

    #[test]
    fn each_seed_is_of_one_shard_and_handed_out_once() {
        let done = ranges(&[(3, 7), (11, 12), (15, 40)]);
        for of in 1..6 {
            let mut all = Vec::new();
            for number in 1..=of {
                let shard: Shard = format!("{number}/{of}").parse().expect("it is one");
                let seeds = Seeds::new((2, 20), shard, done.clone());
                let count = seeds.count_from(2);
                let mine: Vec<u64> = std::iter::from_fn(|| seeds.take()).collect();
                assert!(mine.iter().all(|seed| seed % of == number % of), "{mine:?} of {shard}");
                assert_eq!(count, mine.len() as u64, "{mine:?} of {shard}");
                assert_eq!(seeds.take(), None);
                all.extend(mine);
            }
            all.sort_unstable();
            assert_eq!(all, [2, 7, 8, 9, 10, 12, 13, 14]);
        }
    }

    #[test]
    fn what_is_no_shard_no_seeds_and_no_time_is_refused() {
        for text in ["", "1", "0/4", "5/4", "1/0", "-1/2", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        for text in ["", "5", "5..5", "6..5", "0..9223372036854775809"] {
            assert!(parse_seeds(text).is_err(), "{text}");
        }
        for text in ["", "m", "0s", "5x", "1.5m", "99999999999999999999h"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        assert_eq!(parse_time("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_time("7"), parse_time("7s"));
    }
}
