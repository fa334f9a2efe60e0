//! What the values of a setting are: how each kind is read, and with which words a wrong one is refused (`operations.md`
//! §1.1; the words before the expectation are Java's).

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};

/// What the values of a setting are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within bounds, and its unit; ZooKeeper reads it by `Integer.parseInt`.
    Number(i64, i64, &'static str),
    /// The same of a system property that ZooKeeper reads by `Integer.getInteger`: hexadecimal and octal are taken too.
    Decoded(i64, i64, &'static str),
    /// A number with a point.
    Decimal,
    /// `true` or `false` in any case; ZooKeeper refuses the rest, and so does this.
    StrictFlag,
    /// `true` or `false`; ZooKeeper takes everything that is not `true` for false, which hides mistakes, so the rest is refused.
    Flag,
    /// `yes` or `no`; ZooKeeper looks for one of them literally.
    YesNo,
    /// A TCP port.
    Port,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A directory.
    Directory,
    /// A host name or an address; a name is resolved once.
    Host,
    /// Any text.
    Text,
}

/// The value of a setting, read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a number or a port.
    Number(i64),
    /// Of a decimal.
    Decimal(f64),
    /// Of a flag, or of yes and no.
    Flag(bool),
    /// Of a host.
    Address(IpAddr),
    /// Of everything else.
    Text(String),
}

/// Why a value can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// ZooKeeper's own words, or ours where it has none.
    pub text: String,
    /// What would be right.
    pub expected: Option<String>,
}

impl Refusal {
    /// A refusal that says it all in its text.
    pub fn new(text: impl Into<String>) -> Self {
        Refusal { text: text.into(), expected: None }
    }

    /// The same, with what would be right.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.text)?;
        self.expected.as_ref().map_or(Ok(()), |expected| write!(f, "; expected {expected}"))
    }
}

/// As many as an `int` of Java holds.
pub(super) const INT: i64 = i32::MAX as i64;

impl Kind {
    /// Reads the value of `key`.
    pub fn read(self, key: &str, text: &str) -> Result<Value, Refusal> {
        match self {
            Kind::Number(min, max, _) => self.bounded(text, text.parse().ok(), min, max),
            Kind::Decoded(min, max, _) => self.bounded(text, decode(text), min, max),
            Kind::Decimal => match text.parse::<f64>() {
                Ok(n) if n.is_finite() => Ok(Value::Decimal(n)),
                _ => Err(not_a_number(text).expected(self.expectation(text))),
            },
            Kind::StrictFlag | Kind::Flag => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Flag(true)),
                "false" => Ok(Value::Flag(false)),
                _ => Err(Refusal::new(format!("Invalid option {text} for {key}. Choose 'true' or 'false.'"))),
            },
            Kind::YesNo => {
                match text {
                    "yes" => Ok(Value::Flag(true)),
                    "no" => Ok(Value::Flag(false)),
                    _ => Err(Refusal::new(format!("Invalid option {text} for {key}"))
                        .expected(self.expectation(text))),
                }
            }
            Kind::Port => match text.parse::<i64>() {
                Ok(n) if (0..=65_535).contains(&n) => Ok(Value::Number(n)),
                Ok(n) => Err(Refusal::new(format!("port out of range:{n}")).expected(self.expectation(text))),
                Err(_) => Err(not_a_number(text).expected(self.expectation(text))),
            },
            Kind::OneOf(words) => match words.iter().find(|word| **word == text) {
                Some(_) => Ok(Value::Text(text.to_owned())),
                None => Err(Refusal::new(format!("Invalid value {text}")).expected(self.expectation(text))),
            },
            Kind::Directory if text.is_empty() => {
                Err(Refusal::new(format!("{key} is empty")).expected(self.expectation(text)))
            }
            Kind::Host => resolve(text).map(Value::Address),
            Kind::Directory | Kind::Text => Ok(Value::Text(text.to_owned())),
        }
    }

    fn bounded(self, text: &str, read: Option<i64>, min: i64, max: i64) -> Result<Value, Refusal> {
        match read {
            Some(n) if (min..=max).contains(&n) => Ok(Value::Number(n)),
            Some(n) => Err(Refusal::new(format!("{n} is out of range")).expected(self.expectation(text))),
            None => Err(not_a_number(text).expected(self.expectation(text))),
        }
    }

    /// What a right value is; `seen` is what was written instead.
    fn expectation(self, seen: &str) -> String {
        let right = self.to_string();
        match seen.contains('#') {
            true => format!("{right} (a comment needs a line of its own)"),
            false => right,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Kind::Number(min, max, unit) | Kind::Decoded(min, max, unit) => {
                write!(f, "a whole number")?;
                if !unit.is_empty() {
                    write!(f, " of {unit}")?;
                }
                match (min, max) {
                    (..=-2, INT) => Ok(()),
                    (_, INT) => write!(f, ", at least {min}"),
                    _ => write!(f, " from {min} to {max}"),
                }
            }
            Kind::Decimal => f.write_str("a number"),
            Kind::StrictFlag | Kind::Flag => f.write_str("true or false"),
            Kind::YesNo => f.write_str("yes or no"),
            Kind::Port => f.write_str("a port from 0 to 65535"),
            Kind::OneOf(words) => {
                let quoted: Vec<String> = words
                    .iter()
                    .map(|w| if w.is_empty() { "nothing".to_owned() } else { (*w).to_owned() })
                    .collect();
                write!(f, "one of {}", quoted.join(", "))
            }
            Kind::Directory => f.write_str("a directory"),
            Kind::Host => f.write_str("a host name or address"),
            Kind::Text => f.write_str("text"),
        }
    }
}

/// A number as `Integer.decode` takes it: a sign, then decimal, `0x`, `0X` or `#` and hexadecimal, or 0 and octal.
fn decode(text: &str) -> Option<i64> {
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = ["0x", "0X", "#"].iter().find_map(|prefix| magnitude.strip_prefix(prefix));
    let octal = magnitude.strip_prefix('0').filter(|digits| !digits.is_empty());
    let (radix, digits) = match (hexadecimal, octal) {
        (Some(digits), _) => (16, digits),
        (None, Some(digits)) => (8, digits),
        (None, None) => (10, magnitude),
    };
    // A second sign is none of the digits.
    let number = i64::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['+', '-']))?;
    Some(sign * number)
}

/// In the words of `Integer.parseInt`.
pub(in crate::config) fn not_a_number(text: &str) -> Refusal {
    Refusal::new(format!("NumberFormatException: For input string: \"{text}\""))
}

/// One address for a host; names are resolved, and of several addresses the first is taken.
pub(in crate::config) fn resolve(host: &str) -> Result<IpAddr, Refusal> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse() {
        return Ok(address);
    }
    let found = (bare, 0).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    found
        .map(|address| address.ip())
        .ok_or_else(|| Refusal::new(format!("UnknownHostException: {host}")).expected(Kind::Host.to_string()))
}

impl Value {
    /// The number; the table pairs kinds with effects that fit.
    pub(super) fn number(&self) -> u64 {
        u64::try_from(self.signed()).expect("the kind's lower bound is not negative")
    }

    /// The number as a u32.
    pub(super) fn small(&self) -> u32 {
        u32::try_from(self.signed()).expect("the kind's bounds fit")
    }

    /// The number, which may be negative.
    pub(super) fn signed(&self) -> i64 {
        match self {
            Value::Number(n) => *n,
            other => unreachable!("{other:?} where the table promises a number"),
        }
    }

    /// The flag.
    pub(super) fn flag(&self) -> bool {
        match self {
            Value::Flag(flag) => *flag,
            other => unreachable!("{other:?} where the table promises a flag"),
        }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => unreachable!("{other:?} where the table promises text"),
        }
    }

    /// The address.
    pub(super) fn address(&self) -> IpAddr {
        match self {
            Value::Address(address) => *address,
            other => unreachable!("{other:?} where the table promises an address"),
        }
    }
}
