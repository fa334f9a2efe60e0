//! Summaries of values: what is kept of them, and how averages are printed.

use std::fmt;

/// Average, minimum, maximum, count and sum. Without a value everything is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    count: u64,
    sum: i64,
    min: i64,
    max: i64,
}

impl Summary {
    /// Takes one value.
    pub fn add(&mut self, value: i64) {
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        } else {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their sum.
    pub fn sum(&self) -> i64 {
        self.sum
    }

    /// The smallest.
    pub fn min(&self) -> i64 {
        self.min
    }

    /// The largest.
    pub fn max(&self) -> i64 {
        self.max
    }

    /// Their average.
    pub fn average(&self) -> Decimal4 {
        if self.count == 0 {
            return Decimal4(0);
        }
        let scaled = i128::from(self.sum) * 10_000;
        let count = i128::from(self.count);
        // Half is rounded up, also below zero, as Java's Math.round does.
        Decimal4((2 * scaled + count).div_euclid(2 * count) as i64)
    }
}

/// A number of ten-thousandths, printed as Java prints the double: `0.0`, `15.4545`, `1.25E7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Decimal4(pub i64);

impl fmt::Display for Decimal4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let value = self.0.unsigned_abs();
        let (whole, fraction) = (value / 10_000, value % 10_000);
        if whole >= 10_000_000 {
            let digits = value.to_string();
            let exponent = digits.len() - 5;
            let rest = digits[1..].trim_end_matches('0');
            let rest = if rest.is_empty() { "0" } else { rest };
            return write!(f, "{sign}{}.{rest}E{exponent}", &digits[..1]);
        }
        if whole == 0 && (1..10).contains(&fraction) {
            return write!(f, "{sign}{fraction}.0E-4");
        }
        let fraction = format!("{fraction:04}");
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
    }
}

/// Values kept for percentiles.
const RESERVOIR: usize = 512;

/// A summary that also knows percentiles, from a uniform sample of what it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AdvancedSummary {
    basic: Summary,
    reservoir: Vec<i64>,
}

impl AdvancedSummary {
    /// Takes one value.
    pub fn add(&mut self, value: i64) {
        self.basic.add(value);
        if self.reservoir.len() < RESERVOIR {
            self.reservoir.push(value);
            return;
        }
        // Vitter's algorithm R: the n-th value replaces a kept one with probability RESERVOIR / n.
        let count = self.basic.count;
        let place = (u128::from(scatter(count)) * u128::from(count)) >> 64;
        if let Some(kept) = self.reservoir.get_mut(place as usize) {
            *kept = value;
        }
    }

    /// Everything but the percentiles.
    pub fn basic(&self) -> &Summary {
        &self.basic
    }

    /// The value below which `thousandths` of all values lie, interpolated; 0 without values.
    pub fn percentile(&self, thousandths: u32) -> i64 {
        let mut sorted = self.reservoir.clone();
        sorted.sort_unstable();
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return 0 };
        let position = u64::from(thousandths) * (sorted.len() as u64 + 1);
        let (index, rest) = ((position / 1000) as usize, (position % 1000) as i64);
        if index == 0 {
            return *first;
        }
        if index >= sorted.len() {
            return *last;
        }
        let (below, above) = (sorted[index - 1], sorted[index]);
        below + (i128::from(above - below) * i128::from(rest) + 500).div_euclid(1000) as i64
    }
}

/// A number that looks random and depends on nothing but `n` (the finaliser of splitmix64).
fn scatter(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
