//! A timeline as the page reads it: columns of numbers, and texts by number.
//!
//! Whatever has 64 bits is a text. Times are nanoseconds, which stay exact in a page for a hundred days; each stands as what it is behind the one before.

use super::states::Since;
use super::timeline::{Band, Event, Fate, Message, Timeline};
use super::wires::Connection;
use super::{Shown, Window};
use crate::plan::Plan;
use crate::world::Outcome;
use quorate_core::vocabulary::Zxid;
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The version of what the page reads.
const FORMAT: u32 = 1;

/// What of a timeline is written.
struct Cut {
    first: usize,
    end: usize,
    from: u64,
    until: u64,
}

impl Cut {
    fn new(timeline: &Timeline, window: &Window) -> Cut {
        let begins = |at: u64| timeline.events.partition_point(|event| event.at < at);
        let end = window.until_ns.map_or(timeline.events.len(), |at| begins(at.saturating_add(1)));
        let first = window.from_ns.map_or(0, begins).max(end.saturating_sub(window.most)).min(end);
        let from = if first == 0 { 0 } else { timeline.events[first].at };
        let is_all = end == timeline.events.len();
        let until = if is_all { timeline.end } else { timeline.events[end].at };
        Cut { first, end, from: from.min(until), until }
    }

    /// The number of an event among those that are written, -1 of the others.
    fn event(&self, number: Option<u32>) -> i64 {
        let is_in = |number: &u32| (self.first..self.end).contains(&(*number as usize));
        number.filter(is_in).map_or(-1, |number| i64::from(number) - self.first as i64)
    }

    fn has(&self, message: &Message) -> bool {
        let over = match message.fate {
            Fate::OnItsWay => u64::MAX,
            Fate::Heard { at, .. } | Fate::Lost { at } => at,
        };
        message.sent <= self.until && over >= self.from
    }
}

/// Times, each behind the one before.
#[derive(Default)]
struct Times {
    list: Vec<i64>,
    last: u64,
}

impl Times {
    fn push(&mut self, at: u64) {
        self.list.push(at as i64 - self.last as i64);
        self.last = at;
    }
}

/// Texts that are used, numbered anew: those of the timeline, and those that are made of numbers here.
struct Texts<'a> {
    known: &'a [String],
    numbers: Vec<Option<u32>>,
    zxids: BTreeMap<Zxid, u32>,
    modes: BTreeMap<&'static str, u32>,
    list: Vec<Cow<'a, str>>,
}

/// Puts a text behind the others.
fn add<'a>(list: &mut Vec<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> u32 {
    list.push(text.into());
    list.len() as u32 - 1
}

impl<'a> Texts<'a> {
    fn new(known: &'a [String]) -> Self {
        let numbers = vec![None; known.len()];
        let mut texts =
            Texts { known, numbers, zxids: BTreeMap::new(), modes: BTreeMap::new(), list: Vec::new() };
        // None is the first in the page, too.
        texts.number(0);
        texts
    }

    fn number(&mut self, text: u32) -> u32 {
        let known: &'a str = &self.known[text as usize];
        *self.numbers[text as usize].get_or_insert_with(|| add(&mut self.list, known))
    }

    fn zxid(&mut self, zxid: Zxid) -> i64 {
        i64::from(*self.zxids.entry(zxid).or_insert_with(|| add(&mut self.list, zxid.to_string())))
    }

    fn mode(&mut self, mode: &'static str) -> i64 {
        i64::from(*self.modes.entry(mode).or_insert_with(|| add(&mut self.list, mode)))
    }
}

#[derive(Default, Serialize)]
struct Events {
    at: Vec<i64>,
    lane: Vec<u8>,
    kind: Vec<u32>,
    text: Vec<u32>,
}

fn events(list: &[Event], texts: &mut Texts<'_>) -> Events {
    let (mut columns, mut times) = (Events::default(), Times::default());
    for event in list {
        times.push(event.at);
        columns.lane.push(event.lane.0);
        columns.kind.push(texts.number(event.kind));
        columns.text.push(texts.number(event.text));
    }
    Events { at: times.list, ..columns }
}

#[derive(Default, Serialize)]
struct Messages {
    sent: Vec<i64>,
    /// How long it was on its way, until it was heard or lost; -1 while it is.
    took: Vec<i64>,
    /// 0 on its way, 1 heard, 2 lost.
    fate: Vec<u8>,
    from: Vec<u8>,
    to: Vec<u8>,
    class: Vec<u8>,
    name: Vec<u32>,
    zxid: Vec<u32>,
    session: Vec<u32>,
    path: Vec<u32>,
    text: Vec<u32>,
    /// The events that brought it about and that it brought about; -1 is none.
    by: Vec<i64>,
    heard_by: Vec<i64>,
}

fn messages(timeline: &Timeline, sessions: &[u32], cut: &Cut, texts: &mut Texts<'_>) -> Messages {
    let (mut columns, mut times) = (Messages::default(), Times::default());
    for message in timeline.messages.iter().filter(|message| cut.has(message)) {
        times.push(message.sent);
        let (fate, over, heard_by) = match message.fate {
            Fate::OnItsWay => (0, None, None),
            Fate::Heard { at, by } => (1, Some(at), by),
            Fate::Lost { at } => (2, Some(at), None),
        };
        columns.fate.push(fate);
        columns.took.push(over.map_or(-1, |over| (over - message.sent) as i64));
        columns.from.push(message.from.0);
        columns.to.push(message.to.0);
        columns.class.push(message.class as u8);
        columns.name.push(texts.number(message.name));
        columns.zxid.push(texts.number(message.zxid));
        let of_conn = message.conn.map_or(0, |conn| sessions[conn as usize]);
        columns.session.push(match message.session {
            0 => of_conn,
            session => texts.number(session),
        });
        columns.path.push(texts.number(message.path));
        columns.text.push(texts.number(message.text));
        columns.by.push(cut.event(message.by));
        columns.heard_by.push(cut.event(heard_by));
    }
    Messages { sent: times.list, ..columns }
}

/// Of each server its states, each a row; times and counts of events stand as what they are behind the row before.
fn states(timeline: &Timeline, cut: &Cut, texts: &mut Texts<'_>) -> Vec<Vec<[i64; 15]>> {
    let mut state = |list: &Vec<Since>| {
        // The state that it is in when the cut begins, and what follows.
        let first = list.partition_point(|since| since.at < cut.from).saturating_sub(1);
        let (mut at, mut events) = (0, 0);
        let rows = list[first..].iter().take_while(|since| since.at <= cut.until).map(|since| {
            let state = &since.state;
            let (accepted, current) = state
                .epochs
                .map_or((-1, -1), |(accepted, current)| (i64::from(accepted), i64::from(current)));
            let now = (since.at as i64, (i64::from(since.events) - cut.first as i64).max(0));
            let behind = (now.0 - at, now.1 - events);
            (at, events) = now;
            [
                behind.0,
                behind.1,
                texts.mode(state.mode),
                i64::from(state.is_serving),
                i64::from(state.is_paused),
                accepted,
                current,
                i64::from(state.leader.unwrap_or(0)),
                texts.zxid(state.logged),
                texts.zxid(state.durable),
                texts.zxid(state.committed),
                texts.zxid(state.applied),
                i64::from(state.connections),
                i64::from(state.nodes),
                state.life as i64,
            ]
        });
        rows.collect()
    };
    timeline.states.by_server.iter().map(&mut state).collect()
}

fn band(band: &Band, timeline: &Timeline) -> Value {
    let lanes: Vec<u8> = band.lanes.iter().map(|lane| lane.0).collect();
    json!({
        "name": band.name, "text": band.text, "lanes": lanes, "from": band.from,
        "until": band.until.unwrap_or(timeline.end), "is_over": band.until.is_some(),
    })
}

fn lanes(timeline: &Timeline, plan: &Plan) -> Vec<Value> {
    let voters = plan.ensemble.as_ref().map_or(1, |ensemble| ensemble.voters as usize);
    let servers = (0..timeline.servers).map(|server| {
        let kind = if server < voters { "server" } else { "observer" };
        json!({ "name": format!("server {server}"), "kind": kind, "id": server + 1 })
    });
    let clients = (0..timeline.clients).map(|client| {
        // Applications number themselves from 0 behind the clients, of which those plans have none.
        let (name, kind) = match plan.clients.get(client) {
            Some(plan) if plan.is_machine => ("client", "library"),
            Some(_) => ("client", "script"),
            None => ("machine", "application"),
        };
        json!({ "name": format!("{name} {client}"), "kind": kind })
    });
    std::iter::once(json!({ "name": "the world", "kind": "world" })).chain(servers).chain(clients).collect()
}

/// What the page reads, the large parts not by way of values.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    head: Value,
    strings: Vec<Cow<'a, str>>,
    events: Events,
    messages: Messages,
    states: Vec<Vec<[i64; 15]>>,
    connections: Vec<[i64; 6]>,
}

/// Everything that the page shows.
pub(super) fn json((plan, outcome): (&Plan, &Outcome), timeline: &Timeline, shown: &Shown) -> String {
    let cut = Cut::new(timeline, &shown.window);
    let mut texts = Texts::new(&timeline.strings.list);
    let known = &timeline.wires.connections;
    let session = |known: &Connection| known.session.map_or(0, |id| add(&mut texts.list, id.to_string()));
    let sessions: Vec<u32> = known.iter().map(session).collect();
    let events = events(&timeline.events[cut.first..cut.end], &mut texts);
    let messages = messages(timeline, &sessions, &cut, &mut texts);
    let states = states(timeline, &cut, &mut texts);
    let is_met = |known: &Connection| known.begun <= cut.until && known.ended.is_none_or(|at| at >= cut.from);
    let connections =
        known.iter().zip(&sessions).filter(|(known, _)| is_met(known)).map(|(known, session)| {
            let [shaken, ended] = [known.shaken, known.ended].map(|at| at.map_or(-1, |at| at as i64));
            let ends = (i64::from(known.client.0), i64::from(known.server.0));
            [ends.0, ends.1, known.begun as i64, shaken, ended, i64::from(*session)]
        });
    let page = Page {
        head: head((plan, outcome), timeline, shown, &cut),
        events,
        messages,
        states,
        connections: connections.collect(),
        strings: texts.list,
    };
    serde_json::to_string(&page).expect("it is plain data, and every key is a text")
}

/// What the page says of the run as a whole.
fn head((plan, outcome): (&Plan, &Outcome), timeline: &Timeline, shown: &Shown, cut: &Cut) -> Value {
    json!({
        "format": FORMAT,
        "scenario": plan.scenario,
        "seed": plan.seed.to_string(),
        "summary": plan.summary(),
        "version": env!("CARGO_PKG_VERSION"),
        "trace_hash": format!("{:016x}", outcome.trace_hash),
        "replay": shown.replay,
        "violation": outcome.violation,
        "noted": timeline.noted(),
        "all_events": timeline.events.len(),
        "left_out": [cut.first, timeline.events.len() - cut.end],
        "from": cut.from,
        "until": cut.until,
        "end_of_faults": plan.duration_ms * 1_000_000,
        "usual_delay": (plan.network.latency_us + plan.network.jitter_us) * 1000,
        "lanes": lanes(timeline, plan),
        "bands": timeline.bands.iter().map(|known| band(known, timeline)).collect::<Vec<_>>(),
    })
}
