//! The lines of a configuration: `server.N`, `group.N`, `weight.N`, and `version` where Java exchanges them.
//!
//! The same text stands in notifications, in NEWLEADER, in `/zookeeper/config` and, without its version, in files
//! (`quorum-protocol.md` §2.1, `operations.md` §3). Written are only forms that every Java from 3.5 on reads.

use super::ServerSet;
use super::membership::{ConfigVersion, Membership, MembershipError, Role, Server, ServerAddresses};
use crate::vocabulary::{ServerId, Zxid};
use std::collections::BTreeMap;
use std::fmt;

/// One line of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberLine {
    /// `server.N=…`
    Server(ServerId, Server),
    /// `group.N=a:b:c`
    Group(i64, ServerSet),
    /// `weight.N=w`
    Weight(ServerId, u64),
    /// `version=<hex>`
    Version(ConfigVersion),
}

impl MemberLine {
    /// Reads one line, cut at its `=`.
    ///
    /// # Errors
    /// When the key does not belong into a configuration, or the value is none of that key.
    pub fn parse(key: &str, value: &str) -> Result<Self, MembershipError> {
        if let Some(id) = key.strip_prefix("server.") {
            let number = number(id)?;
            return Ok(MemberLine::Server(server_id(number)?, Server::parse(number, value)?));
        }
        if let Some(group) = key.strip_prefix("group.") {
            let ids = value.split(':').map(|id| server_id(number(id)?)).collect::<Result<_, _>>()?;
            return Ok(MemberLine::Group(number(group)?, ids));
        }
        if let Some(id) = key.strip_prefix("weight.") {
            let weight = value.trim().parse().map_err(|_| MembershipError::Number(value.to_owned()))?;
            return Ok(MemberLine::Weight(server_id(number(id)?)?, weight));
        }
        if key == "version" {
            let version = i64::from_str_radix(value.trim(), 16);
            let version = version.map_err(|_| MembershipError::Number(value.to_owned()))?;
            return Ok(MemberLine::Version(ConfigVersion(Zxid(version))));
        }
        Err(MembershipError::Key(key.to_owned()))
    }
}

impl Membership {
    /// Puts lines together; of two for the same server the last counts.
    ///
    /// # Errors
    /// As [`Membership::new`].
    pub fn from_lines(lines: impl IntoIterator<Item = MemberLine>) -> Result<Self, MembershipError> {
        let mut version = ConfigVersion::default();
        let (mut servers, mut groups, mut weights) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for line in lines {
            match line {
                MemberLine::Server(id, server) => drop(servers.insert(id, server)),
                MemberLine::Group(group, members) => drop(groups.insert(group, members)),
                MemberLine::Weight(id, weight) => drop(weights.insert(id, weight)),
                MemberLine::Version(stated) => version = stated,
            }
        }
        Membership::new(version, servers, groups, weights)
    }

    /// Reads a whole text.
    ///
    /// # Errors
    /// As [`MemberLine::parse`] and [`Membership::new`].
    pub fn parse(text: &str) -> Result<Self, MembershipError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|line| {
            let (key, value) = line.split_once('=').ok_or_else(|| MembershipError::Key(line.to_owned()))?;
            MemberLine::parse(key.trim(), value.trim())
        });
        Membership::from_lines(lines.collect::<Result<Vec<_>, _>>()?)
    }
}

/// As Java writes it: a version behind the lines, and no newline at the end.
impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, server) in self.servers() {
            writeln!(f, "server.{}={server}", id.0)?;
        }
        for (group, members) in self.groups() {
            let members: Vec<String> = members.iter().map(|id| id.0.to_string()).collect();
            writeln!(f, "group.{group}={}", members.join(":"))?;
        }
        if !self.groups().is_empty() {
            for (id, weight) in self.weights() {
                writeln!(f, "weight.{}={weight}", id.0)?;
            }
        }
        write!(f, "version={:x}", self.version().0.0)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Participant => "participant",
            Role::Observer => "observer",
        };
        for (nth, address) in self.addresses.iter().enumerate() {
            let between = if nth == 0 { "" } else { "|" };
            write!(f, "{between}{}:{}:{}", Host(&address.host), address.quorum_port, address.election_port)?;
        }
        write!(f, ":{role}")?;
        match &self.client {
            None => Ok(()),
            Some((host, port)) => write!(f, ";{}:{port}", Host(host)),
        }
    }
}

/// A host as it stands in front of a colon.
struct Host<'a>(&'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

impl Server {
    /// `addr[|addr…][;[host:]port[;[host:]port]]`, `addr = host:quorumPort:electionPort[:role]`. The third part, a secure
    /// client address, is Java 3.10's; it is read over.
    fn parse(id: i64, value: &str) -> Result<Self, MembershipError> {
        let malformed = || MembershipError::Form(value.to_owned());
        let mut parts = value.splitn(3, ';').map(str::trim);
        let stated = parts.next().unwrap_or("");
        let client = match parts.next() {
            None | Some("") => None,
            Some(client) => Some(parse_client(client).ok_or_else(malformed)?),
        };
        let (mut addresses, mut role) = (Vec::new(), Role::Participant);
        for address in stated.split('|') {
            let fields = split_host(address.trim()).ok_or_else(malformed)?;
            let ([host, quorum, election] | [host, quorum, election, _]) = fields.as_slice() else {
                return Err(malformed());
            };
            let (quorum_port, election_port) =
                parse_port(quorum).zip(parse_port(election)).ok_or_else(malformed)?;
            if quorum_port == election_port {
                return Err(MembershipError::SamePort(id));
            }
            if let Some(kind) = fields.get(3) {
                role = parse_role(kind)?;
            }
            addresses.push(ServerAddresses { host: (*host).to_owned(), quorum_port, election_port });
        }
        Ok(Server { addresses, role, client })
    }
}

fn parse_role(kind: &str) -> Result<Role, MembershipError> {
    match kind.trim().to_lowercase().as_str() {
        "participant" => Ok(Role::Participant),
        "observer" => Ok(Role::Observer),
        _ => Err(MembershipError::Role(kind.to_owned())),
    }
}

fn parse_client(text: &str) -> Option<(String, u16)> {
    match split_host(text)?.as_slice() {
        [port] => Some(("0.0.0.0".to_owned(), parse_port(port)?)),
        [host, port] => Some(((*host).to_owned(), parse_port(port)?)),
        _ => None,
    }
}

/// Splits at colons outside of brackets, so that an IPv6 address is one field.
fn split_host(text: &str) -> Option<Vec<&str>> {
    let Some(rest) = text.strip_prefix('[') else { return Some(text.split(':').collect()) };
    let (host, rest) = rest.split_once(']')?;
    let rest = rest.strip_prefix(':')?;
    Some(std::iter::once(host).chain(rest.split(':')).collect())
}

fn parse_port(text: &str) -> Option<u16> {
    text.trim().parse().ok()
}

fn number(text: &str) -> Result<i64, MembershipError> {
    text.trim().parse().map_err(|_| MembershipError::Number(text.to_owned()))
}

fn server_id(number: i64) -> Result<ServerId, MembershipError> {
    u8::try_from(number)
        .ok()
        .filter(|id| *id < u8::MAX)
        .map(ServerId)
        .ok_or(MembershipError::ServerId(number))
}
