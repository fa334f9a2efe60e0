//! What the server sends: replies and events, each judged where it stands in history.

use super::connection::{Awaited, makes_txn};
use super::history::History;
use super::view::View;
use crate::checkers::{Verdict, Violation, read_only, replies_match_model, require, violated, watches};
use crate::counters::Counters;
use crate::model::ExpectedEvent;
use quorate_core::jute::{Reader, ReplyHeader, Request, Response, ServerMessage};
use quorate_core::vocabulary::{ConnId, SessionId, Xid, Zxid};

const ORDER: &str = "session_order";

impl View {
    pub(super) fn sent(
        &mut self,
        (conn, bytes): (ConnId, &[u8]),
        history: &mut History,
        counters: &mut Counters,
    ) -> Verdict {
        match self.connections.get_mut(&conn) {
            Some(connection) => connection.decoder.push(bytes),
            None => {
                return violated("closed_means_closed", format!("{conn:?} is closed and is sent something"));
            }
        }
        while let Some(connection) = self.connections.get_mut(&conn) {
            let message = connection.decoder.poll().map_err(|error| Violation {
                checker: "replies_match_model",
                detail: format!("what {conn:?} is sent can't be decoded: {error}"),
            })?;
            match message {
                None => {
                    if connection.decoder.is_within_frame() {
                        counters.probe("reply_in_pieces");
                    }
                    return Ok(());
                }
                Some(ServerMessage::Connected(response)) => self.connected(conn, &response, history)?,
                Some(ServerMessage::Event { zxid, event }) => {
                    self.event(conn, ExpectedEvent { zxid, event }, history)?;
                    counters.probe("watch_event");
                }
                Some(ServerMessage::Reply { header, body }) => {
                    *counters.replies.entry(header.err).or_default() += 1;
                    if self.has_master && header.err == 0 {
                        let is_write =
                            connection.queue.front().is_some_and(|asked| makes_txn(&asked.request));
                        counters.probe(if is_write { "write_behind_master" } else { "read_behind_master" });
                    }
                    self.reply(conn, (header, body), history)?;
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, conn: ConnId, event: ExpectedEvent, history: &mut History) -> Verdict {
        if event.zxid == Zxid(-1) {
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.replayed.push(event);
            }
            return Ok(());
        }
        self.advance(event.zxid, history)?;
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        watches::sent(conn, &mut connection.owed, &event)?;
        self.owed -= 1;
        Ok(())
    }

    fn reply(
        &mut self,
        conn: ConnId,
        (header, body): (ReplyHeader, Reader),
        history: &mut History,
    ) -> Verdict {
        let connection = self.connections.get_mut(&conn).expect("it was open a moment ago");
        // An auth packet is answered at once, before what came earlier.
        let auth = connection
            .queue
            .iter()
            .position(|awaited| matches!(&*awaited.request, Request::Auth(_)) && awaited.xid == header.xid);
        if let Some(index) = auth.filter(|_| header.zxid == Zxid::ZERO) {
            let awaited = connection.queue.remove(index).expect("it was just found");
            let expected = if awaited.is_refused { -115 } else { 0 };
            return require("replies_match_model", header.err == expected && body.remaining() == 0, || {
                format!("{:?} is answered {}", awaited.request, header.err)
            });
        }
        self.advance(header.zxid, history)?;
        let connection = self.connections.get_mut(&conn).expect("it was open a moment ago");
        let Some(awaited) = connection.queue.pop_front() else {
            return violated(ORDER, format!("{conn:?} is answered {header:?} and waits for nothing"));
        };
        let is_ping = matches!(*awaited.request, Request::Ping);
        let first = if is_ping { Xid::PING } else { awaited.xid };
        connection.order.reply(Some(first), header.xid, header.zxid)?;
        if let Request::Unknown { .. } = &*awaited.request {
            return require("replies_match_model", header.err == -6 && body.remaining() == 0, || {
                format!("{:?} is answered {}", awaited.request, header.err)
            });
        }
        if self.is_read_only {
            history.probes.push("read_only_reads");
            if read_only::is_refused(awaited.request.opcode()) {
                let session = self.connections.get(&conn).map_or(SessionId::NONE, |known| known.session);
                if let Some(number) = awaited.number {
                    history.forget_asked(session, awaited.xid, number);
                }
                return read_only::refused(&awaited.request, (&header, body.remaining()), self.model.zxid);
            }
        }
        watches::before_data(header.zxid, self.owed, || self.owed_example())?;
        match awaited.zxid {
            Some(zxid) => self.write_reply(conn, &awaited, zxid, (header, body)),
            None if makes_txn(&awaited.request) => {
                if let Some(number) = awaited.number {
                    let session = self.connections.get(&conn).map_or(SessionId::NONE, |known| known.session);
                    history.forget_asked(session, awaited.xid, number);
                    if let Request::CloseSession = *awaited.request {
                        return self.closed_local(session, header);
                    }
                }
                self.refusal(&awaited, header)
            }
            None => self.read_reply(conn, &awaited, (header, body)),
        }
    }

    fn write_reply(
        &mut self,
        conn: ConnId,
        awaited: &Awaited,
        zxid: Zxid,
        (header, body): (ReplyHeader, Reader),
    ) -> Verdict {
        require("replies_match_model", header.zxid == zxid, || {
            format!(
                "{:?} of {conn:?} was executed at {zxid} and is answered at {}",
                awaited.request, header.zxid
            )
        })?;
        if matches!(*awaited.request, Request::CloseSession) {
            return require("close_session", header.err == 0 && body.remaining() == 0, || {
                format!("closeSession is answered {}", header.err)
            });
        }
        let session = self.connections.get(&conn).map_or(SessionId::NONE, |known| known.session);
        let refused_as = self.refused_as(session, awaited);
        let outcome = awaited.outcome.as_ref().expect("history was followed up to it");
        let expected = match &outcome.response {
            Some(response) => Ok(response),
            None => Err(refused_as.unwrap_or(outcome.error)),
        };
        replies_match_model::compare(&awaited.request, expected, (header, body))
    }

    /// A write is refused before it becomes a txn.
    fn refusal(&mut self, awaited: &Awaited, header: ReplyHeader) -> Verdict {
        let is_for_space = header.err == -125 && self.is_space_low;
        require("replies_match_model", is_for_space, || {
            format!("{:?} is refused with {} before it is a txn", awaited.request, header.err)
        })
    }

    fn read_reply(
        &mut self,
        conn: ConnId,
        awaited: &Awaited,
        (header, body): (ReplyHeader, Reader),
    ) -> Verdict {
        require("reads_at_some_zxid", header.zxid == self.model.zxid, || {
            format!(
                "{:?} is answered at {}, history stands at {}",
                awaited.request, header.zxid, self.model.zxid
            )
        })?;
        let connection = self.connections.get_mut(&conn).expect("it was open a moment ago");
        let session = connection.session;
        let sent = std::mem::take(&mut connection.replayed);
        let (result, replayed) = self.model.read(conn, session, &awaited.who, &awaited.request);
        let replayed: Vec<ExpectedEvent> = replayed.into_iter().map(|(_, event)| event).collect();
        watches::replayed(&sent, &replayed)?;
        let expected: Result<&Response, i32> = result.as_ref().map_err(|error| *error);
        replies_match_model::compare(&awaited.request, expected, (header, body))
    }
}
