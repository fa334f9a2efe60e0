//! What only Quorate has. ZooKeeper ignores these keys, so one zoo.cfg can serve both.

use super::{Effect, From, Kind, Refusal, Setting};
use crate::config::LogFormat;

/// The rows.
pub(super) const ROWS: &[Setting] = &[
    own("log.format", Kind::OneOf(&["text", "json"]), "text").is(
        Effect::Own(|draft, value| {
            draft.config.log.format = if value.text() == "json" { LogFormat::Json } else { LogFormat::Text };
            Ok(())
        }),
        "form of a log line",
    ),
    own("log.filter", Kind::Text, "info").is(
        Effect::Own(|draft, value| {
            draft.config.log.filter = value.text().to_owned();
            match crate::logging::parse_filter(value.text()) {
                Ok(_) => Ok(()),
                Err(error) => {
                    Err(Refusal::new(error).expected("error, warn, info, debug, trace, or module=level,…"))
                }
            }
        }),
        "what is logged: error, warn, info, debug, trace, or module=level,…; RUST_LOG beats it",
    ),
    own("freeSpace.lowMb", Kind::Number(0, 1 << 40, "MiB"), "8").is(
        Effect::Own(|draft, value| {
            draft.config.peer.limits.free_space_low = value.number() << 20;
            Ok(())
        }),
        "free space below which writes are refused; 0: never",
    ),
    own("freeSpace.resumeMb", Kind::Number(0, 1 << 40, "MiB"), "").is(
        Effect::Own(|draft, value| {
            draft.resume_space = Some(value.number() << 20);
            Ok(())
        }),
        "free space from which they are taken again; unset: twice freeSpace.lowMb",
    ),
    own("retention.maxMb", Kind::Number(0, 1 << 40, "MiB"), "").is(
        Effect::Own(|draft, value| {
            draft.retain_bytes = Some(value.number() << 20);
            Ok(())
        }),
        "what snapshots and logs may take together before purging keeps fewer snapshots, but at least the newest; 0: any; \
         unset: 16384, and any if autopurge.snapRetainCount is set",
    ),
    own("client.backlogPauseBytes", Kind::Number(1, 1 << 40, "bytes"), "1048576").is(
        Effect::Own(|draft, value| {
            draft.config.peer.limits.backlog_pause = value.number() as usize;
            Ok(())
        }),
        "replies waiting for one client before it is held back",
    ),
    own("client.backlogCloseBytes", Kind::Number(1, 1 << 40, "bytes"), "67108864").is(
        Effect::Own(|draft, value| {
            draft.config.peer.limits.backlog_close = value.number() as usize;
            Ok(())
        }),
        "replies waiting for one client before it is closed",
    ),
];

const fn own(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting::new(key, From::Either, kind, default)
}
