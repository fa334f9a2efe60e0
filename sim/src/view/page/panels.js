// Everything beside the picture: what servers are at the cursor, what is chosen, the list of events, the legend, the help.
const $ = id => document.getElementById(id);
const ROW = 20;

/** An element with text and children, so that nothing of the run is ever read as markup. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name === 'style') element.style.cssText = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

const swatch = colour => make('i', { style: `background:${colour}` });

function showHead() {
  document.title = `${run.scenario} seed ${run.seed}: ${run.violation ? run.violation.checker : 'held'}`;
  $('title').textContent = `Quorate simulation: ${run.scenario}, seed ${run.seed}`;
  $('verdict').textContent = run.violation ? `violated ${run.violation.checker}` : 'held';
  $('verdict').classList.toggle('bad', Boolean(run.violation));
  const [before, behind] = run.left_out;
  const cut = before + behind ? ` (${before ? `${before.toLocaleString('en')} before` : ''}${before && behind ? ', ' : ''}${behind ? `${behind.toLocaleString('en')} behind` : ''} left out)` : '';
  $('facts').textContent = `${E.n.toLocaleString('en')} events${cut}, ${M.n.toLocaleString('en')} packets · ${run.summary}`;
  $('facts').title = `${run.summary}\ntrace hash ${run.trace_hash}\nversion ${run.version}`;
}

/** What broke, and ways into it. */
function showViolation() {
  if (!run.violation) return;
  $('violation').hidden = false;
  $('checker').textContent = run.violation.checker;
  const detail = run.violation.detail;
  $('detail').textContent = detail;
  const leads = $('leads');
  leads.append(make('button', { onclick: () => jumpToViolation(), title: 'v' }, 'Go to it'));
  leads.append(make('button', { id: 'led', onclick: () => toggleLed(), title: 'l' }, 'What led to it'));
  const words = new Set([...detail.matchAll(/0x[0-9a-f]+|\/[\w./-]*\w/g)].map(match => match[0]).filter(word => S.some(text => text === word)));
  if (words.size) leads.append(make('span', { class: 'quiet' }, 'everything about'));
  for (const word of [...words].slice(0, 10)) leads.append(make('a', { onclick: () => search(word) }, word));
  const about = meant(detail);
  if (about.at >= 0) leads.append(make('a', { onclick: () => goTo(about.at, about.lane) }, `at ${clock(about.at)} s`));
}

function showLegend() {
  const entry = (colour, text, shape = '') => make('span', {}, make('i', { class: shape, style: shape === 'dashed' ? '' : `background:${colour}` }), text);
  const legend = $('legend');
  legend.replaceChildren(
    ...['leader', 'follower', 'observer', 'looking', 'recovering', 'down'].map(mode => entry(colours[MODES[mode]], mode)),
    entry(EPOCHS[1], 'strip below: epoch'),
    ...CLASSES.map(name => entry(colours[name], name, 'thin')),
    entry('', 'lost ✕', 'dashed'),
    entry(colours.late, 'late', 'thin'),
    entry(colours.fault, 'fault'),
    entry(colours.cursor, 'cursor', 'thin'),
    make('span', { id: 'density' }),
  );
}

function showDensity() {
  const element = $('density');
  if (element) element.textContent = view.step > 1 ? `1 of ${view.step} arrows drawn, all lost and late ones first: zoom in for all` : '';
}

function showClasses() {
  const chip = (name, colour, isOn, toggle) => {
    const element = make('button', { class: 'chip' + (isOn ? ' on' : ''), title: `Show or hide ${name}`, onclick: () => { toggle(); filtered(); showClasses(); } }, swatch(colour), name);
    return element;
  };
  $('classes').replaceChildren(
    ...CLASSES.map((name, i) => chip(name === 'client' ? 'clients' : name === 'ping' ? 'pings' : name, colours[name], filter.classes[i], () => { filter.classes[i] = !filter.classes[i]; })),
    chip('disk', colours.quiet, filter.disk, () => { filter.disk = !filter.disk; }),
  );
}

const COLUMNS = ['', 'part', 'epoch', 'logged', 'durable', 'committed', 'applied', 'follows', 'conns', 'nodes', 'life'];
/** What every server is at the cursor; what has changed just there is marked. */
function showServers() {
  const body = serverLanes.map((lane, server) => {
    const [state, old] = stateOf(server, cursor.at, cursor.event);
    const cells = row => {
      if (!row) return Array(10).fill('');
      const mode = S[row[MODE]], isDown = mode === 'down' || mode === 'no power';
      const part = `${mode}${row[PAUSED] ? ', paused' : ''}${row[SERVING] || isDown ? '' : ' …'}`;
      const epoch = row[CURRENT] < 0 ? '' : row[ACCEPTED] === row[CURRENT] ? `${row[CURRENT]}` : `${row[CURRENT]}, accepted ${row[ACCEPTED]}`;
      const zxids = row.slice(LOGGED, LOGGED + 4).map(text => S[text]);
      return [part, epoch, ...zxids, row[LEADER] ? `id ${row[LEADER]}` : '', `${row[CONNS]}`, `${row[NODES]}`, `${row[LIFE]}`];
    };
    const now = cells(state), then = cells(old), isNews = old && state[AT] === cursor.at;
    const colour = state ? colours[MODES[S[state[MODE]]] ?? 'looking'] : 'transparent';
    return make('tr', {}, make('td', {}, swatch(colour), lanes[lane].name), ...now.map((text, i) => {
      const classes = [i >= 2 && i <= 5 ? 'code' : '', isNews && text !== then[i] ? 'news' : ''].filter(Boolean).join(' ');
      return make('td', { class: classes }, text);
    }));
  });
  $('servers').replaceChildren(make('table', {}, make('thead', {}, make('tr', {}, ...COLUMNS.map(name => make('th', {}, name)))), make('tbody', {}, ...body)));
}

function showNow() {
  const number = cursor.event === NONE ? '' : ` · event ${(cursor.event + run.left_out[0]).toLocaleString('en')}`;
  $('now').textContent = `${clock(cursor.at)} s${number}`;
}

const about = (key, text) => make('a', { title: `Only what is about ${text}`, onclick: () => search(`${key}:${text}`) }, text);
const eventLink = i => make('a', { onclick: () => choose(i) }, `${clock(E.at[i])} s ${lanes[E.lane[i]].name}: ${S[E.kind[i]]}`);
const messageLink = i => make('a', { onclick: () => chooseMessage(i) }, said(i));
const MOST_SHOWN = 12;

/** The event or packet under the cursor, whole. */
function showChosen() {
  const fields = [];
  const add = (name, ...value) => fields.push(make('dt', {}, name), make('dd', {}, ...value));
  let title = 'Click an event or an arrow to read it whole.';
  if (cursor.message !== NONE) {
    const i = cursor.message;
    title = S[M.name[i]];
    add('from', `${lanes[M.from[i]].name} → ${lanes[M.to[i]].name}`);
    add('sent', `${clock(M.sent[i])} s`);
    add(['on its way', 'heard', 'lost'][M.fate[i]], M.fate[i] === ON_ITS_WAY ? 'at the end' : `${clock(M.over[i])} s, after ${span(M.over[i] - M.sent[i])}`);
    if (M.zxid[i]) add('zxid', about('zxid', S[M.zxid[i]]));
    if (M.session[i]) add('session', about('session', S[M.session[i]]));
    if (M.path[i]) add('path', about('path', S[M.path[i]]));
    if (M.text[i]) add('says', S[M.text[i]]);
    if (M.by[i] >= 0) add('because of', eventLink(M.by[i]));
    if (M.heardBy[i] >= 0) add('brought about', eventLink(M.heardBy[i]));
  } else if (cursor.event !== NONE) {
    const i = cursor.event;
    title = `${S[E.kind[i]]}, ${lanes[E.lane[i]].name}`;
    if (E.text[i]) add('says', S[E.text[i]]);
    const heard = heardAt(i), sent = sentAt(i);
    for (const m of heard.slice(0, MOST_SHOWN)) add('hears', messageLink(m), ` from ${lanes[M.from[m]].name}`);
    for (const m of sent.slice(0, MOST_SHOWN)) add('sends', messageLink(m), ` to ${lanes[M.to[m]].name}`);
    if (sent.length > MOST_SHOWN) add('', `and ${sent.length - MOST_SHOWN} more`);
    const broken = run.bands.filter(band => band.from <= E.at[i] && band.until >= E.at[i]).slice(0, MOST_SHOWN);
    for (const band of broken) add('broken', `${band.name}, ${band.lanes.map(lane => lanes[lane].name).join(', ')} — ${band.text}`);
  }
  $('chosen').replaceChildren(make('b', {}, title), make('dl', {}, ...fields));
}

/** What the list shows: the filtered events, or what led to the violation. */
const listed = () => led.order.length ? led.list : filter.events;

/** Rows that are in view, and no others. */
function showRows() {
  const list = listed(), box = $('list'), rows = $('rows');
  rows.style.height = `${list.length * ROW}px`;
  const first = Math.max(0, Math.floor(box.scrollTop / ROW) - 4);
  const end = Math.min(list.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW) + 4);
  const made = [];
  for (let place = first; place < end; place++) {
    const i = list[place];
    const row = make('div', { class: 'row' + (i === cursor.event ? ' chosen' : '') + (led.events.has(i) ? ' led' : ''), style: `top:${place * ROW}px`, onclick: () => choose(i) },
      make('span', {}, clock(E.at[i])), make('span', {}, lanes[E.lane[i]].name), make('span', {}, make('b', {}, S[E.kind[i]]), ' ' + told(i)));
    row.title = told(i);
    made.push(row);
  }
  rows.replaceChildren(...made);
  const of = filter.events.length;
  $('found').textContent = led.order.length ? `${list.length} events led to it` : of === E.n ? '' : `${of.toLocaleString('en')} of ${E.n.toLocaleString('en')} events, ${filter.messages.length.toLocaleString('en')} packets`;
}

/** Brings the list to where the cursor is. */
function scrollToCursor() {
  const list = listed(), box = $('list');
  $('rows').style.height = `${list.length * ROW}px`;
  let place = cursor.event === NONE ? NONE : placeOf(list, cursor.event);
  if (place === NONE) place = lowerBound(list.length, i => E.at[list[i]], cursor.at + 0.5) - 1;
  const top = Math.max(0, place) * ROW;
  if (top < box.scrollTop + ROW || top > box.scrollTop + box.clientHeight - 2 * ROW) box.scrollTop = top - box.clientHeight / 2;
}
/** Where an event is in a list of rising numbers. */
function placeOf(list, event) {
  const place = lowerBound(list.length, i => list[i], event);
  return list[place] === event ? place : NONE;
}

const KEYS = [
  ['← →', 'the event before, behind'], ['Shift ← →', 'the same on this lane'], ['↑ ↓', 'another lane'], ['Home End', 'the first, the last event'],
  ['+ −', 'zoom at the cursor'], ['a d', 'move left, right'], ['0', 'the whole run'], ['z', 'zoom to what is chosen'], ['/', 'search'], ['Esc', 'nothing chosen, no search'],
  ['v', 'go to the violation'], ['l', 'what led to it'], ['c', 'copy the command that runs this again'], ['t', 'dark or light'], ['?', 'this'],
];
function showHelp() {
  const text = $('helptext');
  const rows = list => make('table', {}, ...list.map(([key, what]) => make('tr', {}, make('td', {}, ...key.split(' ').map(one => make('kbd', {}, one)).flatMap(one => [one, ' '])), make('td', {}, what))));
  text.replaceChildren(
    make('h2', {}, 'What is drawn'),
    make('p', {}, 'Time goes from left to right. Each lane is a server, a client, or a machine with applications; “the world” has what is everybody’s. A server’s bar is the part that it plays (pale: it does not serve yet), the strip below it its epoch. A client’s bars are its connections. Arrows are packets, from when they were said to when they were heard; dashed ones with a cross were never heard. Orange bands are faults. Marks on a lane are events. Servers are numbered as plans and checkers number them, from 0; their ids, as they call each other, begin at 1.'),
    make('h2', {}, 'Mouse'),
    make('p', {}, 'Wheel: zoom. Drag: move. Shift and drag, or drag in the overview: choose a part. Shift and wheel: other lanes. Click: put the cursor there, on an event, an arrow.'),
    make('h2', {}, 'Search'),
    make('p', {}, 'Words are all to be met; a minus before one excludes. A plain word is looked for everywhere; a zxid or a session is met whole, in hexadecimal or, behind its key, in decimal. Keys: session: path: (with what is below it) zxid: packet: server: client: machine: kind: fate:lost, fate:late, fate:way.'),
    make('h2', {}, 'Keys'), rows(KEYS));
  $('helping').showModal();
}
