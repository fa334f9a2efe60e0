//! What is left of a plan that really breaks a rule, out of a file.

use quorate_sim::{
    Budget, Checks, Direction, FORMAT, Fault, Plan, PlannedFault, Ports, Scenario, Seeded, Shape, Target,
    run, run_until, run_with, shrink,
};

fn breaks_on_purpose() -> Plan {
    let scenario: Scenario = "rr-unfenced-mutex".parse().expect("it is one");
    let plans = (0..50).map(|seed| Plan::expand(scenario, seed));
    plans
        .into_iter()
        .find(|plan| run(plan, None).violation.is_some())
        .expect("who forgets its token is found")
}

#[test]
fn a_shrunk_plan_out_of_its_file_breaks_the_same_rule_in_the_same_way() {
    let plan = breaks_on_purpose();
    let mut trial = |plan: &Plan, until_ns: Option<u64>| {
        let chooser = Box::new(Seeded { seed: plan.seed });
        match until_ns {
            Some(until_ns) => run_until(plan, chooser, Checks::All, until_ns),
            None => run_with(plan, chooser, Checks::All, None),
        }
    };
    let budget = Budget { runs: 100, ..Budget::default() };
    let shrunk = shrink(&plan, budget, &mut trial).expect("it breaks");
    assert!(shrunk.after.events() < shrunk.before.events(), "{:?} of {:?}", shrunk.after, shrunk.before);
    let json = serde_json::to_string_pretty(&shrunk.plan).expect("a plan is plain data");
    let saved = Plan::from_json(&json).expect("and comes back");
    assert_eq!(saved, shrunk.plan);
    let outcome = run(&saved, None);
    let violation = outcome.violation.expect("it breaks still");
    assert_eq!(violation.checker, run(&plan, None).violation.expect("it breaks").checker);
    assert_eq!((violation, outcome.trace_hash), (shrunk.violation, shrunk.trace_hash));
}

#[test]
fn a_plan_of_another_format_is_refused_with_what_to_do() {
    let plan = Plan { format: FORMAT + 1, ..Plan::expand(Scenario::R1, 7) };
    let json = serde_json::to_string(&plan).expect("a plan is plain data");
    let problem = Plan::from_json(&json).expect_err("it is of another format").to_string();
    let (found, runs) = (format!("format is {}", FORMAT + 1), format!("format {FORMAT}"));
    assert!(
        problem.contains(&found) && problem.contains(&runs) && problem.contains("--scenario r1 --seed 7"),
        "{problem}"
    );
}

#[test]
fn a_plan_about_nobody_is_refused() {
    let mut plan = Plan::expand(Scenario::R0, 7);
    plan.operations[3].client = 12;
    let json = serde_json::to_string(&plan).expect("a plan is plain data");
    let problem = Plan::from_json(&json).expect_err("there are clients 0 to 11").to_string();
    assert!(problem.contains("operation 3 is client 12's of 12"), "{problem}");
    for (name, fault) in ways_to_server_9() {
        let mut plan = Plan::expand(Scenario::R1, 7);
        plan.faults = vec![PlannedFault { at_us: 1, target: Target::Leader, fault }];
        let json = serde_json::to_string(&plan).expect("a plan is plain data");
        let problem = Plan::from_json(&json).map(drop).expect_err(name).to_string();
        assert!(problem.contains("fault 0 is about server 9"), "{problem}");
    }
}

fn ways_to_server_9() -> [(&'static str, Fault); 4] {
    let (shape, ports, ms) = (Shape::Pair(9), Ports::Both, 1);
    [
        Fault::CutLinks { shape, ports, direction: Direction::Both, ms },
        Fault::SlowLinks { shape, ports, delay_ms: 1, ms },
        Fault::LossyLinks { shape, ports, permille: 1, ms },
        Fault::BreakLinks { shape, ports, is_silent: false },
    ]
    .map(|fault| (fault.name(), fault))
}
