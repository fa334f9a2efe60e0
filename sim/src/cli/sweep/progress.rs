//! How far a sweep is: a bar on a terminal, a plain line now and then where nobody looks on.

use super::super::stopwatch::Stopwatch;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Between two lines.
const PAUSE: Duration = Duration::from_secs(30);

pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { title: String, of: u64, started: Stopwatch, told: Stopwatch },
    Silent,
}

impl Progress {
    /// Of a sweep of so many seeds. Lines go to standard error, so that what is printed stays what it is.
    pub(super) fn new(title: String, of: u64, is_json: bool) -> Self {
        if !std::io::stderr().is_terminal() {
            return Progress::Lines { title, of, started: Stopwatch::start(), told: Stopwatch::start() };
        }
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
        match style {
            Ok(style) if !is_json => Progress::Bar(ProgressBar::new(of).with_style(style)),
            _ => Progress::Silent,
        }
    }

    pub(super) fn tick(&mut self, count: u64) {
        match self {
            Progress::Bar(bar) => bar.set_position(count),
            Progress::Lines { title, of, started, told } if told.passed() >= PAUSE => {
                *told = Stopwatch::start();
                eprintln!("{}", line(title, (count, *of), started.passed()));
            }
            Progress::Lines { .. } | Progress::Silent => {}
        }
    }

    pub(super) fn end(&self) {
        if let Progress::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(title: &str, (count, of): (u64, u64), passed: Duration) -> String {
    let rate = count as f64 / passed.as_secs_f64().max(0.001);
    let left = (of - count) as f64 / rate.max(0.001);
    format!("{title}: {count} of {of} seeds, {rate:.1} a second, {} left", minutes(left as u64))
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is() {
        let passed = Duration::from_secs(30);
        assert_eq!(line("r1", (600, 3000), passed), "r1: 600 of 3000 seeds, 20.0 a second, 2 min 0 s left");
        assert_eq!(line("r1", (3000, 3000), passed), "r1: 3000 of 3000 seeds, 100.0 a second, 0 s left");
        assert_eq!(minutes(7200 + 61), "2 h 1 min");
    }
}
