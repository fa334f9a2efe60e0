//! What breaks between servers: ways that are cut or slow, connections that end, and how it all heals.

use super::World;
use super::links::Phase;
use crate::checkers::Violation;
use crate::plan::{Direction, Fault, Ports, Shape};
use quorate_core::contract::Port;
use quorate_core::vocabulary::LinkId;

const MS: u64 = 1_000_000;

/// A way between two servers, for one port.
pub(super) type WayOf = ((usize, usize), Port);

pub(super) fn ports(ports: Ports) -> &'static [Port] {
    match ports {
        Ports::Both => &[Port::Election, Port::Quorum, Port::ObserverMaster],
        Ports::Election => &[Port::Election],
        Ports::Quorum => &[Port::Quorum, Port::ObserverMaster],
    }
}

/// The ways that a fault is about, as seen from `target`.
fn ways_of(servers: usize, target: usize, (shape, on, direction): (Shape, Ports, Direction)) -> Vec<WayOf> {
    let is_set = |mask: u32, server: usize| mask >> server & 1 == 1;
    let is_met = |from: usize, to: usize| match shape {
        Shape::Pair(other) => from == target && to == other as usize,
        Shape::Isolate => from == target,
        Shape::Halves(mask) => is_set(mask, from) && !is_set(mask, to),
        Shape::Bridge(mask) => is_set(mask, from) && !is_set(mask, to) && from != target && to != target,
    };
    let mut ways = Vec::new();
    for from in 0..servers {
        for to in (0..servers).filter(|to| *to != from && is_met(from, *to)) {
            for port in ports(on) {
                if direction != Direction::In {
                    ways.push(((from, to), *port));
                }
                if direction != Direction::Out {
                    ways.push(((to, from), *port));
                }
            }
        }
    }
    ways
}

impl World<'_> {
    /// Begins a fault between servers; false when there is nobody for it.
    pub(super) fn break_network(
        &mut self,
        target: usize,
        index: usize,
        fault: &Fault,
    ) -> Result<bool, Violation> {
        let servers = self.servers.len();
        let which = match fault {
            Fault::CutLinks { shape, ports, direction, .. } => (*shape, *ports, *direction),
            Fault::SlowLinks { shape, ports, .. } | Fault::LossyLinks { shape, ports, .. } => {
                (*shape, *ports, Direction::Both)
            }
            Fault::BreakLinks { shape, ports, is_silent } => {
                let ways = ways_of(servers, target, (*shape, *ports, Direction::Both));
                return self.break_links(target, &ways, *is_silent);
            }
            Fault::BreakSync { .. } => {
                let ways = ways_of(servers, target, (Shape::Isolate, Ports::Quorum, Direction::Both));
                return self.break_links(target, &ways, false);
            }
            _ => unreachable!("a fault of a server or a client"),
        };
        let ways = ways_of(servers, target, which);
        ways.iter().for_each(|way| self.set_way(fault, *way, true));
        let is_any = !ways.is_empty();
        self.broken_ways.entry(index).or_default().extend(ways);
        Ok(is_any)
    }

    /// A way is as a fault that lasts has it, or no longer.
    fn set_way(&mut self, fault: &Fault, (way, port): WayOf, is_broken: bool) {
        let ways = &mut self.links.ways;
        match fault {
            Fault::SlowLinks { delay_ms, .. } => ways.slow(way, port, delay_ms * MS, is_broken),
            Fault::LossyLinks { permille, .. } => ways.lose(way, port, *permille, is_broken),
            _ => ways.cut(way, port, is_broken),
        }
    }

    /// Ends connections between servers; false when there are none. Silently, only the target learns of it.
    fn break_links(&mut self, target: usize, ways: &[WayOf], is_silent: bool) -> Result<bool, Violation> {
        let is_met = |(from, to): (usize, usize), port: Port| ways.contains(&((from, to), port));
        let links: Vec<LinkId> = self
            .links
            .by_id
            .iter()
            .filter(|(_, link)| {
                is_met(link.ways(0), link.port) && link.ends.iter().all(|end| end.phase == Phase::Open)
            })
            .map(|(id, _)| id)
            .collect();
        for link in &links {
            for end in 0..2 {
                let is_told = self
                    .links
                    .by_id
                    .get(*link)
                    .is_some_and(|known| !is_silent || known.ends[end].server == target);
                if is_told {
                    self.link_lost(*link, end, "broken")?;
                }
            }
        }
        Ok(!links.is_empty())
    }

    /// A fault between servers is over.
    pub(super) fn mend_network(&mut self, index: usize) {
        let Some(ways) = self.broken_ways.remove(&index) else { return };
        let fault = &self.plan.faults[index].fault;
        ways.into_iter().for_each(|way| self.set_way(fault, way, false));
        self.release_links();
    }

    /// Everything between servers is whole again.
    pub(super) fn mend_all_networks(&mut self) {
        let broken: Vec<usize> = self.broken_ways.keys().copied().collect();
        broken.into_iter().for_each(|index| self.mend_network(index));
    }

    /// For good, nobody reaches this server, and it reaches nobody.
    pub(super) fn cut_off(&mut self, server: usize) {
        self.cut_for_good(server, (Shape::Isolate, Ports::Both, Direction::Both));
    }

    /// For good, nobody reaches this server's quorum port, and it reaches nobody's if it is mute. Whoever dials that port may still be
    /// accepted.
    pub(super) fn cut_quorum_port(&mut self, server: usize, is_mute: bool, accepts: bool) {
        self.links.ways.accepting = accepts.then_some(server);
        let direction = if is_mute { Direction::Both } else { Direction::In };
        self.cut_for_good(server, (Shape::Isolate, Ports::Quorum, direction));
    }

    fn cut_for_good(&mut self, server: usize, which: (Shape, Ports, Direction)) {
        let ways = ways_of(self.servers.len(), server, which);
        ways.iter().for_each(|(way, port)| self.links.ways.cut(*way, *port, true));
    }
}
