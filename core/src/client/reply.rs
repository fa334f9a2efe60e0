//! The future of an answer.

use super::driver::Answer;
use super::error::{Cause, Error, Result};
use super::session::{Chroot, ClientError, Reason};
use futures_channel::oneshot;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tracing::Span;
use tracing::field::Empty;

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
    span: Span,
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
    fn new((request, path): (&'static str, &str), state: State<T>) -> Self {
        let span = tracing::debug_span!("request", request, path, error = Empty);
        Reply { request, path: path.to_owned(), span, state }
    }

    pub(super) fn made(
        what: (&'static str, &str),
        answer: oneshot::Receiver<Answer>,
        chroot: Chroot,
        read: Read<T>,
    ) -> Self {
        Reply::new(what, State::Made(answer, chroot, read))
    }

    pub(super) fn refused(what: (&'static str, &str), cause: Cause) -> Self {
        Reply::new(what, State::Refused(Some(cause)))
    }

    /// Of several requests, of which those that stand now are made.
    pub(super) fn steps(
        what: (&'static str, &str),
        steps: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Self {
        Reply::new(what, State::Steps(Box::pin(steps)))
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let reply = &mut *self;
        let _entered = reply.span.enter();
        let read = match &mut reply.state {
            State::Made(answer, chroot, read) => match Pin::new(answer).poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(mut answer)) => {
                    if let Ok((response, _)) = &mut answer {
                        chroot.leave_response(response);
                    }
                    read(answer)
                }
                // The driver is gone with its runtime, and took the request with it.
                Poll::Ready(Err(oneshot::Canceled)) => {
                    Err(ClientError::OutcomeUnknown(Reason::Closed).into())
                }
            },
            State::Refused(cause) => Err(cause.take().expect("a future is not polled behind its end")),
            State::Steps(steps) => return steps.as_mut().poll(context),
        };
        Poll::Ready(read.map_err(|cause| {
            reply.span.record("error", tracing::field::display(&cause));
            Error::new(reply.request, reply.path.clone(), cause)
        }))
    }
}
