//! Asking until there is an answer, and creating nodes for certain although answers get lost.
//!
//! A create whose answer is lost may have made its node, and a sequential name can't be guessed. So the name carries a GUID, as
//! in Curator's protected mode: whoever has lost the answer looks for the GUID. The look is behind a sync, since a server that a
//! session has moved to may not yet know what another one took from it (CURATOR-45 and ZOOKEEPER-22 are about less).

use crate::client::{Client, CreateOptions, Created, Error, OnExpiry, Outcome, Reply, Result, Runtime};
use crate::client::{SessionState, SessionView, Stat};
use crate::vocabulary::{ErrorCode, Millis, Version, Zxid};
use bytes::Bytes;
use std::future::Future;

/// Between two attempts of what failed although there is a connection.
const PAUSE: Millis = Millis(50);

/// How nodes are called, so that other libraries' recipes know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// As Curator calls them: `_c_<guid>-lock-0000000001`.
    #[default]
    Curator,
    /// As kazoo calls them: `<guid>__lock__0000000001`.
    Kazoo,
}

/// What a name carries so that its maker finds it again: a random UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guid([u8; 16]);

impl Guid {
    pub(super) fn new<R: Runtime>(runtime: &R) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&runtime.entropy().to_be_bytes());
        bytes[8..].copy_from_slice(&runtime.entropy().to_be_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Guid(bytes)
    }

    /// The UUID's text, with hyphens or as kazoo writes it.
    pub(super) fn text(&self, layout: Layout) -> String {
        let mut text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        if layout == Layout::Curator {
            for place in [20, 16, 12, 8] {
                text.insert(place, '-');
            }
        }
        text
    }

    /// A node's name before its sequence number; without a marker nothing but the UUID.
    pub(super) fn name(&self, layout: Layout, marker: &str) -> String {
        let text = self.text(layout);
        match layout {
            _ if marker.is_empty() => text,
            Layout::Curator => format!("_c_{text}-{marker}"),
            Layout::Kazoo => format!("{text}{marker}"),
        }
    }
}

/// Asks until there is an answer: what failed for want of a connection, or of a session that another replaces, is asked again.
///
/// # Errors
/// Refusals, and the session's end. Outcomes are known, for what may be done twice.
pub(super) async fn persist<R: Runtime, T>(
    client: &Client<R>,
    mut ask: impl FnMut(&Client<R>) -> Reply<T>,
) -> Result<T> {
    loop {
        match ask(client).await {
            Err(error) if is_passing(client, &error) => again(client).await,
            answer => return answer,
        }
    }
}

/// Whether what failed so may succeed in this client's life.
pub(super) fn is_passing<R: Runtime>(client: &Client<R>, error: &Error) -> bool {
    error.is_retryable() || (error.is_session_over() && !is_final(client, &client.session().latest()))
}

/// Ready when it makes sense to ask again.
pub(super) async fn again<R: Runtime>(client: &Client<R>) {
    let runtime = client.runtime();
    runtime.sleep_until(runtime.now() + PAUSE).await;
    client.session().wait_for(|view| view.state.is_connected() || is_final(client, view)).await;
}

fn is_final<R: Runtime>(client: &Client<R>, view: &SessionView) -> bool {
    match view.state {
        SessionState::Expired => client.on_expiry() == OnExpiry::Stop,
        state => state.is_over(),
    }
}

/// Deletes a node that nobody but this client would; it may be gone.
pub(super) async fn delete<R: Runtime>(client: &Client<R>, path: &str) -> Result<()> {
    match persist(client, |client| client.delete(path, Version::ANY)).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(()),
        answer => answer,
    }
}

/// The names of a node's children; none where there is no node.
pub(super) async fn children<R: Runtime>(client: &Client<R>, dir: &str) -> Result<Vec<String>> {
    match persist(client, |client| client.children(dir)).await {
        Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(Vec::new()),
        answer => answer.map(|(names, _)| names),
    }
}

/// The path of a child.
pub(super) fn below(dir: &str, name: &str) -> String {
    match dir {
        "/" => format!("/{name}"),
        dir => format!("{dir}/{name}"),
    }
}

/// Creates one node, exactly one, with a GUID and `marker` in its name. When the future is dropped, or fails, there is none.
///
/// # Errors
/// Those of [`Client::create`], and the session's end.
pub(super) async fn create<R: Runtime>(
    client: &Client<R>,
    dir: &str,
    how: (Layout, &str),
    data: Bytes,
    options: &CreateOptions,
) -> Result<Created> {
    let make = |path: &str| client.create(path, data.clone(), options);
    create_by(client, dir, how, options.is_ephemeral(), make).await
}

/// Creates an ephemeral node in the same way, if the node `beside` exists at that moment. Answers its path.
///
/// # Errors
/// Those of [`Transaction::commit`](crate::client::Transaction::commit), operation 0 being the check, and the session's end.
pub(super) async fn create_beside<R: Runtime>(
    client: &Client<R>,
    (beside, dir): (&str, &str),
    how: (Layout, &str),
    data: Bytes,
    options: &CreateOptions,
) -> Result<String> {
    let make = |path: &str| {
        let check = client.transaction().check(beside, Version::ANY);
        let committed = check.create(path, data.clone(), options).commit();
        let path = path.to_owned();
        // Old servers tell nothing else of it.
        async move { committed.await.map(|_| Created { path, stat: Stat::default(), zxid: Zxid::ZERO }) }
    };
    create_by(client, dir, how, true, make).await.map(|created| created.path)
}

async fn create_by<R: Runtime, F: Future<Output = Result<Created>>>(
    client: &Client<R>,
    dir: &str,
    (layout, marker): (Layout, &str),
    is_ephemeral: bool,
    make: impl Fn(&str) -> F,
) -> Result<Created> {
    loop {
        let guid = Guid::new(client.runtime());
        let path = below(dir, &guid.name(layout, marker));
        let session = client.session().latest().id;
        let mut attempt = Attempt { client: client.clone(), dir, guid: guid.text(layout), may_exist: true };
        let error = match make(&path).await {
            Ok(created) => {
                attempt.may_exist = false;
                return Ok(created);
            }
            Err(error) => error,
        };
        attempt.may_exist = error.outcome() == Outcome::Unknown;
        if !is_passing(client, &error) {
            return Err(error);
        }
        again(client).await;
        if attempt.may_exist
            && let Some(created) = attempt.find().await?
        {
            attempt.may_exist = false;
            return Ok(created);
        }
        // What this session asked for before a sync isn't done behind it. Of one that is over a node may still come; if that is
        // ephemeral it goes again.
        if attempt.may_exist && !is_ephemeral && client.session().latest().id != session {
            return Err(error);
        }
        attempt.may_exist = false;
    }
}

/// A create that is under way. When it is given up its node is taken away, whenever that comes to be.
struct Attempt<'a, R: Runtime> {
    client: Client<R>,
    dir: &'a str,
    guid: String,
    may_exist: bool,
}

impl<R: Runtime> Attempt<'_, R> {
    /// The node, if there is one, and if it is of the session that the client has now.
    async fn find(&self) -> Result<Option<Created>> {
        persist(&self.client, |client| client.sync(self.dir)).await?;
        for path in with_guid(&self.client, self.dir, &self.guid).await? {
            if let Some(stat) = persist(&self.client, |client| client.exists(&path)).await? {
                let is_ours =
                    stat.ephemeral_owner == 0 || stat.ephemeral_owner == self.client.session().latest().id.0;
                if is_ours {
                    return Ok(Some(Created { zxid: stat.czxid, stat, path }));
                }
            }
        }
        Ok(None)
    }
}

impl<R: Runtime> Drop for Attempt<'_, R> {
    fn drop(&mut self) {
        if !self.may_exist {
            return;
        }
        let (client, dir, guid) = (self.client.clone(), self.dir.to_owned(), std::mem::take(&mut self.guid));
        self.client.runtime().spawn(async move {
            // What fails here fails because the session is over, and the node with it.
            let _ = remove(&client, &dir, &guid).await;
        });
    }
}

async fn remove<R: Runtime>(client: &Client<R>, dir: &str, guid: &str) -> Result<()> {
    persist(client, |client| client.sync(dir)).await?;
    for path in with_guid(client, dir, guid).await? {
        delete(client, &path).await?;
    }
    Ok(())
}

async fn with_guid<R: Runtime>(client: &Client<R>, dir: &str, guid: &str) -> Result<Vec<String>> {
    let names = children(client, dir).await?;
    Ok(names.iter().filter(|name| name.contains(guid)).map(|name| below(dir, name)).collect())
}
