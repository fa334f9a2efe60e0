//! How a client is made.

use super::driver::{Driver, Shared};
use super::handle::Client;
use super::live::live;
use super::runtime::Runtime;
use super::session::{ClientOptions, ConnectString, ConnectStringError};
use super::state::{SessionState, SessionView};
use crate::jute::AuthPacket;
use crate::vocabulary::{Millis, SessionId};
use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::future::{Either, select};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// The timeout that is asked for unless another is named.
const SESSION_TIMEOUT: Millis = Millis(10_000);
/// So many requests may wait for their answers unless another number is named.
const MAX_OUTSTANDING: usize = 10_000;

/// What happens when a session has expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// The client is over: every request fails. For those whose ephemeral nodes mean something.
    #[default]
    Stop,
    /// Another session takes its place, with the same credentials; persistent watches are set again and tell
    /// [`Resync::NewSession`](super::Resync::NewSession). Ephemeral nodes are gone. Reads do not go back behind what the last
    /// session has seen: servers that are behind that are passed over, as long as there may be another. When those that
    /// answer have all refused for 4/3 of the session timeout, the ensemble is taken to have been set back to an older state.
    Replace,
}

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The connect string can't be understood.
    #[error("the connect string: {0}")]
    ConnectString(#[from] ConnectStringError),
    /// None of the servers gave it a session in time.
    #[error("no session after {} ms with any of {hosts}; the last trouble: {trouble}", waited.0)]
    Unreachable {
        /// How long it tried.
        waited: Millis,
        /// The servers, as written.
        hosts: String,
        /// Why the last of the connections is not there.
        trouble: String,
    },
    /// A server refused the credentials.
    #[error("a server refused the credentials")]
    AuthFailed,
}

/// What a driver has to know.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) options: ClientOptions,
    pub(super) auth: Vec<AuthPacket>,
    pub(super) on_expiry: OnExpiry,
    pub(super) fail_fast: bool,
}

/// How a client is to be; see [`Client::builder`].
#[derive(Clone, Debug)]
pub struct ClientBuilder<R> {
    runtime: R,
    settings: Settings,
    max_outstanding: usize,
    connect_timeout: Option<Millis>,
}

impl<R: Runtime> ClientBuilder<R> {
    pub(super) fn new(runtime: R, connect: &str) -> Result<Self, StartError> {
        let connect: ConnectString = connect.parse()?;
        let mut options = ClientOptions::new(connect, SESSION_TIMEOUT);
        // Servers bound what they take, not what they send: a list of many children is longer than any request.
        options.max_frame = i32::MAX as u32;
        let settings = Settings { options, auth: Vec::new(), on_expiry: OnExpiry::Stop, fail_fast: false };
        Ok(ClientBuilder { runtime, settings, max_outstanding: MAX_OUTSTANDING, connect_timeout: None })
    }

    /// The session timeout to ask for; servers bound it, between 2 and 20 of their ticks. 10 s if not said.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Millis) -> Self {
        self.settings.options.session_timeout = timeout;
        self
    }

    /// An identity to prove on every connection, `("digest", "user:password")` for one.
    #[must_use]
    pub fn auth(mut self, scheme: &str, credentials: impl Into<Bytes>) -> Self {
        let (scheme, auth) = (Some(scheme.to_owned()), Some(credentials.into()));
        self.settings.auth.push(AuthPacket { kind: 0, scheme, auth });
        self
    }

    /// Whether a server that has lost its ensemble, and only reads, will do.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.settings.options.read_only = read_only;
        self
    }

    /// What happens when the session expires.
    #[must_use]
    pub fn on_expiry(mut self, on_expiry: OnExpiry) -> Self {
        self.settings.on_expiry = on_expiry;
        self
    }

    /// Whether requests fail at once while there is no connection. If not, they wait for one until the session is over, and
    /// reads whose connection was lost are asked again.
    #[must_use]
    pub fn fail_fast(mut self, fail_fast: bool) -> Self {
        self.settings.fail_fast = fail_fast;
        self
    }

    /// So many requests may wait for their answers; one more is refused. 10,000 if not said.
    #[must_use]
    pub fn max_outstanding(mut self, requests: usize) -> Self {
        self.max_outstanding = requests;
        self
    }

    /// How long [`connect`](Self::connect) tries; the session timeout if not said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Millis) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The client, at once; it connects by itself.
    pub fn start(self) -> Client<R> {
        let (sender, commands) = mpsc::unbounded();
        let outstanding = Arc::new(AtomicUsize::new(0));
        let timeout = self.settings.options.session_timeout;
        let first = SessionView {
            id: SessionId::NONE,
            timeout,
            state: SessionState::Connecting,
            assured_until: None,
            trouble: None,
        };
        let (state, view) = live(first);
        let shared = Shared { commands, outstanding: Arc::clone(&outstanding), state };
        let on_expiry = self.settings.on_expiry;
        let driver = Driver::new(self.runtime.clone(), self.settings, shared);
        self.runtime.spawn(driver);
        Client::new(self.runtime, sender, (outstanding, self.max_outstanding), (view, on_expiry))
    }

    /// The client, once it has a session.
    ///
    /// # Errors
    /// When no server gives it one in time, or refuses its credentials.
    pub async fn connect(self) -> Result<Client<R>, StartError> {
        let waited = self.connect_timeout.unwrap_or(self.settings.options.session_timeout);
        let hosts: Vec<String> =
            self.settings.options.connect.hosts.iter().map(ToString::to_string).collect();
        let runtime = self.runtime.clone();
        let client = self.start();
        let mut session = client.session();
        let connected =
            std::pin::pin!(session.wait_for(|view| view.state.is_connected() || view.state.is_over()));
        let sleep = std::pin::pin!(runtime.sleep_until(runtime.now() + waited));
        let view = match select(connected, sleep).await {
            Either::Left((Some(view), _)) => view,
            _ => client.session().latest(),
        };
        match view.state {
            SessionState::Connected { .. } => Ok(client),
            SessionState::AuthFailed => Err(StartError::AuthFailed),
            _ => {
                let trouble = view.trouble.as_deref().unwrap_or("nobody answers").to_owned();
                Err(StartError::Unreachable { waited, hosts: hosts.join(","), trouble })
            }
        }
    }
}
