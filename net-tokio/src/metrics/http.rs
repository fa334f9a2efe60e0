//! The page's HTTP server: `GET /metrics` on `metricsProvider.httpHost` and `httpPort`.

use crate::config::MetricsConfig;
use crate::server::{Mailbox, Message};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves the page from now on; returns where.
///
/// # Errors
/// The address, and why it can't be listened on.
pub(crate) async fn serve(
    config: &MetricsConfig,
    mailbox: Arc<Mailbox<Message>>,
) -> Result<SocketAddr, (SocketAddr, io::Error)> {
    let address = SocketAddr::new(config.address, config.port);
    let failed = |error| (address, error);
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
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
