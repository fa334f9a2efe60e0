//! The task that reads a connection between servers.

use super::Shared;
use super::link::Link;
use bytes::BytesMut;
use quorate_core::contract::{Input, Port, QuorumDecoder};
use quorate_core::jute::{ElectionDecoder, FieldLimit};
use quorate_core::tree::TreeOptions;
use quorate_core::vocabulary::{LinkId, LookupSeed};
use std::rc::Rc;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

/// Bytes that one read may bring.
const READ: usize = 64 << 10;

/// What decoders are made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoders {
    seed: LookupSeed,
    tree: TreeOptions,
    limit: FieldLimit,
}

/// Of either port.
#[derive(Debug)]
pub(super) enum Decoder {
    /// Votes; with whether the other end has yet to say who it is.
    Election(ElectionDecoder, bool),
    /// A leader and its learners.
    Quorum(Box<QuorumDecoder>),
}

impl Decoders {
    /// Databases that come are built with these.
    pub(super) fn new(seed: LookupSeed, tree: TreeOptions, max_field: u32) -> Self {
        Decoders { seed, tree, limit: FieldLimit(max_field) }
    }

    /// The decoder of a fresh connection.
    pub(super) fn decoder(&self, port: Port, accepted: bool) -> Decoder {
        match (port, accepted) {
            (Port::Election, accepted) => Decoder::Election(ElectionDecoder::new(accepted), accepted),
            (Port::Quorum | Port::ObserverMaster, true) => {
                Decoder::Quorum(Box::new(QuorumDecoder::accepted(self.limit)))
            }
            (Port::Quorum | Port::ObserverMaster, false) => {
                Decoder::Quorum(Box::new(QuorumDecoder::dialled(self.seed, self.tree, self.limit)))
            }
        }
    }
}

impl Decoder {
    /// Takes bytes in, and tells of everything that is complete.
    fn take(&mut self, link: LinkId, bytes: &[u8], mut tell: impl FnMut(Input)) -> Result<(), String> {
        match self {
            Decoder::Election(decoder, is_stranger) => {
                decoder.push(bytes);
                while let Some(message) = decoder.poll().map_err(|violation| violation.to_string())? {
                    *is_stranger = false;
                    tell(Input::Election { link, message });
                }
            }
            Decoder::Quorum(decoder) => {
                decoder.push(bytes);
                while let Some(message) = decoder.poll().map_err(|violation| violation.to_string())? {
                    tell(Input::Quorum { link, message });
                }
            }
        }
        Ok(())
    }

    fn is_of_stranger(&self) -> bool {
        matches!(self, Decoder::Election(_, true))
    }
}

/// Reads until the end of the connection, and says how it ended.
pub(super) async fn read(
    shared: Rc<Shared>,
    link: Rc<Link>,
    mut socket: OwnedReadHalf,
    mut decoder: Decoder,
) {
    let mut buffer = BytesMut::new();
    let reason = loop {
        buffer.reserve(READ);
        let read = if decoder.is_of_stranger() {
            match timeout(shared.introduction, socket.read_buf(&mut buffer)).await {
                Ok(read) => read,
                Err(_) => break "it did not say who it is".to_owned(),
            }
        } else {
            socket.read_buf(&mut buffer).await
        };
        match read {
            Ok(0) => break "the other end hung up".to_owned(),
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
        let taken = decoder.take(link.id(), &buffer, |input| {
            if !link.is_hung_up() {
                shared.inbox.push(input);
            }
        });
        buffer.clear();
        if let Err(violation) = taken {
            break violation;
        }
    };
    link.broke(reason);
}
