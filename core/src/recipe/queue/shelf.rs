//! What all queues do: put items exactly once, list them in their order, and wait for more.

use super::layout::{Kind, Ranked};
use crate::client::{Client, CreateOptions, Result, Runtime, Value};
use crate::recipe::once::{has_no_parent, make_dir, once};
use crate::recipe::persist::{below, children, persist};
use crate::vocabulary::{ErrorCode, Mono};
use bytes::Bytes;
use futures_util::future::select;
use std::pin::pin;

/// The items of a queue.
#[derive(Clone, Debug)]
pub(super) struct Shelf<R: Runtime> {
    pub(super) client: Client<R>,
    /// The node below which they stand.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// Where the markers of writes stand: beside it, since whatever is below a queue counts as an item for some.
    pub(super) markers: String,
}

impl<R: Runtime> Shelf<R> {
    pub(super) fn new(client: &Client<R>, path: &str, kind: Kind) -> Self {
        let markers = format!("{}-once", path.trim_end_matches('/'));
        Shelf { client: client.clone(), path: path.to_owned(), kind, markers }
    }

    pub(super) fn item(&self, name: &str) -> String {
        below(&self.path, name)
    }

    pub(super) async fn put(&self, key: i64, item: Bytes) -> Result<()> {
        let (front, data) = (self.item(&self.kind.front(key)), self.kind.encode(item));
        let options = CreateOptions::persistent().sequential();
        loop {
            let put =
                once(&self.client, &self.markers, |add| add.create(&front, data.clone(), &options)).await;
            match put {
                Err(error) if has_no_parent(&error, 1) => self.make().await?,
                put => return put.map(drop),
            }
        }
    }

    /// Makes the node of the queue, to stay: consumers of other libraries do not bear that it goes, and numbers would begin anew.
    async fn make(&self) -> Result<()> {
        make_dir(&self.client, &self.path, &CreateOptions::persistent().parents()).await
    }

    /// The items, in their order.
    pub(super) async fn items(&self) -> Result<Vec<Ranked>> {
        Ok(self.kind.sorted(&children(&self.client, &self.path).await?))
    }

    /// An item's node, if it is still there, and what is in it, if that can be read.
    pub(super) async fn read(&self, name: &str) -> Result<Option<(Value, Vec<Bytes>)>> {
        match persist(&self.client, |client| client.get(&self.item(name))).await {
            Err(error) if error.code() == Some(ErrorCode::NoNode) => Ok(None),
            value => {
                let value = value?;
                let items = self.kind.decode(value.data.clone().unwrap_or_default());
                Ok(items.map(|items| (value, items)))
            }
        }
    }
}

/// Ready when the children of `dir` may be others than `seen`, or when the clock shows `due`.
pub(super) async fn others<R: Runtime>(
    client: &Client<R>,
    dir: &str,
    due: Option<Mono>,
    seen: impl Fn(&[String]) -> bool,
) -> Result<()> {
    let mut watch = match persist(client, |client| client.children_watched(dir)).await {
        Ok(((names, _), _)) if !seen(&names) => return Ok(()),
        Ok((_, watch)) => watch,
        Err(error) if error.code() == Some(ErrorCode::NoNode) => {
            match persist(client, |client| client.exists_watched(dir)).await? {
                (Some(_), _) => return Ok(()),
                (None, watch) => watch,
            }
        }
        Err(error) => return Err(error),
    };
    match due {
        Some(due) => drop(select(pin!(watch.next()), pin!(client.runtime().sleep_until(due))).await),
        None => drop(watch.next().await),
    }
    Ok(())
}
