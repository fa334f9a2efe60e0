//! Where a copy comes from or goes to: servers, and a path there.

use quorate_core::tree::path;
use std::fmt;
use std::str::FromStr;

/// Servers and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    servers: String,
    /// "" for the root.
    path: String,
}

impl Place {
    pub(super) fn servers(&self) -> &str {
        &self.servers
    }

    /// The path, "" for the root.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether `other`, by its spelling, is within this subtree. Servers may have other names; then nobody can tell.
    pub(super) fn contains(&self, other: &Place) -> bool {
        let rest = other.path.strip_prefix(&self.path);
        self.servers == other.servers && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (servers, path) = text.split_at(text.find('/').unwrap_or(text.len()));
        servers.parse::<quorate_client::ConnectString>().map_err(|error| error.to_string())?;
        let path = if path == "/" { "" } else { path };
        match path.is_empty() || path::validate(path).is_ok() {
            true => Ok(Place { servers: servers.to_owned(), path: path.to_owned() }),
            false => Err(format!("{path:?} is no path of a znode")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.servers, if self.path.is_empty() { "/" } else { &self.path })
    }
}

/// Takes `scheme:credentials`.
///
/// # Errors
/// What was expected.
pub(super) fn identity(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').filter(|(scheme, _)| !scheme.is_empty());
    parts
        .map(|(scheme, credentials)| (scheme.to_owned(), credentials.to_owned()))
        .ok_or_else(|| "expected SCHEME:CREDENTIALS, as in digest:user:password".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_servers_and_a_path() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(place("h:1,i:2/a/b").map(|place| place.to_string()).as_deref(), Ok("h:1,i:2/a/b"));
        assert_eq!(place("h/").map(|place| place.path).as_deref(), Ok(""));
        assert!(place("/a").is_err() && place("h:1/a/").is_err());
        let within = |a: &str, b: &str| place(a).is_ok_and(|a| place(b).is_ok_and(|b| a.contains(&b)));
        assert!(within("h/a", "h/a/b") && within("h/", "h/a") && within("h/a", "h/a"));
        assert!(!within("h/a", "h/ab") && !within("h/a", "i/a/b") && !within("h/a/b", "h/a"));
    }
}
