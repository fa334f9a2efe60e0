// What moves the picture: cursor, zoom, search, keys, mouse.

/** The cursor has moved: everything that follows it. */
function moved(isScrolled = true) {
  showNow();
  showServers();
  showChosen();
  if (isScrolled) scrollToCursor();
  showRows();
  redraw();
}

/** Brings a time into view, if it is not. */
function reveal(at) {
  const width = view.until - view.from;
  if (at < view.from + width * 0.02 || at > view.until - width * 0.02) setView(at - width / 2, at + width / 2);
}

function setView(from, until) {
  const whole = Math.max(SHORTEST, run.until - run.from), slack = whole * 0.02;
  let width = Math.min(Math.max(SHORTEST, until - from), whole + 2 * slack);
  from = Math.min(Math.max(from, run.from - slack), run.until + slack - width);
  view.from = from;
  view.until = from + width;
  redraw();
}
function zoom(factor, at = (cursor.at >= view.from && cursor.at <= view.until) ? cursor.at : (view.from + view.until) / 2) {
  setView(at - (at - view.from) * factor, at + (view.until - at) * factor);
}

function choose(event, isRevealed = true) {
  Object.assign(cursor, { event, message: NONE, at: E.at[event], lane: E.lane[event] });
  if (isRevealed) { reveal(cursor.at); revealLane(cursor.lane); }
  moved();
}
function chooseMessage(message) {
  const at = M.heardBy[message] >= 0 ? M.over[message] : M.sent[message];
  Object.assign(cursor, { message, event: M.heardBy[message] >= 0 ? M.heardBy[message] : M.by[message], at, lane: M.to[message] });
  reveal(at);
  moved();
}
function goTo(at, lane = NONE) {
  Object.assign(cursor, { at, event: NONE, message: NONE, lane });
  reveal(at);
  moved();
}
function revealLane(lane) {
  if (laneTop[lane] < AXIS) view.scroll -= AXIS - laneTop[lane];
  else if (laneTop[lane] + laneHeight[lane] > size.height) view.scroll += laneTop[lane] + laneHeight[lane] - size.height;
}

/** The next event of the list, or of the cursor's lane. */
function step(by, isOwnLane = false) {
  const list = isOwnLane && cursor.lane !== NONE ? filter.byLane[cursor.lane] : listed();
  if (!list.length) return;
  let place = cursor.event === NONE ? NONE : placeOf(list, cursor.event);
  if (place !== NONE) place += by;
  else {
    // Of what happens at one time the order is that of the numbers.
    place = cursor.event === NONE ? lowerBound(list.length, i => E.at[list[i]], cursor.at) : lowerBound(list.length, i => list[i], cursor.event);
    if (by < 0) place -= 1;
  }
  choose(list[Math.min(list.length - 1, Math.max(0, place))]);
}
function otherLane(by) {
  cursor.lane = Math.min(lanes.length - 1, Math.max(0, cursor.lane + by));
  const own = filter.byLane[cursor.lane];
  const place = lowerBound(own.length, i => E.at[own[i]], cursor.at);
  if (own.length) choose(own[Math.min(place, own.length - 1)]);
}

function jumpToViolation() {
  if (!run.violation || !E.n) return;
  const { at, lane } = meant(run.violation.detail);
  const width = Math.min(run.until - run.from, 50e6);
  if (at >= 0) { setView(at - width / 2, at + width / 2); goTo(at, lane); return; }
  setView(run.until - width * 0.9, run.until + width * 0.1);
  const last = lane > 0 ? before(lane, run.until) : NONE;
  choose(last === NONE ? E.n - 1 : last);
}
function toggleLed() {
  if (!run.violation) return;
  const isOn = led.order.length === 0;
  led = isOn ? ledBy() : { events: new Set(), messages: new Set(), order: [] };
  $('led').classList.toggle('on', isOn);
  if (isOn && led.order.length) {
    led.list = Int32Array.from(led.order).sort();
    const from = E.at[led.list[0]], until = E.at[led.list.at(-1)], slack = Math.max(1e5, (until - from) * 0.1);
    setView(from - slack, until + slack);
    choose(led.order[0], false);
  } else moved();
}

let version = 0;
function filtered() {
  refilter();
  filter.version = ++version;
  if (cursor.event !== NONE && placeOf(filter.events, cursor.event) === NONE) cursor.message = NONE;
  scrollToCursor();
  showRows();
  redraw();
}
function search(text) {
  $('search').value = text;
  filter.query = text;
  if (led.order.length) toggleLed();
  filtered();
}

async function copyReplay() {
  const button = $('copy');
  let isCopied = true;
  try { await navigator.clipboard.writeText(run.replay); } catch {
    const area = document.body.appendChild(make('textarea', {}, run.replay));
    area.select();
    isCopied = document.execCommand('copy');
    area.remove();
  }
  button.textContent = isCopied ? 'Copied' : run.replay;
  setTimeout(() => { button.textContent = 'Copy replay command'; }, 1500);
}

function setTheme(isDark) {
  document.documentElement.classList.toggle('dark', isDark);
  readColours();
  showLegend();
  showClasses();
  if (size.width) moved(false);
}

function listenToMouse() {
  let drag = null;
  const place = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const [px] = place(event);
    if (event.shiftKey) view.scroll += event.deltaY || event.deltaX;
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = event.deltaX * (view.until - view.from) / size.width;
      setView(view.from + by, view.until + by);
    } else zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY)) * 0.002), timeAt(Math.max(px, GUTTER)));
    redraw();
  }, { passive: false });
  canvas.addEventListener('pointerdown', event => {
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    const [px, py] = place(event);
    drag = { px, py, from: view.from, until: view.until, scroll: view.scroll, isFar: false, isPart: event.shiftKey };
  });
  canvas.addEventListener('pointermove', event => {
    const [px, py] = place(event);
    if (!drag) { hover(px, py); return; }
    if (Math.hypot(px - drag.px, py - drag.py) > 3) drag.isFar = true;
    if (!drag.isFar || drag.isPart) return;
    canvas.classList.add('dragging');
    const by = (drag.px - px) / (size.width - GUTTER) * (drag.until - drag.from);
    view.scroll = drag.scroll + drag.py - py;
    setView(drag.from + by, drag.until + by);
  });
  canvas.addEventListener('pointerup', event => {
    const [px, py] = place(event);
    canvas.classList.remove('dragging');
    if (drag && !drag.isFar) click(px, py);
    else if (drag?.isPart) setView(Math.min(timeAt(px), timeAt(drag.px)), Math.max(timeAt(px), timeAt(drag.px)));
    drag = null;
  });
  canvas.addEventListener('pointerleave', () => { $('tip').hidden = true; });
  canvas.addEventListener('dblclick', event => zoom(0.3, timeAt(place(event)[0])));
  listenToOverview();
}

function listenToOverview() {
  const timeIn = event => {
    const box = overview.getBoundingClientRect();
    return run.from + (event.clientX - box.left - GUTTER) / (box.width - GUTTER) * (run.until - run.from);
  };
  let begun = null;
  overview.addEventListener('pointerdown', event => { overview.setPointerCapture(event.pointerId); begun = timeIn(event); });
  overview.addEventListener('pointermove', event => {
    if (begun === null) return;
    const at = timeIn(event);
    if (Math.abs(at - begun) > (run.until - run.from) / 200) setView(Math.min(at, begun), Math.max(at, begun));
  });
  overview.addEventListener('pointerup', event => {
    const at = timeIn(event), width = view.until - view.from;
    if (begun !== null && Math.abs(at - begun) <= (run.until - run.from) / 200) setView(at - width / 2, at + width / 2);
    begun = null;
  });
}

function click(px, py) {
  const event = eventAt(px, py);
  if (event !== NONE) { choose(event, false); return; }
  const message = messageAt(px, py);
  if (message !== NONE) { chooseMessage(message); return; }
  Object.assign(cursor, { at: Math.min(run.until, Math.max(run.from, Math.round(timeAt(px)))), event: NONE, message: NONE, lane: laneAt(py) });
  moved();
}

function hover(px, py) {
  const tip = $('tip');
  const event = eventAt(px, py), message = event === NONE ? messageAt(px, py) : NONE;
  const bands = event === NONE && message === NONE ? bandAt(px, py) : [];
  let text = '';
  if (event !== NONE) text = `${clock(E.at[event])} s  ${lanes[E.lane[event]].name}: ${S[E.kind[event]]} ${told(event)}`;
  else if (message !== NONE) text = `${lanes[M.from[message]].name} → ${lanes[M.to[message]].name}: ${said(message)}, ${span(M.over[message] - M.sent[message])} on its way`;
  else text = bands.slice(0, 4).map(band => `${band.name}, ${clock(band.from, 3)} to ${clock(band.until, 3)} s — ${band.text}`).join('\n');
  tip.hidden = !text || px < GUTTER;
  if (tip.hidden) return;
  tip.textContent = text;
  tip.style.whiteSpace = 'pre-line';
  tip.style.left = `${Math.min(px + 14, Math.max(0, size.width - 430))}px`;
  tip.style.top = `${py + overview.clientHeight + 14}px`;
}

function listenToKeys() {
  const keys = {
    ArrowLeft: event => step(-1, event.shiftKey), ArrowRight: event => step(1, event.shiftKey),
    ArrowUp: () => otherLane(-1), ArrowDown: () => otherLane(1),
    Home: () => listed().length && choose(listed()[0]), End: () => listed().length && choose(listed().at(-1)),
    '+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1 / 0.6), 0: () => setView(run.from, run.until),
    a: () => shift(-0.25), d: () => shift(0.25), z: zoomToChosen,
    '/': () => $('search').focus(), v: jumpToViolation, l: toggleLed, c: copyReplay,
    t: () => setTheme(!document.documentElement.classList.contains('dark')), '?': showHelp,
    Escape: () => { search(''); Object.assign(cursor, { event: NONE, message: NONE }); moved(false); },
  };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || $('helping').open) return;
    if (event.target === $('search')) {
      if (event.key === 'Escape' || event.key === 'Enter') canvas.focus();
      if (event.key === 'Escape') search('');
      return;
    }
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}
function shift(share) {
  const by = (view.until - view.from) * share;
  setView(view.from + by, view.until + by);
}
function zoomToChosen() {
  const i = cursor.message;
  if (i !== NONE) {
    const slack = Math.max(1000, (M.over[i] - M.sent[i]) * 0.5);
    setView(M.sent[i] - slack, M.over[i] + slack);
  } else setView(cursor.at - 1e6, cursor.at + 1e6);
}

function begin() {
  readColours();
  refilter();
  filter.version = version;
  showHead();
  showViolation();
  const byTitle = { copy: copyReplay, help: showHelp, first: () => step(-E.n), previous: () => step(-1), next: () => step(1), last: () => step(E.n), in: () => zoom(0.6), out: () => zoom(1 / 0.6), all: () => setView(run.from, run.until) };
  for (const [id, act] of Object.entries(byTitle)) $(id).addEventListener('click', act);
  $('theme').addEventListener('click', () => setTheme(!document.documentElement.classList.contains('dark')));
  $('search').addEventListener('input', event => search(event.target.value));
  $('list').addEventListener('scroll', showRows);
  new ResizeObserver(() => { redraw(); showRows(); }).observe($('picture'));
  listenToMouse();
  listenToKeys();
  const scheme = window.matchMedia('(prefers-color-scheme: dark)');
  scheme.addEventListener('change', () => setTheme(scheme.matches));
  setTheme(scheme.matches);
  layout();
  if (run.violation) jumpToViolation();
  else moved();
  setInterval(showDensity, 300);
}
begin();
