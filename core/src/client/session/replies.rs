//! Replies: whose they are, what they change, how they end a request (`client-protocol.md` §5, §9, §23).

use super::connection::{Effect, InFlight};
use super::contract::{ClientError, ClientOutbox, ClientOutput, Reason};
use super::machine::{ClientSession, Phase};
use crate::jute::{Reader, ReplyHeader, Response};
use crate::vocabulary::{ErrorCode, Mono, Xid, Zxid};

impl ClientSession {
    pub(super) fn on_reply(
        &mut self,
        now: Mono,
        header: ReplyHeader,
        body: Reader,
        outbox: &mut ClientOutbox,
    ) {
        match header.xid {
            Xid::PING => self.on_ping_reply(),
            Xid::AUTH => self.on_auth_reply(header, outbox),
            _ => self.on_request_reply(now, header, body, outbox),
        }
    }

    fn on_ping_reply(&mut self) {
        let Phase::Established(connection) = &mut self.phase else { return };
        if let Some(sent_at) = connection.pings.pop_front() {
            self.proven(sent_at);
        }
    }

    fn on_auth_reply(&mut self, header: ReplyHeader, outbox: &mut ClientOutbox) {
        let Phase::Established(connection) = &mut self.phase else { return };
        let Some(place) = connection.auth_in_flight.pop_front() else { return };
        let waiting = self.credentials[place].waiting.take();
        if header.err == 0 {
            if let Some(id) = waiting {
                let result = Ok(Response::Empty);
                outbox.push(ClientOutput::Completed { id, zxid: None, result });
            }
            return;
        }
        if let Some(id) = waiting {
            outbox.fail(id, refusal(header.err));
        }
        self.end(Reason::AuthFailed, outbox);
    }

    fn on_request_reply(
        &mut self,
        now: Mono,
        header: ReplyHeader,
        mut body: Reader,
        outbox: &mut ClientOutbox,
    ) {
        let Phase::Established(connection) = &mut self.phase else { return };
        let answered = connection.in_flight.front().is_some_and(|first| first.xid == header.xid);
        if !answered {
            // Replies out of order mean that nothing can be matched any more.
            return self.give_up_connection(now, outbox);
        }
        let response = match header.err {
            0 => match Response::decode(connection.in_flight[0].opcode, &mut body) {
                Ok(response) => Ok(response),
                Err(_) => return self.give_up_connection(now, outbox),
            },
            err => Err(refusal(err)),
        };
        let request = connection.in_flight.pop_front().expect("the reply was matched with the first");
        if header.zxid > Zxid::ZERO {
            self.last_zxid = self.last_zxid.max(header.zxid);
        }
        self.proven(request.sent_at);
        let closed = request.effect == Effect::Close;
        self.complete(request, header.zxid, response, outbox);
        if closed {
            self.end(Reason::Closed, outbox);
        }
    }

    fn complete(
        &mut self,
        request: InFlight,
        zxid: Zxid,
        mut response: Result<Response, ClientError>,
        outbox: &mut ClientOutbox,
    ) {
        match (request.effect, &response) {
            (Effect::Watch { path, found, .. }, Ok(_)) => self.watches.register(found, path),
            (
                Effect::Watch { path, missing: Some(missing), .. },
                Err(ClientError::Refused(ErrorCode::NoNode)),
            ) => self.watches.register(missing, path),
            (Effect::RemoveWatches { path, kind }, Ok(_)) => self.watches.removed(kind, &path),
            _ => {}
        }
        let Some(id) = request.id else { return };
        if let Ok(response) = &mut response {
            self.chroot().leave_response(response);
        }
        outbox.push(ClientOutput::Completed { id, zxid: Some(zxid), result: response });
    }
}

/// A reply's error.
fn refusal(err: i32) -> ClientError {
    ErrorCode::from_code(err).map_or(ClientError::RefusedStrangely(err), ClientError::Refused)
}
