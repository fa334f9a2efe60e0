//! Links between the servers: bytes arrive in order, late, in pieces, and up to where the link broke. Each end learns of that at its own
//! time.

use quorate_core::contract::QuorumDecoder;
use quorate_core::jute::FieldLimit;
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{LinkId, LookupSeed, Mono, ServerId};
use std::collections::BTreeMap;

/// One end of a link.
pub(crate) struct End {
    pub(crate) server: ServerId,
    pub(crate) incarnation: u64,
    pub(crate) decoder: QuorumDecoder,
    pub(crate) is_open: bool,
    /// When the last bytes to this end arrive.
    pub(crate) last_arrival: Mono,
}

/// One link; `ends` are who dialled and who answered.
pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    /// From then on nothing arrives any more.
    pub(crate) broken_at: Option<Mono>,
}

#[derive(Default)]
pub(crate) struct Network {
    pub(crate) links: BTreeMap<LinkId, Link>,
    made: u64,
}

impl Network {
    pub(crate) fn connect(&mut self, dialler: (ServerId, u64), listener: (ServerId, u64)) -> LinkId {
        self.made += 1;
        let end = |(server, incarnation): (ServerId, u64), decoder| End {
            server,
            incarnation,
            decoder,
            is_open: true,
            last_arrival: Mono(0),
        };
        let limit = FieldLimit::default();
        let learner = QuorumDecoder::dialled(LookupSeed(3), TreeOptions::default(), limit);
        let ends = [end(dialler, learner), end(listener, QuorumDecoder::accepted(limit))];
        self.links.insert(LinkId(self.made), Link { ends, broken_at: None });
        LinkId(self.made)
    }

    /// Which end of it this server is.
    pub(crate) fn side(&self, link: LinkId, server: ServerId) -> usize {
        usize::from(self.links[&link].ends[0].server != server)
    }
}
