//! What four-letter words and the metrics page are told, and the words' answers.

use super::{Message, Owner};
use crate::four_letter::{self, Answer, DirectorySizes, Effect, Facts};
use bytes::Bytes;
use quorate_core::contract::Input;
use quorate_core::jute::FourLetterCommand;
use quorate_core::vocabulary::{ConnId, Now};
use std::rc::Rc;
use std::sync::Arc;

impl Owner {
    pub(super) fn facts(&self, now: Now, asked: Option<(ConnId, DirectorySizes)>) -> Facts<'_> {
        let parts = &self.parts;
        Facts {
            status: parts.peer.status(),
            config: &parts.config,
            now,
            uptime: parts.clock.uptime(),
            host: &parts.metrics,
            asking: asked.map(|(conn, _)| conn),
            sizes: asked.map_or_else(DirectorySizes::default, |(_, sizes)| sizes),
        }
    }

    pub(super) fn answer(
        &mut self,
        now: Now,
        conn: ConnId,
        command: FourLetterCommand,
        argument: Option<i64>,
    ) {
        if four_letter::needs_sizes(command, &self.parts.config.four_letter) {
            let storage = self.parts.config.storage.clone();
            let mailbox = Arc::clone(&self.parts.mailbox);
            // A directory may lie on a disk that hangs.
            tokio::task::spawn_blocking(move || {
                let sizes = DirectorySizes::measure(&storage);
                mailbox.send(Message::Sizes { conn, command, sizes });
            });
            return;
        }
        let sizes = DirectorySizes::default();
        let answer = four_letter::answer(command, argument, &self.facts(now, Some((conn, sizes))));
        self.send_answer(now, conn, answer);
    }

    pub(super) fn send_answer(&mut self, now: Now, conn: ConnId, answer: Answer) {
        match answer.effect {
            Effect::None => {}
            Effect::ResetServerStats => {
                self.handle(now, Input::ResetServerStats);
                self.parts.metrics.reset();
            }
            Effect::ResetConnectionStats => self.handle(now, Input::ResetConnectionStats),
            Effect::SetTraceMask(mask) => self.parts.metrics.trace_mask = mask,
        }
        let table = self.table.borrow();
        let Some(connection) = table.find(conn) else { return };
        self.parts.metrics.add_word(answer.text.len());
        if connection.queue(Bytes::from(answer.text)) {
            self.dirty.push(Rc::clone(connection));
        }
        connection.close();
    }
}
