//! The lines that name the servers of an ensemble: `server.N`, `group.N`, `weight.N` (`operations.md` §3).
//!
//! A single server makes a standalone one, and may say where its clients connect. A mistake in a line is told in ZooKeeper's words.

use super::settings::Refusal;
use quorate_core::quorum::{self, ConfigVersion, MemberLine, MembershipError, Role, Server};
use quorate_core::vocabulary::{ServerId, Zxid};
use std::collections::BTreeMap;

/// The servers by id, and all lines in the order they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Membership {
    servers: BTreeMap<ServerId, Server>,
    lines: Vec<MemberLine>,
}

impl Membership {
    /// Takes one line in; a second line for the same id replaces the first.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<(), Refusal> {
        let line = MemberLine::parse(key, value).map_err(refusal)?;
        match &line {
            MemberLine::Server(id, server) => drop(self.servers.insert(*id, server.clone())),
            MemberLine::Group(..) | MemberLine::Weight(..) => {}
            MemberLine::Version(_) => return Err(Refusal::new("dynamic file shouldn't have version inside")),
        }
        self.lines.push(line);
        Ok(())
    }

    /// The version that the name of a dynamic file ends with, if it does: Java names them by it.
    pub(super) fn take_version_of(&mut self, file: &str) {
        let suffix = file.rsplit_once('.').and_then(|(_, suffix)| i64::from_str_radix(suffix, 16).ok());
        if let Some(version) = suffix {
            self.lines.push(MemberLine::Version(ConfigVersion(Zxid(version))));
        }
    }

    /// The ensemble that the lines describe.
    pub(super) fn ensemble(&self) -> Result<quorum::Membership, Refusal> {
        quorum::Membership::from_lines(self.lines.iter().cloned()).map_err(refusal)
    }

    /// How many servers have this role.
    pub(super) fn count(&self, role: Role) -> usize {
        self.servers.values().filter(|server| server.role == role).count()
    }

    /// Where the clients of this server connect.
    pub(super) fn client_address(&self, id: i64) -> Option<(&str, u16)> {
        let id = u8::try_from(id).ok().map(ServerId)?;
        let (host, port) = self.servers.get(&id)?.client.as_ref()?;
        Some((host, *port))
    }

    /// Where the clients of the only participant connect: its id, host and port.
    pub(super) fn sole_client_address(&self) -> Option<(i64, &str, u16)> {
        let (id, server) = self.servers.iter().find(|(_, server)| server.role == Role::Participant)?;
        server.client.as_ref().map(|(host, port)| (i64::from(id.0), host.as_str(), *port))
    }
}

fn refusal(error: MembershipError) -> Refusal {
    let refusal = Refusal::new(error.to_string());
    match error {
        MembershipError::Role(_) => refusal.expected("participant or observer"),
        _ => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_stands_in_the_name_of_the_file() {
        let cases = [
            ("/conf/zoo.cfg.dynamic.100000157", 0x1_0000_0157),
            ("/conf/zoo.cfg.dynamic", 0),
            ("/conf/dynamic", 0),
            ("/conf/zoo.cfg.dynamic.ffffffffffffffffff", 0),
        ];
        for (file, version) in cases {
            let mut membership = Membership::default();
            membership.take("server.1", "zk1:2888:3888").unwrap();
            membership.take_version_of(file);
            assert_eq!(membership.ensemble().unwrap().version(), ConfigVersion(Zxid(version)), "of {file}");
        }
    }

    fn read(line: &str) -> String {
        let (key, value) = line.split_once('=').unwrap();
        let mut membership = Membership::default();
        match membership.take(key, value) {
            Ok(()) => match membership.servers.pop_first() {
                Some((id, Server { role, client, .. })) => format!("{} {role:?} {client:?}", id.0),
                None => "taken".to_owned(),
            },
            Err(refusal) => refusal.text,
        }
    }

    #[test]
    fn server_lines() {
        let cases = [
            ("server.1=zk1:2888:3888:observer;10.0.0.1:2181", "1 Observer Some((\"10.0.0.1\", 2181))"),
            ("server.1=zk1:2888:3888:boss", "Unrecognised peertype: boss"),
            (
                "server.255=zk1:2888:3888",
                "255 can't be the top byte of session ids, and 255 marks the owners of nodes with a TTL: an id is 0 to 254",
            ),
            ("group.1=1:2:3", "taken"),
            ("group.1=1:b", "NumberFormatException: For input string: \"b\""),
            ("weight.1=2", "taken"),
            ("weight.1=x", "NumberFormatException: For input string: \"x\""),
            ("version=100000000", "dynamic file shouldn't have version inside"),
            ("tickTime=1", "Unrecognised parameter: tickTime"),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line), expected, "of {line}");
        }
    }
}
