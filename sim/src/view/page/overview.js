// The whole run in a strip: faults, who leads, how much happens. Painted once for each width, theme and filter; the window over it each time.
let backdrop = null;
function drawOverview() {
  const width = overview.clientWidth, height = overview.clientHeight, inner = width - GUTTER;
  const key = [width, height, document.documentElement.className, filter.version, window.devicePixelRatio].join();
  if (backdrop?.key !== key) backdrop = { key, image: paintBackdrop(width, height, inner) };
  small.clearRect(0, 0, width, height);
  small.drawImage(backdrop.image, 0, 0, width, height);
  const ox = at => GUTTER + (at - run.from) / Math.max(1, run.until - run.from) * inner;
  small.fillStyle = colours.accent;
  small.globalAlpha = 0.16;
  small.fillRect(ox(view.from), 0, Math.max(2, ox(view.until) - ox(view.from)), height);
  small.globalAlpha = 1;
  small.strokeStyle = colours.accent;
  small.strokeRect(ox(view.from) + 0.5, 0.5, Math.max(2, ox(view.until) - ox(view.from)) - 1, height - 1);
  small.fillStyle = colours.cursor;
  small.fillRect(ox(cursor.at), 0, 1.5, height);
}

function paintBackdrop(width, height, inner) {
  const dpr = window.devicePixelRatio || 1;
  const image = document.createElement('canvas');
  image.width = width * dpr;
  image.height = height * dpr;
  const brush = image.getContext('2d');
  brush.scale(dpr, dpr);
  brush.fillStyle = colours.panel;
  brush.fillRect(0, 0, width, height);
  const columns = Math.max(1, Math.floor(inner / 2)), counts = new Float64Array(columns);
  const column = at => Math.min(columns - 1, Math.floor((at - run.from) / Math.max(1, run.until - run.from) * columns));
  for (const event of filter.events) counts[column(E.at[event])]++;
  const most = Math.sqrt(counts.reduce((a, b) => Math.max(a, b), 1));
  const ox = at => GUTTER + (at - run.from) / Math.max(1, run.until - run.from) * inner;
  brush.save();
  brush.beginPath();
  brush.rect(GUTTER, 0, inner, height);
  brush.clip();
  brush.fillStyle = colours.fault;
  brush.globalAlpha = 0.35;
  for (const band of run.bands) brush.fillRect(ox(band.from), 0, Math.max(1.5, ox(band.until) - ox(band.from)), 5);
  brush.globalAlpha = 1;
  // Who leads, in the colour of its epoch.
  parts.forEach(list => list.forEach(part => {
    if (part.mode !== 'leader' || !part.isServing) return;
    brush.fillStyle = epochColour(part.epoch);
    brush.fillRect(ox(part.from), 7, Math.max(1, ox(part.until) - ox(part.from)), 5);
  }));
  brush.fillStyle = colours.quiet;
  counts.forEach((count, i) => {
    const tall = Math.sqrt(count) / most * (height - 18);
    brush.fillRect(GUTTER + i * inner / columns, height - tall - 1, Math.max(1, inner / columns - 0.5), tall);
  });
  if (run.violation) { brush.fillStyle = colours.bad; brush.fillRect(width - 3, 0, 3, height); }
  brush.restore();
  brush.fillStyle = colours.quiet;
  brush.font = font(10);
  [['faults', 8], ['leader’s epoch', 19], ['events', 38]].forEach(([text, y]) => brush.fillText(text, 10, y + 2));
  return image;
}
