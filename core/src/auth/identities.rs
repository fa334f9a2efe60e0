//! Who is at the other end of a connection (`client-protocol.md` §15.4, §15.5, §15.7).

use super::digest::{generate_digest, user};
use super::{AuthConfig, Provider, java_address};
use crate::jute::{AuthPacket, ClientInfo, Id, java_string};
use crate::vocabulary::ErrorCode;
use std::net::IpAddr;
use std::sync::LazyLock;

/// How many identities one connection may gather: each is searched by every check, and ZooKeeper's lack of a limit would
/// let a client fill the memory with them.
const MAX_IDENTITIES: usize = 1000;

/// The identities of one connection: a set, sorted. They end with the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identities {
    address: IpAddr,
    ids: Vec<Id>,
    is_super: bool,
}

impl Identities {
    /// Those of a fresh connection from `address`: the address alone.
    pub fn new(address: IpAddr) -> Self {
        let ids = vec![Id::new("ip", java_address(address))];
        Identities { address, ids, is_super: false }
    }

    /// Those of the server itself, to which everything is allowed.
    pub fn server() -> &'static Self {
        static SERVER: LazyLock<Identities> = LazyLock::new(|| {
            let mut identities = Identities::new(IpAddr::from([127, 0, 0, 1]));
            identities.add(Id::new("super", ""));
            identities
        });
        &SERVER
    }

    /// Those that a learner forwards with a request.
    pub fn forwarded(ids: Vec<Id>) -> Self {
        let mut address = ids.iter().filter(|id| id.scheme.as_deref() == Some("ip"));
        let address = address.find_map(|id| id.id.as_deref()?.parse().ok());
        let mut identities = Self::new(address.unwrap_or(IpAddr::from([0, 0, 0, 0])));
        identities.ids.clear();
        ids.into_iter().for_each(|id| identities.add(id));
        identities
    }

    /// Adds one; doing it again changes nothing.
    pub fn add(&mut self, id: Id) {
        self.is_super |= id.scheme.as_deref() == Some("super");
        if let Err(place) = self.ids.binary_search(&id) {
            self.ids.insert(place, id);
        }
    }

    /// Every identity.
    pub fn iter(&self) -> impl Iterator<Item = &Id> + '_ {
        self.ids.iter()
    }

    /// Where the connection comes from.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether everything is allowed to them.
    pub fn is_super(&self) -> bool {
        self.is_super
    }

    /// Whether `id` of the digest scheme is one of them.
    pub(super) fn has_digest(&self, id: &str) -> bool {
        let wanted = (Some("digest"), Some(id));
        self.ids.binary_search_by(|own| (own.scheme.as_deref(), own.id.as_deref()).cmp(&wanted)).is_ok()
    }
}

/// Takes an auth packet: adds what it proves to `identities`. The answer is {xid, zxid 0, 0}.
///
/// # Errors
/// AuthFailed: the answer is {xid, zxid 0, -115}, then the connection is closed.
pub fn authenticate(
    identities: &mut Identities,
    packet: &AuthPacket,
    config: &AuthConfig,
) -> Result<(), ErrorCode> {
    let scheme = packet.scheme.as_deref().ok_or(ErrorCode::AuthFailed)?;
    let credentials = packet.auth.as_deref().ok_or(ErrorCode::AuthFailed)?;
    if identities.ids.len() >= MAX_IDENTITIES {
        return Err(ErrorCode::AuthFailed);
    }
    match config.provider(scheme).ok_or(ErrorCode::AuthFailed)? {
        Provider::Ip => identities.add(Id::new("ip", java_address(identities.address))),
        Provider::Digest => {
            let digest = generate_digest(&java_string(credentials));
            if config.super_digest.as_deref() == Some(&digest) {
                identities.add(Id::new("super", ""));
            }
            identities.add(Id::new("digest", digest));
        }
    }
    Ok(())
}

/// The answer to whoAmI: each identity, without what it proves itself by.
pub fn who_am_i(identities: &Identities, config: &AuthConfig) -> Vec<ClientInfo> {
    let info = |own: &Id| {
        let scheme = own.scheme.clone().unwrap_or_default();
        let id = own.id.as_deref().unwrap_or_default();
        let name = match config.provider(&scheme) {
            Some(Provider::Ip) => id,
            Some(Provider::Digest) => user(id),
            None => "",
        };
        ClientInfo { user: name.to_owned(), scheme }
    };
    identities.iter().map(info).collect()
}
