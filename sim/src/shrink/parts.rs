//! The parts of a plan, but for settings and an accent's story: what each takes with it when it goes.
//!
//! Clients and machines are known by their places, and so are servers: operations and faults of one that goes go with it, and those of
//! the ones behind it are theirs still.

use super::search::Search;
use super::settings;
use crate::plan::{AppPlan, EnsemblePlan, ImagePlan, Operation, Plan, Target};

const MS: u64 = 1_000_000;
/// Ensembles of so many voters are tried.
const VOTERS: [u32; 4] = [1, 3, 5, 7];

/// Leaves out all that can go.
pub(super) fn shrink(search: &mut Search<'_>) {
    end_behind_the_violation(search);
    search.exhaust(|search| {
        settings::make_plain(search);
        people(search);
        faults(search);
        operations(search);
        batches(search);
        pauses(search);
        image(search);
        servers(search);
        end_behind_the_violation(search);
    });
}

/// What comes later than the violation is no part of it. Where it came behind the end of faults, that end is tried sooner.
fn end_behind_the_violation(search: &mut Search<'_>) {
    let end = search.best.duration_ms;
    if let Some(at) = search.broken_at().map(|at| at / MS).filter(|at| *at < end) {
        let candidate = ended(&search.best, at + 1);
        search.attempt(candidate);
        return;
    }
    let last_us = |plan: &Plan| {
        let operations = plan.operations.last().map(|planned| planned.at_us);
        operations.max(plan.faults.last().map(|planned| planned.at_us)).unwrap_or_default()
    };
    let last = last_us(&search.best) / 1000 + 1;
    for candidate in [last, last + 1000, last + 5000, last.midpoint(end)] {
        if candidate < search.best.duration_ms && search.attempt(ended(&search.best, candidate)) {
            break;
        }
    }
}

/// A plan that is over at that time.
fn ended(plan: &Plan, duration_ms: u64) -> Plan {
    let mut plan = Plan { duration_ms, ..plan.clone() };
    plan.operations.retain(|planned| planned.at_us < duration_ms * 1000);
    plan.faults.retain(|planned| planned.at_us < duration_ms * 1000);
    for app in &mut plan.apps {
        app.pauses.retain(|pause| pause.at_ms < duration_ms);
    }
    plan
}

fn faults(search: &mut Search<'_>) {
    let faults = search.best.faults.clone();
    search.thin(faults, |plan, kept| Plan { faults: kept.to_vec(), ..plan.clone() });
}

fn operations(search: &mut Search<'_>) {
    let operations = search.best.operations.clone();
    search.thin(operations, |plan, kept| Plan { operations: kept.to_vec(), ..plan.clone() });
}

/// What a multi is made of.
fn batches(search: &mut Search<'_>) {
    for index in 0..search.best.operations.len() {
        if let Operation::Multi(parts) | Operation::MultiRead(parts) =
            &search.best.operations[index].operation
        {
            search.thin(parts.clone(), |plan, kept| {
                let mut plan = plan.clone();
                if let Operation::Multi(parts) | Operation::MultiRead(parts) =
                    &mut plan.operations[index].operation
                {
                    *parts = kept.to_vec();
                }
                plan
            });
        }
    }
}

/// Clients, and machines with applications, which come behind them.
fn people(search: &mut Search<'_>) {
    let count = search.best.clients.len() + search.best.apps.len();
    let people: Vec<u32> = (0..count as u32).collect();
    search.thin(people, with_people);
}

fn with_people(plan: &Plan, kept: &[u32]) -> Plan {
    let place = |client: u32| kept.iter().position(|other| *other == client).map(|place| place as u32);
    let mut plan = plan.clone();
    let is_kept = |index: usize| kept.contains(&(index as u32));
    let clients = plan.clients.len();
    let all = plan.clients.into_iter().enumerate();
    plan.clients = all.filter(|(index, _)| is_kept(*index)).map(|(_, client)| client).collect();
    let all = plan.apps.into_iter().enumerate();
    plan.apps = all.filter(|(index, _)| is_kept(clients + index)).map(|(_, app)| app).collect();
    plan.operations.retain_mut(|planned| {
        let place = place(planned.client);
        planned.client = place.unwrap_or_default();
        place.is_some()
    });
    plan.faults.retain_mut(|planned| {
        let Some(client) = planned.fault.client_mut() else { return true };
        let place = place(*client);
        *client = place.unwrap_or_default();
        place.is_some()
    });
    plan
}

fn pauses(search: &mut Search<'_>) {
    let of =
        |(app, plan): (usize, &AppPlan)| (0..plan.pauses.len()).map(|pause| (app, pause)).collect::<Vec<_>>();
    let pauses: Vec<(usize, usize)> = search.best.apps.iter().enumerate().flat_map(of).collect();
    search.thin(pauses, |plan, kept| {
        let mut plan = plan.clone();
        for (app, of_app) in plan.apps.iter_mut().enumerate() {
            let all = std::mem::take(&mut of_app.pauses).into_iter().enumerate();
            of_app.pauses =
                all.filter(|(pause, _)| kept.contains(&(app, *pause))).map(|(_, it)| it).collect();
        }
        plan
    });
    for index in 0..search.best.apps.len() {
        let mut candidate = search.best.clone();
        candidate.apps[index].fail_fast = false;
        search.attempt(candidate);
    }
}

fn image(search: &mut Search<'_>) {
    let Some(image) = search.best.image.clone() else { return };
    if search.attempt(Plan { image: None, ..search.best.clone() }) {
        return;
    }
    let with = |plan: &Plan, change: &dyn Fn(&mut ImagePlan)| {
        let mut plan = plan.clone();
        plan.image.iter_mut().for_each(change);
        plan
    };
    search.thin(image.nodes, |plan, kept| {
        with(plan, &|image| {
            let has_parent = |path: &str| match path.rsplit_once('/') {
                Some(("", _)) | None => true,
                Some((parent, _)) => kept.iter().any(|node| node.path == parent),
            };
            image.nodes = kept.iter().filter(|node| has_parent(&node.path)).cloned().collect();
        })
    });
    search.thin(image.sessions, |plan, kept| with(plan, &|image| image.sessions = kept.to_vec()));
    let plain: [fn(&mut ImagePlan); 3] = [
        |image| image.is_old = false,
        |image| image.keeps_old_logs = false,
        |image| (image.snapshot_behind, image.log_txns) = (1000, 1000),
    ];
    for change in plain {
        let candidate = with(&search.best, &change);
        search.attempt(candidate);
    }
}

/// Fewer servers: faults of those that are gone go too, or meet others.
fn servers(search: &mut Search<'_>) {
    let Some(EnsemblePlan { voters, observers, .. }) = search.best.ensemble else { return };
    let fewer = (0..observers).map(|observers| (voters, observers));
    let smaller = VOTERS.into_iter().filter(|count| *count < voters);
    let counts =
        fewer.chain(smaller.clone().map(|count| (count, observers))).chain(smaller.map(|count| (count, 0)));
    for count in counts.collect::<Vec<_>>() {
        let is_smaller = |plan: &Plan| {
            plan.ensemble.as_ref().is_some_and(|now| count.0 <= now.voters && count.1 <= now.observers)
        };
        for meets_others in [false, true] {
            if is_smaller(&search.best) {
                let candidate = with_servers(&search.best, count, meets_others);
                search.attempt(candidate);
            }
        }
    }
}

fn with_servers(plan: &Plan, (voters, observers): (u32, u32), meets_others: bool) -> Plan {
    let mut plan = plan.clone();
    let count = voters + observers;
    if let Some(ensemble) = &mut plan.ensemble {
        if voters < ensemble.voters {
            (ensemble.groups, ensemble.weights) = (Vec::new(), Vec::new());
        }
        (ensemble.voters, ensemble.observers) = (voters, observers);
        ensemble.observer_masters &= observers > 0;
        ensemble.read_only.retain(|server| *server < count);
    }
    let is_there = |server: &mut u32| {
        if meets_others {
            *server %= count;
        }
        *server < count
    };
    plan.faults.retain_mut(|planned| {
        let has_target = match &mut planned.target {
            Target::Server(server) => is_there(server),
            Target::Leader | Target::All => true,
        };
        let has_other = planned.fault.other_server_mut().is_none_or(is_there);
        has_target && has_other
    });
    plan
}
