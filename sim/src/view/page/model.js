// The run as typed columns, and what can be asked of it. No drawing, no DOM but the data's own element.
//
// Times are nanoseconds of virtual time: whole numbers far below 2^53. Whatever has 64 bits (zxids, sessions) is a text and stays one.
const run = JSON.parse(document.getElementById('data').textContent);
const S = run.strings;
const lanes = run.lanes;
const NONE = -1;
const CLASSES = ['election', 'sync', 'broadcast', 'ping', 'client'];
const PING = 3;
const ON_ITS_WAY = 0, HEARD = 1, LOST = 2;

/** Differences to sums. */
function times(deltas) {
  const list = new Float64Array(deltas.length);
  let at = 0;
  for (let i = 0; i < deltas.length; i++) list[i] = (at += deltas[i]);
  return list;
}

const E = {
  n: run.events.at.length,
  at: times(run.events.at),
  lane: Uint8Array.from(run.events.lane),
  kind: Uint32Array.from(run.events.kind),
  text: Uint32Array.from(run.events.text),
};
const M = (() => {
  const m = run.messages;
  const sent = times(m.sent);
  const over = new Float64Array(sent.length);
  for (let i = 0; i < over.length; i++) over[i] = m.took[i] < 0 ? run.until : sent[i] + m.took[i];
  return {
    n: sent.length, sent, over,
    fate: Uint8Array.from(m.fate), from: Uint8Array.from(m.from), to: Uint8Array.from(m.to), cls: Uint8Array.from(m.class),
    name: Uint32Array.from(m.name), zxid: Uint32Array.from(m.zxid), session: Uint32Array.from(m.session),
    path: Uint32Array.from(m.path), text: Uint32Array.from(m.text),
    by: Int32Array.from(m.by), heardBy: Int32Array.from(m.heard_by),
  };
})();
run.events = run.messages = null;

/** A packet that took much longer than the network takes when nothing is broken. */
const LATE = Math.max(3 * run.usual_delay, 5e6);
const isLate = i => M.fate[i] !== LOST && M.over[i] - M.sent[i] > LATE;
const isTrouble = i => M.fate[i] === LOST || isLate(i);

/** For each event the messages that point to it, in one array with places where each begins. */
function byEvent(pointers) {
  const begin = new Uint32Array(E.n + 1);
  for (const event of pointers) if (event >= 0) begin[event + 1]++;
  for (let i = 0; i < E.n; i++) begin[i + 1] += begin[i];
  const list = new Uint32Array(begin[E.n]);
  const next = begin.slice();
  pointers.forEach((event, message) => { if (event >= 0) list[next[event]++] = message; });
  return event => list.subarray(begin[event], begin[event + 1]);
}
const heardAt = byEvent(M.heardBy);
const sentAt = byEvent(M.by);

/** The first place in `list[from..]` whose time is not below `at`; `get` reads a place. */
function lowerBound(count, get, at) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (get(middle) < at) low = middle + 1; else high = middle;
  }
  return low;
}

/** Numbers of events or messages that pass a filter, by lane too; what is drawn and listed is looked up in these. */
const DISK = new Set(['disk call', 'disk sync', 'stored', 'link written', 'backlog', 'link backlog']);
const isDisk = Uint8Array.from(S, text => DISK.has(text) ? 1 : 0);
const filter = { classes: CLASSES.map(() => true), disk: false, query: '', events: null, byLane: [], messages: null, reach: null };

/** 0x… and decimal are the same number. */
function sameNumber(text) {
  try { const n = BigInt(text); return '0x' + BigInt.asUintN(64, n).toString(16); } catch { return text.toLowerCase(); }
}

/** What of the texts matches one word of a query. */
function matching(test) {
  const hits = new Uint8Array(S.length);
  for (let i = 1; i < S.length; i++) if (test(S[i])) hits[i] = 1;
  return hits;
}

/** A word of the query, as tests of an event and of a message. */
function term(word) {
  const isNot = word.length > 1 && word[0] === '-';
  if (isNot) word = word.slice(1);
  const [, key, value] = /^(\w+):(.+)$/.exec(word) ?? [null, '', word];
  const low = value.toLowerCase();
  let ofEvent = () => false, ofMessage = () => false;
  const columns = (list, hits) => { ofMessage = i => list.some(column => hits[column[i]]); };
  if (key === 'session' || key === 'zxid') {
    const number = sameNumber(value);
    columns([M[key]], matching(text => text === number));
  } else if (key === 'path') {
    columns([M.path], matching(text => text === value || text.startsWith(value.endsWith('/') ? value : value + '/')));
  } else if (key === 'packet') {
    columns([M.name], matching(text => text.toLowerCase() === low));
  } else if (key === 'fate') {
    const fate = { lost: i => M.fate[i] === LOST, late: isLate, heard: i => M.fate[i] === HEARD, way: i => M.fate[i] === ON_ITS_WAY };
    ofMessage = fate[low] ?? ofMessage;
  } else if (key === 'server' || key === 'client' || key === 'machine') {
    const lane = lanes.findIndex(known => known.name === `${key} ${value}`);
    ofMessage = i => M.from[i] === lane || M.to[i] === lane;
    ofEvent = i => E.lane[i] === lane;
  } else if (key === 'kind') {
    const hits = matching(text => text.toLowerCase().includes(low));
    ofEvent = i => hits[E.kind[i]] === 1;
  } else {
    const all = word.toLowerCase();
    const number = /^0x[0-9a-f]+$/.test(all);
    const hits = matching(text => number ? text.toLowerCase() === all : text.toLowerCase().includes(all));
    const words = number ? matching(text => text.toLowerCase().includes(all)) : hits;
    ofMessage = i => hits[M.name[i]] || hits[M.zxid[i]] || hits[M.session[i]] || hits[M.path[i]] || words[M.text[i]];
    ofEvent = i => words[E.kind[i]] || words[E.text[i]];
  }
  return isNot ? { ofEvent: i => !ofEvent(i), ofMessage: i => !ofMessage(i), isNot } : { ofEvent, ofMessage, isNot };
}

/** Applies classes and query: which messages and events are left. */
function refilter() {
  const terms = filter.query.split(/\s+/).filter(Boolean).map(term);
  const isLeft = new Uint8Array(M.n);
  const messages = [];
  for (let i = 0; i < M.n; i++) {
    if (filter.classes[M.cls[i]] && terms.every(t => t.ofMessage(i))) { isLeft[i] = 1; messages.push(i); }
  }
  const some = (list, test) => { for (const i of list) if (test(i)) return true; return false; };
  const events = [];
  for (let i = 0; i < E.n; i++) {
    if (!filter.disk && isDisk[E.kind[i]]) continue;
    const heard = heardAt(i), sent = sentAt(i);
    const isOfClass = heard.length === 0 || some(heard, m => filter.classes[M.cls[m]]);
    // An event is what a query asks for by itself, or by a packet that it hears or sends.
    const isFound = terms.length === 0 || terms.every(t => t.ofEvent(i)) || some(heard, m => isLeft[m]) || some(sent, m => isLeft[m]);
    if (isOfClass && isFound) events.push(i);
  }
  filter.messages = Int32Array.from(messages);
  filter.events = Int32Array.from(events);
  filter.byLane = lanes.map((_, lane) => filter.events.filter(i => E.lane[i] === lane));
  filter.troubles = filter.messages.filter(isTrouble);
  filter.reach = reach(filter.messages);
  filter.troubleReach = reach(filter.troubles);
}

/** For each block of messages the last time at which one of them is still on its way. */
const BLOCK = 256;
function reach(list) {
  const blocks = new Float64Array(Math.ceil(list.length / BLOCK));
  list.forEach((m, place) => { const b = place / BLOCK | 0; if (M.over[m] > blocks[b]) blocks[b] = M.over[m]; });
  return blocks;
}

/** Calls `each` with messages that are on their way between two times, at most about `most`; returns one in how many that is. */
function messagesIn(list, blocks, from, until, most, each) {
  const begin = lowerBound(list.length, place => M.sent[list[place]], from);
  const end = lowerBound(list.length, place => M.sent[list[place]], until);
  let step = 1;
  while ((end - begin) / step > most) step *= 2;
  for (let b = 0; b * BLOCK < begin; b++) {
    if (blocks[b] < from) continue;
    const over = Math.min((b + 1) * BLOCK, begin);
    for (let place = b * BLOCK; place < over; place++) if (M.over[list[place]] >= from) each(list[place]);
  }
  // The same ones are left out wherever the picture is moved to.
  for (let place = Math.ceil(begin / step) * step; place < end; place += step) each(list[place]);
  return step;
}

/** The columns of a server's state. */
const AT = 0, EVENTS = 1, MODE = 2, SERVING = 3, PAUSED = 4, ACCEPTED = 5, CURRENT = 6, LEADER = 7, LOGGED = 8, CONNS = 12, NODES = 13, LIFE = 14;
for (const rows of run.states) {
  for (let i = 1; i < rows.length; i++) {
    rows[i][AT] += rows[i - 1][AT];
    rows[i][EVENTS] += rows[i - 1][EVENTS];
  }
}
/** What a server is behind this event, or at this time, and what it was before. */
function stateOf(server, at, event) {
  const rows = run.states[server];
  let place = lowerBound(rows.length, i => rows[i][AT], at);
  while (place < rows.length && rows[place][AT] === at && (event === NONE || rows[place][EVENTS] <= event + 1)) place++;
  return [rows[place - 1] ?? null, rows[place - 2] ?? null];
}
const serverLanes = lanes.flatMap((lane, i) => lane.kind === 'server' || lane.kind === 'observer' ? [i] : []);

/** Times in which a server is the same to the eye: part, epoch, serving, paused. */
const parts = run.states.map(rows => {
  const list = [];
  for (const row of rows) {
    const part = { from: row[AT], until: run.until, mode: S[row[MODE]], epoch: row[CURRENT], isServing: row[SERVING] === 1, isPaused: row[PAUSED] === 1 };
    const last = list.at(-1);
    if (last && ['mode', 'epoch', 'isServing', 'isPaused'].every(name => last[name] === part[name])) continue;
    if (last) last.until = part.from;
    list.push(part);
  }
  return list;
});
const connections = lanes.map(() => []);
for (const [client, server, begun, shaken, ended, session] of run.connections) {
  connections[client].push({ server, from: begun, shaken, until: ended < 0 ? run.until : ended, session: S[session] });
}

/** The lane that a sentence is about, and the last time that it names. */
function meant(detail) {
  const name = /\b(server|client|machine) (\d+)\b/.exec(detail);
  const lane = name ? lanes.findIndex(known => known.name === `${name[1]} ${name[2]}`) : NONE;
  const named = [...detail.matchAll(/\b\d{7,15}\b/g)].map(match => Number(match[0])).filter(at => at >= run.from && at <= run.until);
  return { lane, at: named.length ? Math.max(...named) : NONE };
}

/** Back from the violation: who said what, to whom, because of what. */
function ledBy(most = 60) {
  const chain = { events: new Set(), messages: new Set(), order: [] };
  if (!run.violation || E.n === 0) return chain;
  const about = meant(run.violation.detail);
  let event = E.n - 1;
  if (about.lane > 0) {
    const last = before(about.lane, about.at >= 0 ? about.at : run.until);
    if (last !== NONE) event = last;
  }
  while (event >= 0 && chain.order.length < most) {
    chain.events.add(event);
    chain.order.push(event);
    const heard = heardAt(event);
    if (heard.length) {
      const message = heard[heard.length - 1];
      chain.messages.add(message);
      event = M.by[message] >= 0 ? M.by[message] : before(M.from[message], M.sent[message]);
    } else {
      event = before(E.lane[event], E.at[event], event);
    }
  }
  return chain;
}
const ownEvents = [];
/** All events of a lane, filtered or not. */
function laneEvents(lane) {
  return ownEvents[lane] ??= (() => {
    const list = [];
    for (let i = 0; i < E.n; i++) if (E.lane[i] === lane) list.push(i);
    return Int32Array.from(list);
  })();
}
/** The last event of a lane at a time, before `event` if that is named. */
function before(lane, at, event = E.n) {
  const own = laneEvents(lane);
  let place = lowerBound(own.length, i => E.at[own[i]], at + 0.5) - 1;
  while (place >= 0 && own[place] >= event) place--;
  return place < 0 ? NONE : own[place];
}

/** Seconds with nine digits, in threes. */
function clock(ns, digits = 9) {
  const whole = Math.floor(ns / 1e9);
  if (digits === 0) return `${whole}`;
  const rest = String(Math.round(ns - whole * 1e9)).padStart(9, '0').slice(0, digits);
  return `${whole}.${rest.replace(/(\d{3})(?=\d)/g, '$1\u202f')}`;
}
function span(ns) {
  for (const [unit, name] of [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs']]) if (ns >= unit) return `${+(ns / unit).toPrecision(4)} ${name}`;
  return `${ns} ns`;
}
/** A message in a line. */
function said(i) {
  const words = [S[M.name[i]], S[M.zxid[i]], S[M.path[i]], S[M.text[i]]].filter(Boolean);
  return words.join(' ') + (M.fate[i] === LOST ? ' — lost' : isLate(i) ? ` — late by ${span(M.over[i] - M.sent[i])}` : '');
}
/** An event in a line, without its time and lane. */
function told(i) {
  const heard = heardAt(i);
  if (heard.length === 0) return S[E.text[i]];
  const more = heard.length > 1 ? ` (and ${heard.length - 1} more)` : '';
  return `${said(heard[0])}, from ${lanes[M.from[heard[0]]].name}${more}`;
}
