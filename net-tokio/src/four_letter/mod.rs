//! The four-letter words (`operations.md` §4): what each prints, from a view of the peer and of the process.
//!
//! A word is a file with one function, and a line in [`WORDS`]. Texts are ZooKeeper 3.9's to the byte, because scripts parse
//! them; where it prints things in arbitrary order, here they are sorted.

mod conf;
mod connections;
mod dirs;
mod dump;
mod envi;
mod hash;
mod mntr;
mod resets;
mod srvr;
mod state;
mod trace_mask;
mod watches;

pub(crate) use dirs::DirectorySizes;

use crate::config::{FourLetterWhitelist, ServerConfig};
use crate::metrics::HostMetrics;
use quorate_core::jute::FourLetterCommand;
use quorate_core::peer::Status;
use quorate_core::vocabulary::{ConnId, Millis, Mono, Now};
use std::net::{IpAddr, SocketAddr};

/// What words are answered from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// The peer.
    pub(crate) status: Status<'a>,
    /// What was configured.
    pub(crate) config: &'a ServerConfig,
    /// Both clocks.
    pub(crate) now: Now,
    /// How long the process serves.
    pub(crate) uptime: Millis,
    /// What is measured around the peer.
    pub(crate) host: &'a HostMetrics,
    /// Who asks.
    pub(crate) asking: Option<ConnId>,
    /// The directories' sizes, for the words that [`needs_sizes`] names.
    pub(crate) sizes: DirectorySizes,
}

impl Facts<'_> {
    /// What went to clients: the peer's frames, and answers to words.
    pub(crate) fn packets_sent(&self) -> u64 {
        self.status.metrics().server.packets_sent + self.host.word_packets
    }
}

/// What is sent back, before the connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The reply.
    pub(crate) text: String,
    /// What it promises.
    pub(crate) effect: Effect,
}

/// What a word changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// `srst`.
    ResetServerStats,
    /// `crst`.
    ResetConnectionStats,
    /// `stmk`.
    SetTraceMask(i64),
}

/// A word.
struct Word {
    name: &'static str,
    print: fn(&Facts<'_>) -> String,
    needs: Needs,
}

/// What has to be there for a word to be answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A server that serves.
    Server,
    /// The same, and sizes of directories.
    Sizes,
}

const WORDS: [Word; 17] = [
    Word { name: "conf", print: conf::conf, needs: Needs::Sizes },
    Word { name: "cons", print: connections::cons, needs: Needs::Server },
    Word { name: "crst", print: resets::crst, needs: Needs::Server },
    Word { name: "dirs", print: dirs::dirs, needs: Needs::Sizes },
    Word { name: "dump", print: dump::dump, needs: Needs::Server },
    Word { name: "envi", print: envi::envi, needs: Needs::Nothing },
    Word { name: "gtmk", print: trace_mask::gtmk, needs: Needs::Nothing },
    Word { name: "hash", print: hash::hash, needs: Needs::Server },
    Word { name: "isro", print: state::isro, needs: Needs::Nothing },
    Word { name: "mntr", print: mntr::mntr, needs: Needs::Server },
    Word { name: "ruok", print: state::ruok, needs: Needs::Nothing },
    Word { name: "srst", print: resets::srst, needs: Needs::Server },
    Word { name: "srvr", print: srvr::srvr, needs: Needs::Server },
    Word { name: "stat", print: srvr::stat, needs: Needs::Server },
    Word { name: "wchc", print: watches::wchc, needs: Needs::Server },
    Word { name: "wchp", print: watches::wchp, needs: Needs::Server },
    Word { name: "wchs", print: watches::wchs, needs: Needs::Server },
];

/// Whether the answer to a word needs [`Facts::sizes`], which take calls of the disk.
pub(crate) fn needs_sizes(command: FourLetterCommand, whitelist: &FourLetterWhitelist) -> bool {
    whitelist.allows(command.as_str()) && find(command).is_some_and(|word| word.needs == Needs::Sizes)
}

/// The answer to a word; `argument` is `stmk`'s.
pub(crate) fn answer(command: FourLetterCommand, argument: Option<i64>, facts: &Facts<'_>) -> Answer {
    let name = command.as_str();
    let text = |text: String| Answer { text, effect: Effect::None };
    if !allows(facts, name) {
        return text(format!("{name} is not executed because it is not in the whitelist.\n"));
    }
    if let Some(mask) = argument {
        return Answer { text: trace_mask::stmk(mask), effect: Effect::SetTraceMask(mask) };
    }
    let Some(word) = find(command) else { return text(String::new()) };
    if word.needs != Needs::Nothing && !facts.status.is_serving() {
        let end = if name == "hash" { "" } else { "\n" };
        return text(format!("This ZooKeeper instance is not currently serving requests{end}"));
    }
    let effect = match name {
        "srst" => Effect::ResetServerStats,
        "crst" => Effect::ResetConnectionStats,
        _ => Effect::None,
    };
    Answer { text: (word.print)(facts), effect }
}

fn allows(facts: &Facts<'_>, name: &str) -> bool {
    let implied = name == "srvr" || (name == "isro" && facts.config.peer.switches.read_only_mode);
    implied || facts.config.four_letter.allows(name)
}

fn find(command: FourLetterCommand) -> Option<&'static Word> {
    WORDS.iter().find(|word| word.name == command.as_str())
}

/// An address as Java prints it: `/127.0.0.1:2181`, `/[0:0:0:0:0:0:0:1]:2181`.
fn java_address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => format!("/{ip}:{}", address.port()),
        IpAddr::V6(ip) => {
            let groups = ip.segments().map(|group| format!("{group:x}")).join(":");
            format!("/[{groups}]:{}", address.port())
        }
    }
}

/// The wall-clock time at which the monotonic clock shows `mono`, ms after the epoch.
fn wall_millis(now: Now, mono: Mono) -> i64 {
    let ahead = i128::from(mono.0) - i128::from(now.mono.0);
    (i128::from(now.wall.0) + ahead.div_euclid(1_000_000)) as i64
}

#[cfg(test)]
mod tests {
    use super::{WORDS, java_address};
    use quorate_core::jute::FourLetterCommand;

    #[test]
    fn every_word_that_the_decoder_takes_has_an_answer() {
        let mut words: Vec<_> = WORDS.iter().map(|word| word.name).chain(["stmk"]).collect();
        words.sort_unstable();
        assert_eq!(words, FourLetterCommand::ALL);
    }

    #[test]
    fn addresses_are_printed_as_java_prints_them() {
        assert_eq!(java_address("127.0.0.1:2181".parse().unwrap()), "/127.0.0.1:2181");
        assert_eq!(java_address("[::1]:2181".parse().unwrap()), "/[0:0:0:0:0:0:0:1]:2181");
    }
}
