//! Programs that the library's user brings.

use super::{Machine, Programs, Scene};
use crate::checkers::{Verdict, Violation};
use crate::plan::AppPlan;
use quorate_core::client::Runtime;
use std::future::Future;
use std::pin::Pin;

type Ending = Pin<Box<dyn Future<Output = ()> + Send>>;
type Program = Box<dyn Fn(Scene) -> Ending>;
type Check = Box<dyn Fn() -> Result<(), String>>;

/// One program for each machine, and what must hold when all have come to their end.
#[derive(Default)]
pub(crate) struct Own {
    programs: Vec<Program>,
    checks: Vec<(&'static str, Check)>,
}

impl Own {
    /// Adds a machine with this program.
    pub(crate) fn program<F>(&mut self, program: impl Fn(Scene) -> F + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.programs.push(Box::new(move |scene| Box::pin(program(scene))));
    }

    pub(crate) fn check(&mut self, rule: &'static str, check: impl Fn() -> Result<(), String> + 'static) {
        self.checks.push((rule, Box::new(check)));
    }

    pub(crate) fn machines(&self) -> usize {
        self.programs.len()
    }
}

impl Programs for Own {
    fn start(&self, _: &AppPlan, scene: Scene) {
        if let Some(program) = self.programs.get(scene.machine as usize) {
            scene.runtime.clone().spawn(program(scene));
        }
    }

    fn judge(&self, _: &[&Machine], _: &AppPlan) -> Verdict {
        self.checks
            .iter()
            .try_for_each(|(checker, check)| check().map_err(|detail| Violation { checker, detail }))
    }
}
