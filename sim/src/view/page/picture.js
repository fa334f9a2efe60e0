// The canvas: lanes, bands, packets, events. Only what is in view is looked at, and never more than the eye could tell apart.
const canvas = document.getElementById('canvas'), overview = document.getElementById('overview');
const pen = canvas.getContext('2d'), small = overview.getContext('2d');
const GUTTER = 132, AXIS = 24;
const MOST_ARROWS = 4000, MOST_TROUBLES = 1500, HEADS_BELOW = 700;
const SHORTEST = 200;
const view = { from: run.from, until: Math.max(run.until, run.from + SHORTEST), scroll: 0, step: 1 };
const cursor = { at: run.from, event: NONE, message: NONE, lane: NONE };
let led = { events: new Set(), messages: new Set(), order: [] };
let size = { width: 0, height: 0 }, laneTop = [], laneHeight = [], colours = {}, drawn = [];
const frames = [];

const EPOCHS = ['#e6194b', '#3cb44b', '#4363d8', '#f58231', '#911eb4', '#46c3c3', '#d048c0', '#9a6324', '#808000', '#469990'];
const epochColour = epoch => epoch < 0 ? 'transparent' : EPOCHS[epoch % EPOCHS.length];
const MODES = { leader: 'leader', follower: 'follower', observer: 'observer', looking: 'looking', standalone: 'standalone', recovering: 'recovering', down: 'down', 'no power': 'down', 'read-only': 'reads' };
const font = (px, weight = '') => `${weight} ${px}px system-ui, -apple-system, "Segoe UI", sans-serif`;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  colours = new Proxy({}, { get: (known, name) => known[name] ??= style.getPropertyValue('--' + name).trim() });
}

const x = at => GUTTER + (at - view.from) / (view.until - view.from) * (size.width - GUTTER);
const timeAt = px => view.from + (px - GUTTER) / (size.width - GUTTER) * (view.until - view.from);
const isServer = lane => lanes[lane].kind === 'server' || lanes[lane].kind === 'observer';
/** Where arrows end and events stand. */
const lineOf = lane => laneTop[lane] + (isServer(lane) ? laneHeight[lane] - 12 : laneHeight[lane] - 7);

/** Lanes share the height there is, down to what can be read; then the picture scrolls. */
function layout() {
  const dpr = window.devicePixelRatio || 1;
  for (const [target, context] of [[canvas, pen], [overview, small]]) {
    const { clientWidth: width, clientHeight: height } = target;
    if (target.width !== Math.round(width * dpr) || target.height !== Math.round(height * dpr)) {
      target.width = Math.round(width * dpr);
      target.height = Math.round(height * dpr);
    }
    context.setTransform(dpr, 0, 0, dpr, 0, 0);
  }
  size = { width: canvas.clientWidth, height: canvas.clientHeight };
  const weight = lane => lanes[lane].kind === 'world' ? 1.1 : isServer(lane) ? 2.4 : 1;
  const least = lane => lanes[lane].kind === 'world' ? 22 : isServer(lane) ? 44 : 18;
  const most = lane => lanes[lane].kind === 'world' ? 26 : isServer(lane) ? 110 : 40;
  const all = lanes.reduce((sum, _, lane) => sum + weight(lane), 0);
  const room = size.height - AXIS;
  laneHeight = lanes.map((_, lane) => Math.min(most(lane), Math.max(least(lane), Math.floor(room * weight(lane) / all))));
  const total = laneHeight.reduce((sum, height) => sum + height, 0);
  view.scroll = Math.min(Math.max(0, view.scroll), Math.max(0, total - room));
  let top = AXIS - view.scroll;
  laneTop = laneHeight.map(height => { const mine = top; top += height; return mine; });
}

let isWaiting = false;
function redraw() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => { isWaiting = false; draw(); });
}

function draw() {
  const began = performance.now();
  layout();
  pen.clearRect(0, 0, size.width, size.height);
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, size.width, size.height);
  pen.save();
  pen.beginPath();
  pen.rect(GUTTER, AXIS, size.width - GUTTER, size.height - AXIS);
  pen.clip();
  drawLanes();
  drawBands();
  drawConnections();
  drawMessages();
  drawParts();
  drawEvents();
  drawMarks();
  pen.restore();
  drawGutter();
  drawAxis();
  drawOverview();
  frames.push(performance.now() - began);
  if (frames.length > 2000) frames.shift();
}

function drawLanes() {
  lanes.forEach((_, lane) => {
    if (lane % 2) { pen.fillStyle = colours.lane; pen.fillRect(GUTTER, laneTop[lane], size.width, laneHeight[lane]); }
    pen.fillStyle = colours.line;
    pen.fillRect(GUTTER, lineOf(lane), size.width, 1);
  });
  if (run.end_of_faults > view.from && run.end_of_faults < view.until) {
    pen.fillStyle = colours.good;
    pen.globalAlpha = 0.5;
    pen.fillRect(x(run.end_of_faults), AXIS, 1, size.height);
    pen.globalAlpha = 1;
  }
}

/** Text that fits between two places of the picture, or none. */
function label(text, left, right, baseline, colour, weight = '') {
  left = Math.max(left, GUTTER) + 4;
  const room = Math.min(right, size.width) - left - 2;
  if (room < 18) return;
  pen.font = font(10.5, weight);
  pen.fillStyle = colour;
  if (pen.measureText(text).width <= room) { pen.fillText(text, left, baseline); return; }
  const fits = Math.floor(room / 6) - 1;
  if (fits >= 3) pen.fillText(text.slice(0, fits) + '…', left, baseline);
}

function drawBands() {
  for (const band of run.bands) {
    if (band.until < view.from || band.from > view.until) continue;
    const left = x(band.from), right = Math.max(x(band.until), left + 2);
    for (const lane of band.lanes) {
      pen.fillStyle = colours.fault;
      pen.globalAlpha = 0.16;
      pen.fillRect(left, laneTop[lane], right - left, laneHeight[lane]);
      pen.globalAlpha = 0.9;
      pen.fillRect(left, laneTop[lane], right - left, 2);
      pen.fillRect(left, laneTop[lane], 1.5, laneHeight[lane]);
      pen.globalAlpha = 1;
    }
  }
}

function drawParts() {
  serverLanes.forEach((lane, server) => {
    const top = laneTop[lane] + 4, list = parts[server];
    if (top > size.height || top + laneHeight[lane] < AXIS) return;
    const first = Math.max(0, lowerBound(list.length, i => list[i].from, view.from) - 1);
    for (let i = first; i < list.length && list[i].from < view.until; i++) {
      const part = list[i];
      const left = Math.max(x(part.from), GUTTER), right = Math.max(x(part.until), left + 0.7);
      pen.fillStyle = colours[MODES[part.mode] ?? 'looking'];
      pen.globalAlpha = part.isServing || part.mode === 'down' || part.mode === 'no power' ? 1 : 0.45;
      pen.fillRect(left, top, right - left, 15);
      pen.globalAlpha = 1;
      if (part.mode === 'no power' || part.isPaused) hatch(left, top, right - left, 15);
      pen.fillStyle = epochColour(part.epoch);
      pen.fillRect(left, top + 15, right - left, 4);
      const epoch = part.epoch >= 0 ? ` · epoch ${part.epoch}` : '';
      const what = part.isPaused ? `${part.mode}, paused` : part.mode;
      label(what + epoch, left, right, top + 11.5, part.mode === 'down' || part.mode === 'no power' ? colours.text : '#101214', '600');
    }
  });
}

function hatch(left, top, width, height) {
  if (width < 3) return;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  pen.strokeStyle = colours.text;
  pen.globalAlpha = 0.35;
  pen.beginPath();
  for (let at = left - height - (left % 6); at < Math.min(left + width, size.width); at += 6) { pen.moveTo(at, top + height); pen.lineTo(at + height, top); }
  pen.stroke();
  pen.restore();
}

function drawConnections() {
  lanes.forEach((_, lane) => {
    const list = connections[lane], top = laneTop[lane] + 2;
    if (!list.length || top > size.height || top + laneHeight[lane] < AXIS) return;
    const height = Math.max(6, laneHeight[lane] - 14);
    const first = Math.max(0, lowerBound(list.length, i => list[i].from, view.from) - 8);
    for (let i = first; i < list.length && list[i].from < view.until; i++) {
      const one = list[i];
      if (one.until < view.from) continue;
      const left = x(one.from), right = Math.max(x(one.until), left + 0.7);
      pen.fillStyle = colours.client;
      pen.globalAlpha = one.shaken < 0 ? 0.12 : 0.28;
      pen.fillRect(left, top, right - left, height);
      pen.globalAlpha = 1;
      if (height >= 9) label(`${lanes[one.server].name}${one.session ? '  ' + one.session : ''}`, left, right, top + height - 1.5, colours.quiet);
    }
  });
}

/** Where a packet's arrow begins and ends; what is lost ends before it is there. */
function wayOf(i) {
  const x0 = x(M.sent[i]), x1 = x(M.over[i]), y0 = lineOf(M.from[i]), y1 = lineOf(M.to[i]);
  if (M.fate[i] !== LOST) return [x0, y0, x1, y1];
  const share = 0.82;
  return [x0, y0, x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
}

function drawMessages() {
  drawn = [];
  const groups = CLASSES.map(() => []), lost = [], late = [];
  view.step = messagesIn(filter.messages, filter.reach, view.from, view.until, MOST_ARROWS, i => {
    if (!isTrouble(i)) { groups[M.cls[i]].push(i); drawn.push(i); }
  });
  messagesIn(filter.troubles, filter.troubleReach, view.from, view.until, MOST_TROUBLES, i => {
    (M.fate[i] === LOST ? lost : late).push(i);
    drawn.push(i);
  });
  const hasHeads = drawn.length < HEADS_BELOW;
  const alpha = led.order.length ? 0.25 : view.step > 1 ? 0.35 : drawn.length > 1500 ? 0.55 : 0.9;
  const order = [PING, 4, 2, 1, 0];
  for (const cls of order) arrows(groups[cls], colours[CLASSES[cls]], (cls === PING ? 0.6 : 1) * alpha, 1, hasHeads);
  arrows(late, colours.late, Math.min(1, alpha + 0.15), 1.2, hasHeads);
  pen.setLineDash([5, 3]);
  arrows(lost, colours.lost, Math.min(1, alpha + 0.2), 1.2, false);
  pen.setLineDash([]);
  crosses(lost, Math.min(1, alpha + 0.2));
  const chain = [...led.messages].filter(i => M.over[i] >= view.from && M.sent[i] <= view.until);
  arrows(chain, colours.bad, 1, 2.4, true);
  if (cursor.message !== NONE) arrows([cursor.message], colours.cursor, 1, 2.4, true);
}

function arrows(list, colour, alpha, width, hasHeads) {
  if (!list.length) return;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.globalAlpha = alpha;
  pen.lineWidth = width;
  pen.beginPath();
  const heads = [];
  for (const i of list) {
    const [x0, y0, x1, y1] = wayOf(i);
    // Of what takes a minute where a microsecond is shown only this part is drawn: its dashes would be without number.
    const slope = (y1 - y0) / (x1 - x0 || 1), left = Math.max(x0, GUTTER - 20), right = Math.min(x1, size.width + 20);
    if (left > right) continue;
    pen.moveTo(left, y0 + (left - x0) * slope);
    pen.lineTo(right, right === x1 ? y1 : y0 + (right - x0) * slope);
    if (hasHeads && M.fate[i] === HEARD && x1 <= size.width && x1 >= GUTTER) heads.push(x0, y0, x1, y1);
  }
  pen.stroke();
  pen.beginPath();
  for (let i = 0; i < heads.length; i += 4) {
    const [x0, y0, x1, y1] = heads.slice(i, i + 4);
    const length = Math.hypot(x1 - x0, y1 - y0) || 1, dx = (x1 - x0) / length, dy = (y1 - y0) / length, big = 4 + width;
    pen.moveTo(x1, y1);
    pen.lineTo(x1 - dx * big + dy * big * 0.5, y1 - dy * big - dx * big * 0.5);
    pen.lineTo(x1 - dx * big - dy * big * 0.5, y1 - dy * big + dx * big * 0.5);
    pen.closePath();
  }
  pen.fill();
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
}

function crosses(list, alpha) {
  pen.strokeStyle = colours.lost;
  pen.globalAlpha = alpha;
  pen.lineWidth = 1.6;
  pen.beginPath();
  for (const i of list) {
    const [, , x1, y1] = wayOf(i);
    pen.moveTo(x1 - 3, y1 - 3); pen.lineTo(x1 + 3, y1 + 3);
    pen.moveTo(x1 + 3, y1 - 3); pen.lineTo(x1 - 3, y1 + 3);
  }
  pen.stroke();
  pen.globalAlpha = 1;
  pen.lineWidth = 1;
}

const LOUD = new Set(['fault', 'process gone', 'power loss', 'restart', 'recovered', 'serves', 'has elected', 'looks for a leader', 'its part is over', 'truncates its log', 'session expired', 'snapshot failed', 'store failed', 'exit', 'end of faults', 'digest mismatch', 'rot', 'another disk']);
const isLoud = Uint8Array.from(S, text => LOUD.has(text) ? 1 : 0);

/** One dot for each pixel at most: the next that is looked at is the first behind it. */
function drawEvents() {
  const perPixel = (view.until - view.from) / (size.width - GUTTER);
  lanes.forEach((_, lane) => {
    const own = filter.byLane[lane], y = lineOf(lane);
    if (y < AXIS || y > size.height + 8) return;
    const get = i => E.at[own[i]];
    let place = lowerBound(own.length, get, view.from), steps = 0, begun = -9, ended = -9;
    while (place < own.length && get(place) <= view.until && steps++ < 6000) {
      const event = own[place], px = x(E.at[event]);
      if (isLoud[E.kind[event]]) { pen.fillStyle = colours.text; pen.fillRect(px - 1.5, y - 4, 3, 9); }
      // Marks that touch are one.
      if (px - ended > 1.6) {
        if (begun > 0) dash(begun, ended, y);
        begun = px;
      }
      ended = px;
      const until = E.at[event] + perPixel;
      if (place + 1 < own.length && get(place + 1) > until) { place++; continue; }
      // Many at one place: the first behind it, found from here in doubling steps.
      let far = 1;
      while (place + far < own.length && get(place + far) <= until) far *= 2;
      const low = place + (far >> 1), high = Math.min(own.length, place + far + 1);
      place = Math.max(place + 1, low + lowerBound(high - low, i => get(low + i), until));
    }
    if (begun > 0) dash(begun, ended, y);
  });
  for (const event of led.events) {
    const at = E.at[event];
    if (at < view.from || at > view.until) continue;
    disc(x(at), lineOf(E.lane[event]), 4.5, colours.bad);
  }
  if (cursor.event !== NONE) disc(x(E.at[cursor.event]), lineOf(E.lane[cursor.event]), 5, colours.cursor);
}

function dash(begun, ended, y) {
  pen.fillStyle = colours.quiet;
  pen.fillRect(begun - 0.75, y - 2, ended - begun + 1.5, 5);
}

function disc(px, py, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(px, py, radius, 0, 7);
  pen.fill();
}

function drawMarks() {
  const taken = lanes.map(() => 0);
  for (const band of run.bands) {
    if (band.until < view.from || band.from > view.until) continue;
    const left = Math.max(GUTTER, x(band.from)), right = Math.max(x(band.until), left + 90);
    for (const lane of band.lanes) {
      // Names that would lie on each other: the first is written.
      if (left < taken[lane]) continue;
      label(band.name, left, right, laneTop[lane] + (isServer(lane) ? 34 : 11), colours.fault, '600');
      taken[lane] = left + 14 + band.name.length * 6.5;
    }
  }
  const px = Math.round(x(cursor.at));
  pen.fillStyle = colours.cursor;
  pen.fillRect(px, AXIS, 1, size.height);
  if (run.violation) {
    pen.fillStyle = colours.bad;
    pen.fillRect(Math.min(x(run.until), size.width - 2) - 1, AXIS, x(run.until) <= size.width + 2 ? 3 : 0, size.height);
  }
}

function drawGutter() {
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, GUTTER, size.height);
  pen.save();
  pen.beginPath();
  pen.rect(0, AXIS, GUTTER, size.height);
  pen.clip();
  lanes.forEach((known, lane) => {
    const middle = laneTop[lane] + laneHeight[lane] / 2;
    pen.fillStyle = cursor.lane === lane ? colours.cursor : colours.text;
    pen.font = font(12, isServer(lane) ? '650' : '');
    pen.fillText(known.name, 10, isServer(lane) ? middle - 1 : middle + 4);
    pen.fillStyle = colours.quiet;
    pen.font = font(10.5);
    if (isServer(lane)) pen.fillText(`id ${known.id}${known.kind === 'observer' ? ', observer' : ''}`, 10, middle + 13);
    else if (known.kind !== 'world') pen.fillText(known.kind === 'application' ? 'apps' : known.kind, 78, middle + 4);
  });
  pen.restore();
  pen.fillStyle = colours.line;
  pen.fillRect(GUTTER - 1, 0, 1, size.height);
}

/** Round numbers, about a hundred pixels apart; with what all have in common written once. */
function drawAxis() {
  pen.fillStyle = colours.panel;
  pen.fillRect(GUTTER, 0, size.width, AXIS);
  pen.fillStyle = colours.line;
  pen.fillRect(0, AXIS - 1, size.width, 1);
  const wanted = (view.until - view.from) / (size.width - GUTTER) * 110;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = Math.max(1, [1, 2, 5, 10].map(n => n * power).find(n => n >= wanted));
  const digits = Math.min(9, Math.max(0, 9 - Math.floor(Math.log10(step) + 1e-9)));
  pen.font = font(11);
  for (let at = Math.ceil(view.from / step) * step; at <= view.until; at += step) {
    const px = x(at);
    pen.fillStyle = colours.line;
    pen.fillRect(px, AXIS - 7, 1, 6);
    pen.fillStyle = colours.quiet;
    if (px < size.width - 60) pen.fillText(clock(at, digits) + (digits <= 3 ? ' s' : ''), px + 4, 15);
  }
  pen.fillStyle = colours.panel;
  pen.fillRect(0, 0, GUTTER - 1, AXIS - 1);
  pen.fillStyle = colours.quiet;
  pen.fillText(`${span(view.until - view.from)} shown`, 10, 15);
}

/** The packet whose arrow is nearest to a place, if it is near. */
function messageAt(px, py) {
  let best = NONE, nearest = 6;
  for (const i of drawn) {
    const [x0, y0, x1, y1] = wayOf(i);
    const dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy || 1;
    const along = Math.min(1, Math.max(0, ((px - x0) * dx + (py - y0) * dy) / square));
    const far = Math.hypot(px - x0 - along * dx, py - y0 - along * dy);
    if (far < nearest) { nearest = far; best = i; }
  }
  return best;
}
/** The event nearest to a place on its lane. */
function eventAt(px, py) {
  const lane = laneAt(py);
  if (lane === NONE || Math.abs(py - lineOf(lane)) > 9) return NONE;
  const own = filter.byLane[lane], at = timeAt(px);
  const place = lowerBound(own.length, i => E.at[own[i]], at);
  const near = [place - 1, place].filter(i => i >= 0 && i < own.length).map(i => [Math.abs(x(E.at[own[i]]) - px), own[i]]);
  near.sort((a, b) => a[0] - b[0]);
  return near.length && near[0][0] < 6 ? near[0][1] : NONE;
}
function laneAt(py) {
  const lane = laneTop.findIndex((top, i) => py >= top && py < top + laneHeight[i]);
  return py < AXIS ? NONE : lane;
}
function bandAt(px, py) {
  const lane = laneAt(py);
  return run.bands.filter(band => band.lanes.includes(lane) && x(band.from) - 2 <= px && Math.max(x(band.until), x(band.from) + 4) >= px);
}
