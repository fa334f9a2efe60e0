//! Connect strings: `h1:p1,h2:p2/chroot` (`client-protocol.md` §23).

use super::chroot::Chroot;
use std::fmt;
use std::str::FromStr;

/// The port of a host that names none.
const DEFAULT_PORT: u16 = 2181;

/// Where a server listens; the name is not resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// A name or an address, IPv6 without its brackets.
    pub name: String,
    /// The client port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Where the servers are, and below which node the client lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectString {
    /// At least one, in the order written.
    pub hosts: Vec<Host>,
    /// Put before every path.
    pub chroot: Chroot,
}

/// Why a text is no connect string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectStringError {
    /// Nothing before the chroot.
    #[error("the connect string names no host")]
    NoHost,
    /// Not a port.
    #[error("{0:?} has no valid port")]
    Port(String),
    /// A bracket without its other half, or something behind it that is no port.
    #[error("{0:?} is no address in brackets")]
    Brackets(String),
    /// Not a path.
    #[error("the chroot {0:?} is no valid path")]
    Chroot(String),
    /// `dns-srv://name`.
    #[error("dns-srv connect strings are not supported")]
    DnsSrv,
}

impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("dns-srv://") {
            return Err(ConnectStringError::DnsSrv);
        }
        let (servers, chroot) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text, ""),
        };
        let chroot = Chroot::new(chroot).ok_or_else(|| ConnectStringError::Chroot(chroot.to_owned()))?;
        let servers = servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        let hosts = servers.map(parse_host).collect::<Result<Vec<_>, _>>()?;
        if hosts.is_empty() {
            return Err(ConnectStringError::NoHost);
        }
        Ok(ConnectString { hosts, chroot })
    }
}

fn parse_host(text: &str) -> Result<Host, ConnectStringError> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let brackets = || ConnectStringError::Brackets(text.to_owned());
            let (name, rest) = rest.split_once(']').ok_or_else(brackets)?;
            match rest {
                "" => (name, ""),
                _ => (name, rest.strip_prefix(':').ok_or_else(brackets)?),
            }
        }
        None => text.rsplit_once(':').unwrap_or((text, "")),
    };
    if name.is_empty() {
        return Err(ConnectStringError::NoHost);
    }
    let port = match port {
        "" => DEFAULT_PORT,
        port => port.parse().map_err(|_| ConnectStringError::Port(text.to_owned()))?,
    };
    Ok(Host { name: name.to_owned(), port })
}
