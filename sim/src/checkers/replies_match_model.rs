//! Every reply is the one that the model gives at the reply's place in history: error code and body, field by field.
//!
//! Lists whose order ZooKeeper leaves open (children, a session's ephemerals, identities) are compared in sorted order.

use super::{Verdict, Violation, require};
use quorate_core::jute::{MultiResult, Reader, ReplyHeader, Request, Response};

const NAME: &str = "replies_match_model";

/// Compares a reply with what is expected: an error, or a body.
pub(crate) fn compare(
    request: &Request,
    expected: Result<&Response, i32>,
    (header, mut body): (ReplyHeader, Reader),
) -> Verdict {
    let expected_error = expected.err().unwrap_or(0);
    require(NAME, header.err == expected_error, || {
        format!("{request:?} is answered {} at {}, the model says {expected:?}", header.err, header.zxid)
    })?;
    let Ok(expected) = expected else { return Ok(()) };
    let got = Response::decode(request.opcode(), &mut body).map_err(|error| Violation {
        checker: NAME,
        detail: format!("the reply to {request:?} can't be decoded: {error}"),
    })?;
    let got = in_order(got);
    require(NAME, body.remaining() == 0, || format!("bytes are left behind the reply to {request:?}"))?;
    let expected = in_order(expected.clone());
    require(NAME, got == expected, || {
        format!("{request:?} is answered {got:?} at {}, the model says {expected:?}", header.zxid)
    })
}

fn in_order(response: Response) -> Response {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    match response {
        Response::Paths(names) => Response::Paths(sorted(names)),
        Response::GetChildren2 { children, stat } => {
            Response::GetChildren2 { children: sorted(children), stat }
        }
        Response::WhoAmI(mut infos) => {
            infos.sort();
            Response::WhoAmI(infos)
        }
        Response::Multi(results) => Response::Multi(
            results
                .into_iter()
                .map(|result| match result {
                    MultiResult::GetChildren { children } => {
                        MultiResult::GetChildren { children: sorted(children) }
                    }
                    other => other,
                })
                .collect(),
        ),
        other => other,
    }
}
