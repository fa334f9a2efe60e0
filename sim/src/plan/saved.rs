//! Plans out of files: which can be run, and what is wrong with the others.

use super::{EnsemblePlan, FORMAT, Fault, Plan, Shape, Target};
use serde::Deserialize;

/// Why something is no plan that can be run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It means something else now, or nothing.
    #[error(
        "its format is {found}, this program runs format {FORMAT}: replay it with the version of quorate-sim that wrote it, or, if it is \
         as it was drawn, write it anew with `quorate-sim plan --scenario {scenario} --seed {seed}`"
    )]
    Format {
        /// What it says of itself.
        found: u32,
        /// Its seed.
        seed: String,
        /// Its scenario.
        scenario: String,
    },
    /// It is no JSON, or not what a plan is made of.
    #[error("it is no plan: {0}; `quorate-sim plan --seed N` prints one")]
    Unreadable(#[from] serde_json::Error),
    /// It is about somebody who does not exist.
    #[error("{0}: take that out, or correct it")]
    Impossible(String),
}

/// What all formats have.
#[derive(Deserialize)]
struct Head {
    format: u32,
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    scenario: Option<String>,
}

impl Plan {
    /// Reads a plan as it was written, and looks whether it can be run.
    ///
    /// # Errors
    /// When it is of another format, no plan, or about clients or servers that do not exist.
    pub fn from_json(json: &str) -> Result<Plan, PlanError> {
        let head: Head = serde_json::from_str(json)?;
        if head.format != FORMAT {
            let seed = head.seed.map_or("unknown".to_string(), |seed| seed.to_string());
            let scenario = head.scenario.unwrap_or_else(|| "unknown".to_string()).to_lowercase();
            return Err(PlanError::Format { found: head.format, seed, scenario });
        }
        let plan: Plan = serde_json::from_str(json)?;
        plan.is_possible().map_err(PlanError::Impossible)?;
        Ok(plan)
    }

    /// Whether everybody exists whom it is about.
    fn is_possible(&self) -> Result<(), String> {
        let servers = self.ensemble.as_ref().map_or(1, EnsemblePlan::servers);
        let clients = self.clients.len() + self.apps.len();
        if self.ensemble.as_ref().is_some_and(|ensemble| ensemble.voters == 0) {
            return Err("of its ensemble nobody votes".to_string());
        }
        if self.accent.as_ref().is_some_and(|accent| accent.reigns.is_empty()) {
            return Err("its accent has no leader".to_string());
        }
        for (index, planned) in self.operations.iter().enumerate() {
            if planned.client as usize >= clients {
                return Err(format!("operation {index} is client {}'s of {clients}", planned.client));
            }
        }
        for (index, planned) in self.faults.iter().enumerate() {
            let target = match planned.target {
                Target::Server(server) => Some(server),
                Target::Leader | Target::All => None,
            };
            let mut fault = planned.fault.clone();
            for server in [target, fault.other_server_mut().copied()].into_iter().flatten() {
                if server as usize >= servers {
                    return Err(format!("fault {index} is about server {server} of {servers}"));
                }
            }
            if let Some(client) = fault.client_mut().filter(|client| **client as usize >= clients) {
                return Err(format!("fault {index} is about client {client} of {clients}"));
            }
        }
        Ok(())
    }
}

impl Fault {
    /// The client whose connections it is about.
    pub(crate) fn client_mut(&mut self) -> Option<&mut u32> {
        match self {
            Fault::Reset { client }
            | Fault::HalfOpen { client }
            | Fault::Stall { client, .. }
            | Fault::Cut { client, .. }
            | Fault::Lonely { client, .. } => Some(client),
            _ => None,
        }
    }

    /// The server that it is about besides its target.
    pub(crate) fn other_server_mut(&mut self) -> Option<&mut u32> {
        match self {
            Fault::CutLinks { shape: Shape::Pair(other), .. }
            | Fault::SlowLinks { shape: Shape::Pair(other), .. }
            | Fault::LossyLinks { shape: Shape::Pair(other), .. }
            | Fault::BreakLinks { shape: Shape::Pair(other), .. } => Some(other),
            _ => None,
        }
    }
}
