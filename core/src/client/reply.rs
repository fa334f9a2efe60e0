//! The future of an answer.

use super::driver::Answer;
use super::error::{Cause, Error, Result};
use super::session::{Chroot, ClientError, Reason};
use futures_channel::oneshot;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Makes of a server's answer what was asked for.
pub(super) type Read<T> = fn(Answer) -> std::result::Result<T, Cause>;

/// What asks more than one thing.
type Steps<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// What becomes of a request that has been made. See [the module](super) for what dropping it means.
#[derive(Debug)]
#[must_use = "the request is made, but whether it succeeds is only heard here"]
pub struct Reply<T> {
    request: &'static str,
    path: String,
    state: State<T>,
}

enum State<T> {
    Made(oneshot::Receiver<Answer>, Chroot, Read<T>),
    /// It could not be made.
    Refused(Option<Cause>),
    Steps(Steps<T>),
}

impl<T> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Made(..) => "Made",
            State::Refused(_) => "Refused",
            State::Steps(_) => "Steps",
        })
    }
}

impl<T> Reply<T> {
    pub(super) fn made(
        (request, path): (&'static str, &str),
        answer: oneshot::Receiver<Answer>,
        chroot: Chroot,
        read: Read<T>,
    ) -> Self {
        Reply { request, path: path.to_owned(), state: State::Made(answer, chroot, read) }
    }

    pub(super) fn refused((request, path): (&'static str, &str), cause: Cause) -> Self {
        Reply { request, path: path.to_owned(), state: State::Refused(Some(cause)) }
    }

    /// Of several requests, of which those that stand now are made.
    pub(super) fn steps(
        (request, path): (&'static str, &str),
        steps: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        Reply { request, path: path.to_owned(), state: State::Steps(Box::pin(steps)) }
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let read = match &mut self.state {
            State::Made(answer, chroot, read) => match Pin::new(answer).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(answer)) => {
                    read(answer.map(|(response, zxid)| (chroot.response(response), zxid)))
                }
                // The driver is gone with its runtime, and took the request with it.
                Poll::Ready(Err(oneshot::Canceled)) => {
                    Err(ClientError::OutcomeUnknown(Reason::Closed).into())
                }
            },
            State::Refused(cause) => Err(cause.take().expect("a future is not polled behind its end")),
            State::Steps(steps) => return steps.as_mut().poll(context),
        };
        Poll::Ready(read.map_err(|cause| Error::new(self.request, self.path.clone(), cause)))
    }
}
