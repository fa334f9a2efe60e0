//! One configuration of the ensemble, and the pair of them that is live while it changes.

use super::ServerSet;
use crate::vocabulary::{ServerId, Zxid};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The version of a configuration: the zxid of the reconfig that made it, 0 for one out of `zoo.cfg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ConfigVersion(pub Zxid);

/// What a server does in an ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It votes.
    Participant,
    /// It only learns.
    Observer,
}

/// One way to reach a server's two ports. Host names are kept as they were written: they are resolved at every dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddresses {
    /// A name or an address; an IPv6 address without its brackets.
    pub host: String,
    /// Where a leader serves its learners.
    pub quorum_port: u16,
    /// Where votes are exchanged.
    pub election_port: u16,
}

/// One server of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// At least one.
    pub addresses: Vec<ServerAddresses>,
    /// Whether it votes.
    pub role: Role,
    /// Host and port for its clients, when its line says.
    pub client: Option<(String, u16)>,
}

/// Why lines make no configuration. The words are those Java exits with, since operators search for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MembershipError {
    /// A server line that can't be read.
    #[error(
        "{0} does not have the form server_config or server_config;client_config where server_config is the pipe separated \
         list of host:port:port or host:port:port:type and client_config is port or host:port"
    )]
    Form(String),
    /// One port for two purposes.
    #[error("Client and election port must be different! Please update the configuration file on server.{0}")]
    SamePort(i64),
    /// A role that is none.
    #[error("Unrecognised peertype: {0}")]
    Role(String),
    /// An id that does not fit the byte it has in session ids; 255 is kept free.
    #[error(
        "{0} can't be the top byte of session ids, and 255 marks the owners of nodes with a TTL: an id is 0 to 254"
    )]
    ServerId(i64),
    /// Not a whole number.
    #[error("NumberFormatException: For input string: \"{0}\"")]
    Number(String),
    /// A key that does not belong here.
    #[error("Unrecognised parameter: {0}")]
    Key(String),
    /// A server in two groups.
    #[error("Server {} is in multiple groups", .0.0)]
    InTwoGroups(ServerId),
    /// Groups are used, and a voter is in none of them.
    #[error("Server {} is not in any group", .0.0)]
    InNoGroup(ServerId),
    /// Nobody votes.
    #[error("no participant is configured: an ensemble needs a server that votes")]
    NoVoter,
}

/// One configuration: the servers and the rule by which they decide.
///
/// Invariants: at least one voter; with groups, every voter is in exactly one.
#[derive(Clone, PartialEq, Eq)]
pub struct Membership {
    version: ConfigVersion,
    servers: BTreeMap<ServerId, Server>,
    voters: ServerSet,
    /// Empty: the majority of voters decides.
    groups: BTreeMap<i64, ServerSet>,
    weights: BTreeMap<ServerId, u64>,
}

/// As its lines are written; `Display` writes them one below the other.
impl std::fmt::Debug for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Membership").field(&self.version).field(&self.to_string()).finish()
    }
}

impl Membership {
    /// A configuration of these servers; without `groups` the majority decides, and `weights` mean nothing.
    ///
    /// # Errors
    /// When nobody votes, or a voter is not in exactly one of the groups.
    pub fn new(
        version: ConfigVersion,
        servers: BTreeMap<ServerId, Server>,
        groups: BTreeMap<i64, ServerSet>,
        weights: BTreeMap<ServerId, u64>,
    ) -> Result<Self, MembershipError> {
        let voters: ServerSet = servers
            .iter()
            .filter(|(_, server)| server.role == Role::Participant)
            .map(|(id, _)| *id)
            .collect();
        if voters.is_empty() {
            return Err(MembershipError::NoVoter);
        }
        let mut grouped = ServerSet::EMPTY;
        for id in groups.values().flat_map(ServerSet::iter) {
            if !grouped.insert(id) {
                return Err(MembershipError::InTwoGroups(id));
            }
        }
        if !groups.is_empty()
            && let Some(id) = voters.iter().find(|id| !grouped.contains(*id))
        {
            return Err(MembershipError::InNoGroup(id));
        }
        Ok(Membership { version, servers, voters, groups, weights })
    }

    /// Its version.
    pub fn version(&self) -> ConfigVersion {
        self.version
    }

    /// Every server, ascending.
    pub fn servers(&self) -> impl Iterator<Item = (ServerId, &Server)> {
        self.servers.iter().map(|(id, server)| (*id, server))
    }

    /// One server.
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(&id)
    }

    /// Those who vote.
    pub fn voters(&self) -> ServerSet {
        self.voters
    }

    /// Whether this server votes.
    pub fn is_voter(&self, id: ServerId) -> bool {
        self.voters.contains(id)
    }

    /// What this server's word weighs: 0 for whoever does not vote, so that nobody elects it.
    pub fn weight(&self, id: ServerId) -> u64 {
        match (self.is_voter(id), self.groups.is_empty()) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => self.weights.get(&id).copied().unwrap_or(1),
        }
    }

    /// Whether these servers together decide; strangers and observers among them count for nothing.
    pub fn is_quorum(&self, servers: &ServerSet) -> bool {
        let servers = servers.intersection(&self.voters);
        if self.groups.is_empty() {
            return servers.len() > self.voters.len() / 2;
        }
        let weigh = |set: &ServerSet| -> u64 { set.iter().map(|id| self.weight(id)).sum() };
        // A group without weight has no say, and does not count as one.
        let counted =
            || self.groups.values().map(|group| (group, weigh(group))).filter(|(_, weight)| *weight > 0);
        let won =
            counted().filter(|(group, weight)| weigh(&servers.intersection(group)) > weight / 2).count();
        won > counted().count() / 2
    }

    /// Whether the same sets of servers decide by both.
    pub fn decides_like(&self, other: &Membership) -> bool {
        let weights_differ = || self.voters.iter().any(|id| self.weight(id) != other.weight(id));
        self.voters == other.voters && self.groups == other.groups && !weights_differ()
    }

    pub(super) fn groups(&self) -> &BTreeMap<i64, ServerSet> {
        &self.groups
    }

    pub(super) fn weights(&self) -> &BTreeMap<ServerId, u64> {
        &self.weights
    }
}

/// The configurations that are live: the committed one, and the one last seen while it is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memberships {
    committed: Membership,
    /// The committed one as it is written: every notification of an election tells it.
    text: Bytes,
    last_seen: Option<Membership>,
}

impl Memberships {
    /// Only a committed one.
    pub fn new(committed: Membership) -> Self {
        let text = Bytes::from(committed.to_string());
        Memberships { committed, text, last_seen: None }
    }

    /// The committed one.
    pub fn committed(&self) -> &Membership {
        &self.committed
    }

    /// The same, as servers tell it to each other.
    pub fn text(&self) -> Bytes {
        self.text.clone()
    }

    /// The proposed one, while it is newer than the committed one.
    pub fn last_seen(&self) -> Option<&Membership> {
        self.last_seen.as_ref()
    }

    /// A newer one was proposed; an older one is nothing new.
    pub fn propose(&mut self, membership: Membership) {
        if membership.version > self.committed.version {
            self.last_seen = Some(membership);
        }
    }

    /// One was committed; it ends what was proposed up to it.
    pub fn commit(&mut self, membership: Membership) {
        self.last_seen = self.last_seen.take().filter(|seen| seen.version > membership.version);
        self.text = Bytes::from(membership.to_string());
        self.committed = membership;
    }

    /// Whether these servers decide under every live configuration.
    pub fn have_quorums(&self, servers: &ServerSet) -> bool {
        self.committed.is_quorum(servers)
            && self.last_seen.as_ref().is_none_or(|seen| seen.is_quorum(servers))
    }

    /// Those who vote under any live configuration.
    pub fn voters(&self) -> ServerSet {
        let seen = self.last_seen.as_ref().map_or(ServerSet::EMPTY, Membership::voters);
        self.committed.voters.union(&seen)
    }
}
