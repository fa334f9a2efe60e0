//! Replies: header and body straight into the outbox's arena, and what is counted with each (`client-protocol.md` §5, §9;
//! `operations.md` §4.4, §6).

use super::connections::{Connections, Slot};
use super::operation;
use super::state::ServerState;
use crate::contract::Outbox;
use crate::jute::{Encode, ReplyHeader, Writer};
use crate::metrics::{Advanced, Counter, Metrics};
use crate::vocabulary::{ErrorCode, Limits, Mono, Now, Xid, Zxid};

/// What a reply answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) slot: Slot,
    pub(crate) xid: Xid,
    /// The opcode on the wire.
    pub(crate) opcode: i32,
    pub(crate) arrived: Mono,
    pub(crate) now: Now,
}

/// Where replies go: the connection's frame, its counters and the server's.
#[derive(Debug)]
pub(crate) struct Replier<'a> {
    pub(crate) connections: &'a mut Connections,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) limits: &'a Limits,
}

impl Replier<'_> {
    /// Answers with success; `body` appends what follows the header.
    pub(crate) fn succeed(&mut self, asked: &Asked, zxid: Zxid, body: impl FnOnce(&mut Writer<'_>)) {
        self.reply(asked, ReplyHeader { xid: asked.xid, zxid, err: 0 }, body);
    }

    /// Answers with an error: header only.
    pub(crate) fn fail(&mut self, asked: &Asked, zxid: Zxid, code: i32) {
        self.reply(asked, ReplyHeader { xid: asked.xid, zxid, err: code }, |_| {});
    }

    /// Answers with this header and body.
    pub(crate) fn reply(&mut self, asked: &Asked, header: ReplyHeader, body: impl FnOnce(&mut Writer<'_>)) {
        let size = self.frame(asked, header.zxid, |out| {
            header.encode(out);
            body(out);
        });
        // ZooKeeper counts what follows the length, and no handshakes.
        let size = size.saturating_sub(4);
        self.metrics.server.add_response_size(size as i64);
        self.metrics.count_by(Counter::ResponseBytes, size);
    }

    /// Sends a frame that answers no operation: handshakes, authentication. Only packets are counted. Returns its length; one
    /// that is too long is not sent, and its connection ends instead.
    pub(crate) fn send(&mut self, slot: Slot, frame: impl FnOnce(&mut Writer<'_>)) -> u64 {
        let conn = self.connections.at(slot).id;
        if self.connections.overlong.contains(&conn) {
            return 0;
        }
        let Ok(size) = self.outbox.send_frame(conn, self.limits, frame) else {
            self.connections.overlong.push(conn);
            return 0;
        };
        let connection = self.connections.at_mut(slot);
        connection.reply_length = size;
        connection.stats.sent += 1;
        self.metrics.server.packets_sent += 1;
        size as u64
    }

    /// Answers with a frame that has no reply header: the handshake's. Returns its length.
    pub(crate) fn frame(&mut self, asked: &Asked, zxid: Zxid, frame: impl FnOnce(&mut Writer<'_>)) -> u64 {
        let size = self.send(asked.slot, frame);
        let took = asked.now.mono.millis_since(asked.arrived);
        let stats = &mut self.connections.at_mut(asked.slot).stats;
        stats.last_operation = operation::abbreviation(asked.opcode);
        stats.last_cxid = Some(asked.xid);
        stats.last_zxid = zxid;
        stats.last_response = asked.now.mono;
        stats.last_latency = took;
        stats.latency.add(took.0 as i64);
        self.metrics.server.latency.add(took.0 as i64);
        let is_write = operation::is_write(asked.opcode);
        let latency = if is_write { Advanced::UpdateLatency } else { Advanced::ReadLatency };
        self.metrics.add_advanced(latency, took.0 as i64);
        if let Some(counter) = operation::counter(asked.opcode) {
            self.metrics.count(Counter::OpCountTotal);
            self.metrics.count(counter);
        }
        size
    }
}

impl ServerState {
    /// The part of the state that replies are sent with.
    pub(crate) fn replier<'a>(&'a mut self, outbox: &'a mut Outbox) -> Replier<'a> {
        let limits = &self.config.limits;
        Replier { connections: &mut self.connections, metrics: &mut self.metrics, outbox, limits }
    }

    /// Answers a read with an error, at the last zxid.
    pub(crate) fn fail(&mut self, asked: &Asked, error: ErrorCode, outbox: &mut Outbox) {
        let zxid = self.database.last_zxid();
        self.replier(outbox).fail(asked, zxid, error.code());
    }

    /// Answers what was refused before it had a zxid, at the last zxid.
    pub(crate) fn refuse(
        &mut self,
        (slot, xid, arrived): (Slot, Xid, Mono),
        (opcode, code): (i32, i32),
        now: Now,
        outbox: &mut Outbox,
    ) {
        let asked = Asked { slot, xid, opcode, arrived, now };
        let zxid = self.database.last_zxid();
        self.replier(outbox).fail(&asked, zxid, code);
    }
}
