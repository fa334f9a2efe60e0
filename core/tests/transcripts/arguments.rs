//! The words of a command: some bare, some `key=value`. `~` is null, `""` is empty.

use bytes::Bytes;
use quorate_core::jute::{Acl, Id, Permissions};

pub(crate) struct Arguments<'a> {
    bare: Vec<&'a str>,
    keyed: Vec<(&'a str, &'a str)>,
}

impl<'a> Arguments<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let (mut bare, mut keyed) = (Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some((key, value)) if !key.is_empty() && !key.contains('/') => keyed.push((key, value)),
                _ => bare.push(word),
            }
        }
        Arguments { bare, keyed }
    }

    pub(crate) fn bare(&self, place: usize) -> &'a str {
        self.bare.get(place).unwrap_or_else(|| panic!("word {place} is missing"))
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.bare.contains(&word)
    }

    pub(crate) fn rest(&self, from: usize) -> impl Iterator<Item = &'a str> + '_ {
        self.bare.iter().skip(from).copied()
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.keyed.iter().find(|(own, _)| *own == key).map(|(_, value)| *value)
    }

    pub(crate) fn keyed(&self) -> impl Iterator<Item = (&'a str, &'a str)> + '_ {
        self.keyed.iter().copied()
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.value(key).map(number)
    }

    pub(crate) fn path(&self, place: usize) -> Option<String> {
        text(self.bare(place))
    }

    pub(crate) fn data(&self) -> Option<Bytes> {
        match self.value("data") {
            None => Some(Bytes::new()),
            Some(spec) => match spec.strip_prefix('*') {
                Some(count) => Some(Bytes::from(vec![b'x'; number(count) as usize])),
                None => text(spec).map(Bytes::from),
            },
        }
    }

    pub(crate) fn version(&self) -> i32 {
        self.number("v").unwrap_or(-1) as i32
    }

    /// `world:anyone:31,digest:user:hash:1`: scheme up to the first colon, permissions behind the last.
    pub(crate) fn acl(&self) -> Option<Vec<Acl>> {
        match self.value("acl") {
            None => Some(Acl::open()),
            Some("~") => None,
            Some("\"\"") => Some(Vec::new()),
            Some(list) => Some(list.split(',').map(acl_entry).collect()),
        }
    }
}

pub(crate) fn number(text: &str) -> i64 {
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).expect("a hexadecimal number"),
        None => text.parse().unwrap_or_else(|_| panic!("{text} is no number")),
    }
}

/// A string as scripts write it: `\0` is a NUL, `\s` a space.
pub(crate) fn text(word: &str) -> Option<String> {
    match word {
        "~" => None,
        "\"\"" => Some(String::new()),
        word => Some(word.replace("\\0", "\0").replace("\\s", " ")),
    }
}

fn acl_entry(entry: &str) -> Acl {
    let (scheme, rest) = entry.split_once(':').expect("an ACL entry has a scheme");
    let (id, perms) = rest.rsplit_once(':').expect("an ACL entry has permissions");
    Acl { perms: Permissions(number(perms) as i32), id: Id { scheme: text(scheme), id: text(id) } }
}
