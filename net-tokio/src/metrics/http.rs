//! The page's HTTP server: `GET /metrics` on `metricsProvider.httpHost` and `httpPort`.

use crate::config::{MetricsConfig, MetricsProvider};
use crate::server::{Mailbox, Message};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Takes the page's port, if there is to be a page: early, like the client port. Whoever asks is answered once it is served.
///
/// # Errors
/// The address, and why it can't be listened on.
pub(crate) fn bind(config: &MetricsConfig) -> Result<Option<StdListener>, (SocketAddr, io::Error)> {
    if config.provider != MetricsProvider::Prometheus {
        return Ok(None);
    }
    let address = SocketAddr::new(config.address, config.port);
    let bound = StdListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(Some(listener))
    });
    bound.map_err(|error| (address, error))
}

/// Serves the page from now on; returns where.
///
/// # Errors
/// What the system says.
pub(crate) async fn serve(listener: StdListener, mailbox: Arc<Mailbox<Message>>) -> io::Result<SocketAddr> {
    let listener = TcpListener::from_std(listener)?;
    let bound = listener.local_addr()?;
    let page = move || page(Arc::clone(&mailbox));
    let router = Router::new().route("/metrics", get(page));
    tokio::spawn(async move {
        // It ends only with the process.
        let _ = axum::serve(listener, router).await;
    });
    Ok(bound)
}

async fn page(mailbox: Arc<Mailbox<Message>>) -> impl IntoResponse {
    let (reply, page) = oneshot::channel();
    mailbox.send(Message::MetricsPage(reply));
    match page.await {
        Ok(page) => {
            (StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page)
        }
        Err(_) => {
            let text = "the server is stopping\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
        }
    }
}
