//! What whoever runs a seed may ask of its plan: another size, and which faults there are. Nothing asked for changes nothing: a seed's
//! plan is then the one that it always was.
//!
//! What a scenario can't give is refused in words, never left out. Sizes go into the drawing of the plan; faults are taken out of the plan
//! that was drawn, so that those which stay come when they came before.

use super::{FUZZY_SNAPSHOT, Fault, MACHINE_DRIFT, MACHINE_PAUSE, Plan, Rest, Scenario};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// An ensemble is no larger, observers among them.
pub(super) const MOST_SERVERS: u32 = 9;
/// The first second is for connecting.
const LEAST_SECONDS: u32 = 2;
const MOST_SECONDS: u32 = 86_400;
const MOST_CLIENTS: u32 = 1000;
/// A plan is in memory as a whole.
const MOST_OPERATIONS: u64 = 10_000_000;

/// What is asked of a plan, in the place of what its scenario says or its seed draws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// How many servers vote.
    pub servers: Option<u32>,
    /// How many only learn.
    pub observers: Option<u32>,
    /// How many clients there are.
    pub clients: Option<u32>,
    /// How many operations they plan in a second, all of them together.
    pub rate: Option<u32>,
    /// When operations and faults end, s.
    pub duration_s: Option<u32>,
    /// What breaks.
    pub faults: FaultChoice,
}

/// What breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FaultChoice {
    /// Whatever the seed draws.
    #[default]
    All,
    /// Of the planned faults those of these names; and nothing besides: all servers are healed at the end, machines of applications
    /// have right clocks and never stand still, no restart finds a fuzzy snapshot.
    Only(BTreeSet<&'static str>),
}

/// How large a plan is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Where the seed does not draw them.
    pub(super) voters: Option<u32>,
    pub(super) observers: Option<u32>,
    pub(super) clients: u64,
    pub(super) per_second: u64,
    pub(super) seconds: u64,
}

impl Size {
    /// That of the scenario's plans.
    pub(super) fn of(scenario: Scenario) -> Size {
        let ensemble = Size { voters: None, observers: None, clients: 20, per_second: 20, seconds: 60 };
        match scenario {
            Scenario::R0 => Size { voters: Some(1), clients: 12, per_second: 40, ..ensemble },
            Scenario::R1 | Scenario::Rj => ensemble,
            Scenario::R2 => Size { per_second: 1000, ..ensemble },
            Scenario::Rr(_) => {
                Size { voters: Some(3), observers: Some(0), per_second: 0, seconds: 20, ..ensemble }
            }
        }
    }

    /// Operations and faults come before this, µs since the start.
    pub(super) fn end_us(self) -> u64 {
        self.seconds * 1_000_000
    }
}

/// What of a demand there is; each scenario says of each whether it can give it.
#[derive(Clone, Copy)]
enum Part {
    Servers,
    Observers,
    Clients,
    Rate,
    Duration,
    Faults,
}

impl Part {
    fn option(self) -> &'static str {
        match self {
            Part::Servers => "--servers",
            Part::Observers => "--observers",
            Part::Clients => "--clients",
            Part::Rate => "--rate",
            Part::Duration => "--duration",
            Part::Faults => "--faults",
        }
    }

    /// Why not, if not.
    fn refused_by(self, scenario: Scenario) -> Option<&'static str> {
        match (scenario, self) {
            (Scenario::Rj, _) => {
                Some("rj is a fixed scene of one server and scripts; all that it has comes from the seed")
            }
            (Scenario::R0, Part::Servers | Part::Observers) => {
                Some("r0 is one server alone; ensembles are r1 and r2")
            }
            (Scenario::Rr(_), Part::Clients) => Some("the workloads of rr are written for eight machines"),
            (Scenario::Rr(_), Part::Rate) => Some("the applications of rr ask for what they like"),
            _ => None,
        }
    }
}

fn within(option: Part, asked: u32, least: u32, most: u32) -> Result<(), String> {
    let name = option.option();
    let problem = || format!("{name} {asked} is not possible: it has to be from {least} to {most}");
    (least..=most).contains(&asked).then_some(()).ok_or_else(problem)
}

impl Demand {
    /// Whether this scenario can give it, whatever the seed.
    ///
    /// # Errors
    /// Says in words what of it the scenario can't give.
    pub fn check(&self, scenario: Scenario) -> Result<(), String> {
        self.size(scenario).map(|_| ())
    }

    /// Refuses what this scenario can't give.
    pub(super) fn size(&self, scenario: Scenario) -> Result<Size, String> {
        let asked = [
            (Part::Servers, self.servers.is_some_and(|count| scenario != Scenario::R0 || count != 1)),
            (Part::Observers, self.observers.is_some_and(|count| scenario != Scenario::R0 || count != 0)),
            (Part::Clients, self.clients.is_some()),
            (Part::Rate, self.rate.is_some()),
            (Part::Duration, self.duration_s.is_some()),
            (Part::Faults, self.faults != FaultChoice::All),
        ];
        for (part, _) in asked.into_iter().filter(|(_, is_asked)| *is_asked) {
            if let Some(reason) = part.refused_by(scenario) {
                return Err(format!("{} is not possible in {scenario}: {reason}", part.option()));
            }
        }
        self.check_numbers()?;
        self.faults.check(scenario)?;
        let usual = Size::of(scenario);
        let size = Size {
            voters: self.servers.or(usual.voters),
            observers: self.observers.or(usual.observers),
            clients: self.clients.map_or(usual.clients, u64::from),
            per_second: self.rate.map_or(usual.per_second, u64::from),
            seconds: self.duration_s.map_or(usual.seconds, u64::from),
        };
        let operations = size.per_second * size.seconds;
        if operations > MOST_OPERATIONS {
            return Err(format!(
                "{operations} operations are too many for a plan: at most {MOST_OPERATIONS}"
            ));
        }
        Ok(size)
    }

    fn check_numbers(&self) -> Result<(), String> {
        let (servers, observers) = (self.servers.unwrap_or(1), self.observers.unwrap_or(0));
        within(Part::Servers, servers, 1, MOST_SERVERS)?;
        within(Part::Observers, observers, 0, MOST_SERVERS - 1)?;
        if servers + observers > MOST_SERVERS {
            return Err(format!(
                "--servers {servers} with --observers {observers} is more than {MOST_SERVERS} in all"
            ));
        }
        within(Part::Clients, self.clients.unwrap_or(1), 1, MOST_CLIENTS)?;
        within(Part::Duration, self.duration_s.unwrap_or(LEAST_SECONDS), LEAST_SECONDS, MOST_SECONDS)
    }
}

impl FaultChoice {
    /// Refuses kinds that the scenario never plans.
    fn check(&self, scenario: Scenario) -> Result<(), String> {
        let FaultChoice::Only(names) = self else { return Ok(()) };
        let planned = Fault::planned_in(scenario);
        let Some(strange) = names.iter().find(|name| !planned.contains(*name)) else { return Ok(()) };
        Err(format!("--faults {strange} is not possible: {scenario} plans only {}", planned.join(", ")))
    }

    pub(super) fn apply(&self, plan: &mut Plan) {
        let FaultChoice::Only(names) = self else { return };
        plan.faults.retain(|planned| names.contains(planned.fault.name()));
        if !names.contains(FUZZY_SNAPSHOT) {
            plan.disk.fuzzy_permille = 0;
        }
        if let Some(ensemble) = &mut plan.ensemble {
            ensemble.rest = Rest::Healed;
        }
        for app in &mut plan.apps {
            if !names.contains(MACHINE_PAUSE) {
                app.pauses.clear();
            }
            if !names.contains(MACHINE_DRIFT) {
                app.speed_permille = 1000;
            }
        }
    }
}

impl FromStr for FaultChoice {
    type Err = String;

    /// `all`, `none`, or names with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(FaultChoice::All),
            "none" => return Ok(FaultChoice::Only(BTreeSet::new())),
            _ => {}
        }
        let named = |name: &str| {
            let found = Fault::NAMES.into_iter().find(|known| *known == name);
            found.ok_or_else(|| {
                format!("{name:?} is no fault: all, none, or some of {}", Fault::NAMES.join(", "))
            })
        };
        text.split(',').map(named).collect::<Result<_, _>>().map(FaultChoice::Only)
    }
}

impl fmt::Display for FaultChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultChoice::All => f.write_str("all"),
            FaultChoice::Only(names) if names.is_empty() => f.write_str("none"),
            FaultChoice::Only(names) => f.write_str(&Vec::from_iter(names.iter().copied()).join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Workload;
    use super::*;

    fn names(plan: &Plan) -> BTreeSet<&'static str> {
        let mut names: BTreeSet<_> = plan.faults.iter().map(|planned| planned.fault.name()).collect();
        names.extend((plan.disk.fuzzy_permille > 0).then_some(FUZZY_SNAPSHOT));
        names.extend(plan.apps.iter().any(|app| !app.pauses.is_empty()).then_some(MACHINE_PAUSE));
        names.extend(plan.apps.iter().any(|app| app.speed_permille != 1000).then_some(MACHINE_DRIFT));
        names
    }

    #[test]
    fn every_fault_that_is_ever_planned_has_a_name_that_can_be_asked_for() {
        let scenarios = [Scenario::R0, Scenario::R1, Scenario::R2, Scenario::Rj, Scenario::Rr(None)];
        for scenario in scenarios {
            let seeds = if scenario == Scenario::R2 { 0..20 } else { 0..400 };
            let names: BTreeSet<_> = seeds.flat_map(|seed| names(&Plan::expand(scenario, seed))).collect();
            let known = Fault::planned_in(scenario);
            assert!(names.iter().all(|name| known.contains(name)), "{scenario}: {names:?}, known {known:?}");
            if scenario != Scenario::R2 {
                assert!(
                    known.iter().all(|name| names.contains(name)),
                    "{scenario}: {names:?}, known {known:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_asked_for_is_there() {
        let demand = Demand {
            servers: Some(4),
            observers: Some(2),
            clients: Some(3),
            rate: Some(100),
            duration_s: Some(7),
            faults: "kill,isolate".parse().expect("both are faults"),
        };
        let mut names = BTreeSet::new();
        for seed in 0..50 {
            let plan = Plan::expand_to(Scenario::R1, seed, &demand).expect("r1 can do all of it");
            let ensemble = plan.ensemble.expect("an ensemble");
            assert_eq!((ensemble.voters, ensemble.observers, ensemble.rest), (4, 2, Rest::Healed));
            assert_eq!((plan.clients.len(), plan.duration_ms), (3, 7000));
            assert!(plan.operations.iter().all(|planned| planned.at_us < 7_100_000 && planned.client < 3));
            let operations = plan.operations.len();
            assert!((600..900).contains(&operations), "{operations} of seed {seed}");
            assert!(plan.faults.iter().all(|planned| planned.at_us < 7_000_000));
            names.extend(plan.faults.iter().map(|planned| planned.fault.name()));
        }
        assert_eq!(Vec::from_iter(names), ["isolate", "kill"]);
    }

    #[test]
    fn what_is_said_of_disks_and_machines_can_be_asked_for_as_what_is_planned() {
        for (scenario, name) in [
            (Scenario::R0, FUZZY_SNAPSHOT),
            (Scenario::Rr(None), MACHINE_PAUSE),
            (Scenario::Rr(None), MACHINE_DRIFT),
        ] {
            let demand = Demand { faults: name.parse().expect("it is a fault"), ..Demand::default() };
            let plans = (0..20).map(|seed| Plan::expand_to(scenario, seed, &demand).expect("it is planned"));
            let names: BTreeSet<_> = plans.flat_map(|plan| names(&plan)).collect();
            assert_eq!(Vec::from_iter(names), [name], "{scenario}");
        }
    }

    #[test]
    fn what_is_drawn_makes_room_for_what_is_asked_for() {
        for seed in 0..300 {
            let demand = Demand { observers: Some(7), ..Demand::default() };
            let plan = Plan::expand_to(Scenario::R1, seed, &demand).expect("two of nine may vote");
            let ensemble = plan.ensemble.expect("an ensemble");
            assert!(ensemble.observers == 7 && (1..=2).contains(&ensemble.voters), "{ensemble:?}");
            let demand = Demand { servers: Some(9), ..Demand::default() };
            let plan = Plan::expand_to(Scenario::R1, seed, &demand).expect("nine may vote");
            assert_eq!(plan.ensemble.map(|ensemble| (ensemble.voters, ensemble.observers)), Some((9, 0)));
        }
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let scenarios = [Scenario::R0, Scenario::R1, Scenario::Rj, Scenario::Rr(Some(Workload::Mutex))];
        for (scenario, seed) in
            scenarios.into_iter().flat_map(|scenario| (0..20).map(move |seed| (scenario, seed)))
        {
            let plan = Plan::expand_to(scenario, seed, &Demand::default()).expect("nothing is refused");
            assert_eq!(plan, Plan::expand(scenario, seed));
        }
    }
}
