//! The options that ask for another plan than the seed's own.

use clap::Args;
use quorate_sim::{Demand, FaultChoice};
use std::fmt::Write;

#[derive(Args, Debug)]
pub(super) struct DemandArguments {
    /// How many servers vote, in the place of what the seed draws: 1 to 9, observers among them.
    #[arg(long, value_name = "N")]
    servers: Option<u32>,
    /// How many servers only learn.
    #[arg(long, value_name = "N")]
    observers: Option<u32>,
    /// How many clients there are.
    #[arg(long, value_name = "N")]
    clients: Option<u32>,
    /// How many operations they plan in a second, all of them together.
    #[arg(long, value_name = "OPS_PER_S")]
    rate: Option<u32>,
    /// When operations and faults end and the liveness phase begins, simulated seconds. The seed's faults are spread over it.
    #[arg(long, value_name = "S")]
    duration: Option<u32>,
    /// What breaks: all that the seed draws, none, or only these kinds of it (`kill,isolate`). With less than all nothing else breaks
    /// either: machines of applications never stand still, and all servers are healed at the end.
    #[arg(long, value_name = "LIST", default_value = "all")]
    faults: FaultChoice,
}

impl DemandArguments {
    pub(super) fn demand(&self) -> Demand {
        Demand {
            servers: self.servers,
            observers: self.observers,
            clients: self.clients,
            rate: self.rate,
            duration_s: self.duration,
            faults: self.faults.clone(),
        }
    }

    /// The options again, each behind a space.
    pub(super) fn options(&self) -> String {
        let numbers = [
            ("servers", self.servers),
            ("observers", self.observers),
            ("clients", self.clients),
            ("rate", self.rate),
            ("duration", self.duration),
        ];
        let mut text = String::new();
        for (name, number) in numbers {
            if let Some(number) = number {
                let _ = write!(text, " --{name} {number}");
            }
        }
        if self.faults != FaultChoice::All {
            let _ = write!(text, " --faults {}", self.faults);
        }
        text
    }
}
