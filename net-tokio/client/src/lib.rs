#![doc = include_str!("../README.md")]
//!
//! Everything but [`Tokio`] is [`quorate_core::client`]'s and [`quorate_core::recipe`]'s; their words are there.

pub mod recipe;
mod tokio_runtime;

pub use quorate_core::client::*;
pub use quorate_core::vocabulary::{ErrorCode, Millis, SessionId, Version, Wall, Zxid};
pub use tokio_runtime::{Tokio, TokioStream};

/// The client library on tokio.
pub type Client = quorate_core::client::Client<Tokio>;

/// A client of the servers of `connect`, `host:port,host:port/chroot`, once it has a session; within a tokio runtime.
///
/// # Errors
/// When that is no connect string, or none of the servers gives it a session within 10 s.
pub async fn connect(connect: &str) -> std::result::Result<Client, StartError> {
    builder(connect)?.connect().await
}

/// A client that is to be otherwise than [`connect`] makes it.
///
/// # Errors
/// When that is no connect string.
pub fn builder(connect: &str) -> std::result::Result<ClientBuilder<Tokio>, StartError> {
    Client::builder(Tokio::new(), connect)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_guide_shows_the_example_as_it_is() {
        let (guide, example) = (include_str!("../README.md"), include_str!("../examples/invoices/app.rs"));
        assert!(guide.contains(example), "examples/invoices/app.rs is not what README.md shows");
    }
}
