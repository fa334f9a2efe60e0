//! A client, as the world sees it: a script of the simulator's own, the core's session machine, or a machine with applications.

use super::machine::Machine;
use super::scripted::Scripted;
use crate::app;
use crate::chooser::Chooser;
use crate::plan::ClientPlan;
use quorate_core::vocabulary::ConnId;

#[derive(Debug)]
pub(super) enum Client {
    Scripted(Box<Scripted>),
    Machine(Box<Machine>),
    App(Box<app::Machine>),
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

    /// The connection that it holds; of applications, which may hold several, none.
    pub(super) fn conn(&self) -> Option<ConnId> {
        match self {
            Client::Scripted(script) => script.conn(),
            Client::Machine(machine) => machine.conn(),
            Client::App(_) => None,
        }
    }

    /// Whether it holds this connection.
    pub(super) fn holds(&self, conn: ConnId) -> bool {
        match self {
            Client::App(app) => app.holds(conn),
            _ => self.conn() == Some(conn),
        }
    }

    /// When it has something to do by itself.
    pub(super) fn next_timer(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.next_timer(),
            Client::Machine(machine) => machine.next_timer(),
            Client::App(app) => app.next_timer(),
        }
    }

    /// When it last had an answer.
    pub(super) fn last_answered(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.last_answered(),
            Client::Machine(machine) => machine.last_answered(),
            Client::App(app) if app.is_done() => u64::MAX,
            Client::App(app) => app.last_heard(),
        }
    }

    /// Since when it waits for the answer that is next in line; the end of time when it waits for none.
    pub(super) fn waits_since(&self) -> u64 {
        match self {
            Client::Scripted(script) => script.waits_since(),
            Client::Machine(machine) => machine.waits_since(),
            Client::App(_) => u64::MAX / 2,
        }
    }

    /// Whether nothing of it has to come to its end any more.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Client::Scripted(_) | Client::Machine(_) => true,
            Client::App(app) => app.is_done(),
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
            Client::App(app) => format!("{app:?}"),
        }
    }
}
