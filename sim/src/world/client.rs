//! A client, as the world sees it: a script of the simulator's own, or the core's session machine.

use super::machine::Machine;
use super::scripted::Scripted;
use crate::chooser::Chooser;
use crate::plan::ClientPlan;
use quorate_core::vocabulary::ConnId;

#[derive(Debug)]
pub(super) enum Client {
    Scripted(Box<Scripted>),
    Machine(Box<Machine>),
}

impl Client {
    pub(super) fn new(
        (index, servers): (usize, usize),
        plan: &ClientPlan,
        chooser: &mut dyn Chooser,
    ) -> Self {
        match plan.is_machine {
            true => Client::Machine(Box::new(Machine::new((index, servers), plan.clone(), chooser))),
            false => Client::Scripted(Box::new(Scripted::new(index, plan.clone()))),
        }
    }

    /// The connection that it holds.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Client::Scripted(script) => script.conn(),
            Client::Machine(machine) => machine.conn(),
        }
    }

    /// When it has something to do by itself.
    pub(super) fn next_timer(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.next_timer(),
            Client::Machine(machine) => machine.next_timer(),
        }
    }

    /// When it last had an answer.
    pub(super) fn last_answered(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.last_answered(),
            Client::Machine(machine) => machine.last_answered(),
        }
    }

    /// Since when it waits for the answer that is next in line; the end of time when it waits for none.
    pub(super) fn waits_since(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.waits_since(),
            Client::Machine(machine) => machine.waits_since(),
        }
    }

    /// Whether it holds a connection to a server that serves only reads.
    pub(super) fn is_read_only(&self) -> bool {
        matches!(self, Client::Scripted(script) if script.is_read_only())
    }

    /// How far it has come, in words.
    pub(super) fn state(&self) -> String {
        match self {
            Client::Scripted(script) => format!("{:?}", script.phase),
            Client::Machine(machine) => machine.state(),
        }
    }
}
