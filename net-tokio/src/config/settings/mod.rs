//! The one table of settings: each row says what a key is called, where it may come from, what its values are, what happens
//! with it, and what it means. Parsing, `quorate check` and the documentation are all derived from it (`operations.md` §2).
//!
//! A row's default is applied like a set value, so the table is the only place that knows it.
//!
//! ```text
//! kind          values and how they are read
//! zoo_cfg       keys that ZooKeeper takes from zoo.cfg only
//! server_side   system properties of a server: clients, disk, quorum
//! protection    TLS, SASL, authentication, audit, the admin server
//! own           what only Quorate has
//! ```

mod kind;
mod own;
mod protection;
mod server_side;
mod zoo_cfg;

use super::draft::Draft;
pub(super) use kind::resolve;
pub use kind::{Kind, Refusal, Value};

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// As zoo.cfg spells it; `ssl.*` stands for every key that begins so and has no row of its own.
    pub key: &'static str,
    /// Where it may come from.
    pub from: From,
    /// What its values are.
    pub kind: Kind,
    /// As it would be written; empty for unset.
    pub default: &'static str,
    /// What happens with it.
    pub effect: Effect,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// Where a setting may come from, besides zoo.cfg, and how it is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// From zoo.cfg only.
    File,
    /// `-Dzookeeper.KEY`.
    Prefixed,
    /// `-DKEY`. ZooKeeper takes these from the command line only; here zoo.cfg may hold them too.
    Bare,
    /// Either of the two.
    Either,
}

/// What happens with a setting.
#[derive(Clone, Copy, Debug)]
pub enum Effect {
    /// It does what ZooKeeper does with it.
    Sets(fn(&mut Draft, &Value)),
    /// The same, for values that can be wrong in ways of their own.
    Checks(fn(&mut Draft, &Value) -> Result<(), Refusal>),
    /// A set value does what ZooKeeper does with it, but unset it differs; the text says how.
    OwnDefault(fn(&mut Draft, &Value), &'static str),
    /// It has an effect, but not quite ZooKeeper's; the text says where they differ.
    Differs(fn(&mut Draft, &Value), &'static str),
    /// ZooKeeper has no such setting.
    Own(fn(&mut Draft, &Value) -> Result<(), Refusal>),
    /// It tunes something that does not exist here; the text says why nothing is lost.
    Inert(&'static str),
    /// Not built. A value for which the function holds asks for it and gets a warning with this text.
    Absent(fn(&Value) -> bool, &'static str),
    /// Not built, and to start without it would be unsafe: a value for which the function holds is refused with this text.
    Protects(fn(&Value) -> bool, &'static str),
    /// A line of the membership; all of them are read together.
    Membership,
}

impl Setting {
    /// A row, so far without an effect.
    const fn new(key: &'static str, from: From, kind: Kind, default: &'static str) -> Self {
        Setting { key, from, kind, default, effect: Effect::Membership, doc: "" }
    }

    /// The row with its effect and meaning.
    const fn is(mut self, effect: Effect, doc: &'static str) -> Self {
        self.effect = effect;
        self.doc = doc;
        self
    }

    /// What every key of this row begins with, if it stands for many.
    pub fn prefix(&self) -> Option<&'static str> {
        self.key.strip_suffix('*')
    }

    /// How the command line of a JVM spells it, if it may.
    pub fn property_name(&self) -> Option<String> {
        match self.from {
            From::File => None,
            From::Prefixed => Some(format!("zookeeper.{}", self.key)),
            From::Bare => Some(self.key.to_owned()),
            From::Either => Some(format!("[zookeeper.]{}", self.key)),
        }
    }

    /// What the table says happens with it, in one word and a text.
    pub fn effect_in_words(&self) -> (&'static str, &'static str) {
        match self.effect {
            Effect::Sets(_) | Effect::Checks(_) => ("as ZooKeeper", ""),
            Effect::Own(_) => ("Quorate's own", ""),
            Effect::Membership => ("as ZooKeeper", ""),
            Effect::OwnDefault(_, text) => ("as ZooKeeper when set", text),
            Effect::Differs(_, text) => ("differs", text),
            Effect::Inert(text) => ("no effect", text),
            Effect::Absent(_, text) => ("not built, warns", text),
            Effect::Protects(_, text) => ("not built, refused", text),
        }
    }
}

/// Every row, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [zoo_cfg::ROWS, server_side::ROWS, protection::ROWS, own::ROWS].into_iter().flatten()
}

/// The row for `key` as zoo.cfg spells it: its own, or the longest that stands for many.
pub fn find(key: &str) -> Option<&'static Setting> {
    all().find(|row| row.key == key && row.prefix().is_none()).or_else(|| {
        let standing_for =
            |row: &&Setting| row.prefix().is_some_and(|p| key.len() > p.len() && key.starts_with(p));
        all().filter(standing_for).max_by_key(|row| row.key.len())
    })
}

/// The known key nearest to a misspelt one.
pub fn nearest(key: &str) -> Option<&'static str> {
    let lower = key.to_lowercase();
    all()
        .filter(|row| row.prefix().is_none())
        .map(|row| (distance(&lower, &row.key.to_lowercase()), row.key))
        .min()
        .filter(|&(edits, known)| edits <= 1 + known.len() / 8)
        .map(|(_, known)| known)
}

/// Levenshtein's: how many letters must be put in, taken out or changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_key_has_two_rows() {
        let mut seen = BTreeSet::new();
        for row in all() {
            assert!(seen.insert(row.key), "{} stands twice in the table", row.key);
        }
        assert!(seen.len() > 150, "the table has only {} rows", seen.len());
    }

    #[test]
    fn every_default_is_a_value_of_its_kind() {
        for row in all().filter(|row| !row.default.is_empty()) {
            assert!(row.kind.read(row.key, row.default).is_ok(), "{}={} is refused", row.key, row.default);
        }
    }

    #[test]
    fn no_default_asks_for_what_is_not_built() {
        for row in all().filter(|row| !row.default.is_empty()) {
            let value = row.kind.read(row.key, row.default).unwrap();
            if let Effect::Absent(asks, _) | Effect::Protects(asks, _) = row.effect {
                assert!(!asks(&value), "{}={} by default", row.key, row.default);
            }
        }
    }

    #[test]
    fn a_row_of_its_own_comes_before_one_for_many() {
        assert_eq!(find("metricsProvider.httpPort").unwrap().key, "metricsProvider.httpPort");
        assert_eq!(find("metricsProvider.foo").unwrap().key, "metricsProvider.*");
        assert_eq!(find("ssl.quorum.keyStore.location").unwrap().key, "ssl.quorum.*");
        assert_eq!(find("ssl.keyStore.location").unwrap().key, "ssl.*");
        assert_eq!(find("server.3").unwrap().key, "server.*");
        assert!(find("server.").is_none());
        assert!(find("serverx").is_none());
    }

    #[test]
    fn misspelt_keys_find_their_neighbour() {
        assert_eq!(nearest("datadir"), Some("dataDir"));
        assert_eq!(nearest("clientport"), Some("clientPort"));
        assert_eq!(nearest("maxClientCnxn"), Some("maxClientCnxns"));
        assert_eq!(nearest("autopurge.snapretaincount"), Some("autopurge.snapRetainCount"));
        assert_eq!(nearest("whatever"), None);
    }
}
