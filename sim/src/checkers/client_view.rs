//! C5 over the sessions of one client: it tells no server that it has seen less than it has told another, unless servers have hung
//! up on it so long that there may be no such state any more.

use super::{Verdict, require};
use quorate_core::vocabulary::{ConnId, Zxid};

/// Where a handshake says what its client has seen: behind its length and the protocol's version.
const SEEN: std::ops::Range<usize> = 8..16;

/// What servers know of how far a client has seen history.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientView {
    told: Zxid,
    /// The connection whose handshake has no answer yet, as far as is known.
    unanswered: Option<ConnId>,
    /// Since then servers have hung up on its handshakes, ns.
    hung_up_since: Option<u64>,
}

impl ClientView {
    /// The first bytes of a connection are sent; `patience` is how long, ns, it has to be refused before it gives up what it has seen.
    pub(crate) fn shakes_hands(&mut self, now: u64, conn: ConnId, bytes: &[u8], patience: u64) -> Verdict {
        let seen = bytes.get(SEEN).and_then(|seen| seen.try_into().ok()).map_or(0, i64::from_be_bytes);
        let gives_up = seen == 0 && self.hung_up_since.is_some_and(|since| now >= since + patience);
        require("client_view", seen >= self.told.0 || gives_up, || {
            format!(
                "a client that has seen {} says in a handshake that it has seen {}",
                self.told,
                Zxid(seen)
            )
        })?;
        (self.told, self.unanswered) = (Zxid(seen), Some(conn));
        Ok(())
    }

    /// It says more on a connection: it has read the answer to its handshake. That an answer has come does not mean that it was read.
    pub(crate) fn goes_on(&mut self, conn: ConnId) {
        if self.unanswered == Some(conn) {
            (self.unanswered, self.hung_up_since) = (None, None);
        }
    }

    /// A connection is gone.
    pub(crate) fn is_lost(&mut self, now: u64, conn: ConnId) {
        if self.unanswered == Some(conn) {
            self.unanswered = None;
            self.hung_up_since.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(seen: i64) -> Vec<u8> {
        [&[0; 8][..], &seen.to_be_bytes(), &[0; 28]].concat()
    }

    #[test]
    fn a_client_goes_back_only_where_there_is_nothing_else() {
        let mut view = ClientView::default();
        let (first, second, third) = (ConnId(1), ConnId(2), ConnId(3));
        assert_eq!(view.shakes_hands(0, first, &handshake(7), 10), Ok(()));
        view.goes_on(first);
        view.is_lost(5, first);
        let mut forgetful = view;
        assert!(forgetful.shakes_hands(100, second, &handshake(0), 10).is_err());
        assert_eq!(view.shakes_hands(10, second, &handshake(7), 10), Ok(()));
        view.is_lost(11, second);
        let mut hasty = view;
        assert!(hasty.shakes_hands(20, third, &handshake(0), 10).is_err());
        assert_eq!(view.shakes_hands(21, third, &handshake(0), 10), Ok(()));
    }
}
