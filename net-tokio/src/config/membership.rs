//! The lines that name the servers of an ensemble: `server.N`, `group.N`, `weight.N` (`operations.md` §3).
//!
//! Ensembles are not built yet; the lines are read all the same, since a single one makes a standalone server and may say
//! where its clients connect, and since a mistake in them should be told in ZooKeeper's words.

use super::settings::{Refusal, not_a_number};
use std::collections::BTreeMap;

const FORM: &str = " does not have the form server_config or server_config;client_config where server_config is the pipe \
                    separated list of host:port:port or host:port:port:type and client_config is port or host:port";

/// The largest id of a server: ids are the top byte of session ids.
const LAST_ID: i64 = 254;

/// The servers by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    servers: BTreeMap<i64, Member>,
}

/// One server of an ensemble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Whether it votes.
    pub(super) role: Role,
    /// Host and port for its clients, when its line says.
    pub(super) client: Option<(String, u16)>,
}

/// What a server does in an ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It votes.
    Participant,
    /// It only learns.
    Observer,
}

impl Membership {
    /// Takes one line in; a second line for the same id replaces the first.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        let number = |text: &str| text.parse::<i64>().map_err(|_| not_a_number(text));
        if let Some(id) = key.strip_prefix("server.") {
            let id = number(id)?;
            if !(0..=LAST_ID).contains(&id) {
                return Err(Refusal::new(format!(
                    "{id} can't be the top byte of session ids, and 255 marks the owners of nodes with a TTL"
                ))
                .expected(format!("an id from 0 to {LAST_ID}")));
            }
            self.servers.insert(id, parse_member(id, value)?);
        } else if let Some(group) = key.strip_prefix("group.") {
            number(group)?;
            value.split(':').try_for_each(|id| number(id).map(drop))?;
        } else if let Some(server) = key.strip_prefix("weight.") {
            number(server)?;
            number(value)?;
        } else if key == "version" {
            return Err(Refusal::new("dynamic file shouldn't have version inside"));
        } else {
            return Err(Refusal::new(format!("Unrecognised parameter: {key}")));
        }
        Ok(())
    }

    /// How many servers have this role.
    pub(super) fn count(&self, role: Role) -> usize {
        self.servers.values().filter(|member| member.role == role).count()
    }

    /// Where the clients of this server connect.
    pub(super) fn client_address(&self, id: i64) -> Option<(&str, u16)> {
        let (host, port) = self.servers.get(&id)?.client.as_ref()?;
        Some((host, *port))
    }

    /// Where the clients of the only participant connect: its id, host and port.
    pub(super) fn sole_client_address(&self) -> Option<(i64, &str, u16)> {
        let (id, member) = self.servers.iter().find(|(_, member)| member.role == Role::Participant)?;
        member.client.as_ref().map(|(host, port)| (*id, host.as_str(), *port))
    }
}

/// `addr[|addr…][;[host:]port[;[host:]port]]`, `addr = host:quorumPort:electionPort[:role]`.
fn parse_member(id: i64, value: &str) -> Result<Member, Refusal> {
    let malformed = || Refusal::new(format!("{value}{FORM}"));
    let mut parts = value.splitn(2, ';');
    let addresses = parts.next().unwrap_or("").trim();
    let client = match parts.next().map(|client| client.split(';').next().unwrap_or("").trim()) {
        None | Some("") => None,
        Some(client) => {
            let fields = split_host(client).ok_or_else(malformed)?;
            let (host, port) = match fields.as_slice() {
                [port] => ("0.0.0.0", port),
                [host, port] => (*host, port),
                _ => return Err(malformed()),
            };
            Some((host.to_owned(), parse_port(port).ok_or_else(malformed)?))
        }
    };
    let mut role = Role::Participant;
    for address in addresses.split('|') {
        let fields = split_host(address.trim()).ok_or_else(malformed)?;
        let (quorum, election, kind) = match fields.as_slice() {
            [_, quorum, election] => (quorum, election, None),
            [_, quorum, election, kind] => (quorum, election, Some(kind)),
            _ => return Err(malformed()),
        };
        let (quorum, election) = (parse_port(quorum), parse_port(election));
        if quorum.ok_or_else(malformed)? == election.ok_or_else(malformed)? {
            let text =
                "Client and election port must be different! Please update the configuration file on server.";
            return Err(Refusal::new(format!("{text}{id}")));
        }
        role = match kind.map(|kind| kind.to_lowercase()).as_deref() {
            None => role,
            Some("participant") => Role::Participant,
            Some("observer") => Role::Observer,
            Some(_) => {
                let text = format!("Unrecognised peertype: {}", kind.expect("it was matched"));
                return Err(Refusal::new(text).expected("participant or observer"));
            }
        };
    }
    Ok(Member { role, client })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let (key, value) = line.split_once('=').unwrap();
        let mut membership = Membership::default();
        match membership.take(key, value) {
            Ok(()) => match membership.servers.pop_first() {
                Some((id, Member { role, client })) => format!("{id} {role:?} {client:?}"),
                None => "taken".to_owned(),
            },
            Err(refusal) => refusal.text.replace(FORM, " <form>"),
        }
    }

    #[test]
    fn server_lines() {
        let cases = [
            ("server.1=zk1:2888:3888", "1 Participant None"),
            ("server.1=zk1:2888:3888;2181", "1 Participant Some((\"0.0.0.0\", 2181))"),
            ("server.1=zk1:2888:3888:observer;10.0.0.1:2181", "1 Observer Some((\"10.0.0.1\", 2181))"),
            ("server.1=zk1:2888:3888:Participant", "1 Participant None"),
            ("server.2=[::1]:2888:3888;[::]:2181", "2 Participant Some((\"::\", 2181))"),
            ("server.1=a:1:2|b:3:4:observer;2181;2281", "1 Observer Some((\"0.0.0.0\", 2181))"),
            ("server.1=zk1:2888:3888;;2281", "1 Participant None"),
            ("server.1=zk1:2888", "zk1:2888 <form>"),
            ("server.1=zk1", "zk1 <form>"),
            ("server.1=zk1:a:b", "zk1:a:b <form>"),
            ("server.1=[::1:2888:3888", "[::1:2888:3888 <form>"),
            ("server.1=zk1:2888:3888;a:b:c", "zk1:2888:3888;a:b:c <form>"),
            ("server.1=zk1:2888:3888:boss", "Unrecognised peertype: boss"),
            (
                "server.1=zk1:2888:2888",
                "Client and election port must be different! Please update the configuration file on server.1",
            ),
            ("server.x=zk1:2888:3888", "NumberFormatException: For input string: \"x\""),
            ("group.1=1:2:3", "taken"),
            ("group.1=1:b", "NumberFormatException: For input string: \"b\""),
            ("weight.1=2", "taken"),
            ("version=100000000", "dynamic file shouldn't have version inside"),
            ("tickTime=1", "Unrecognised parameter: tickTime"),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), expected, "of {line}");
        }
    }
}
