"use strict";
// Polls /_sandbox/activity once a second and updates the page in place. Values are written as text only.

const KINDS = ["preview", "catalogue", "subscriber"];
const FULL = {preview: 500, catalogue: 500, subscriber: 20};
const number = (value) => value.toLocaleString("en");
const count = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const total = (values) => Object.values(values).reduce((sum, value) => sum + value, 0);
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");
const byKind = KINDS.map((name) => ({name, label: name}));
const OUTCOMES = [
  {name: "accepted", label: "accepted", has: (status) => status < 400},
  {name: "limited", label: "429", has: (status) => status === "429"},
  {name: "refused", label: "other 4xx", has: (status) => status >= 400 && status < 500},
  {name: "failed", label: "5xx", has: (status) => status >= 500},
  {name: "disconnected", label: "disconnected", has: () => true},
];

const area = find("charts");
const charts = {
  limit: makeChart("limit", "Preview requests against the limit", [
    {name: "preview", label: "within the limit"}, {name: "over", label: "over the limit"}], area),
  others: makeChart("others", "Catalogue and subscriber requests", byKind.slice(1), area),
  plays: makeChart("plays", "Plays saved per second", byKind, area),
  outcomes: makeChart("outcomes", "Responses per second", OUTCOMES, area),
  sizes: makeChart("sizes", "Plays per request", byKind, area),
  latency: makeChart("latency", "Response time in milliseconds", [{name: "latency", label: "requests"}], area),
};

// One column for each second of the window, the current one last.
function overTime(traffic, values) {
  const columns = Array.from({length: traffic.window}, () => ({}));
  for (const second of traffic.seconds) {
    const column = traffic.window - 1 - (traffic.now - second.second);
    if (columns[column]) columns[column] = values(second);
  }
  const marks = [[0, "3 min ago"], [traffic.window / 3, "2"], [traffic.window * 2 / 3, "1"], [traffic.window - 1, "now"]];
  return {columns, marks};
}

// The last second is not over yet, so "now" is the one before it.
function rates(columns, unit) {
  const sums = columns.map(total);
  return `${number(sums.at(-2))} ${unit} per second now, at most ${number(Math.max(...sums))}.`;
}

function showTraffic(traffic, limit) {
  const preview = overTime(traffic, ({busiest_second: {preview: busiest = 0}}) =>
    ({preview: Math.min(busiest, limit), over: Math.max(busiest - limit, 0)}));
  const over = preview.columns.filter((column) => column.over).length;
  const verdict = over ? `Over the limit in ${count(over, "second")}.` : "Never over the limit.";
  drawChart(charts.limit, {...preview, limit,
    summary: `${rates(preview.columns, "requests")} The limit is ${limit} in any second. ${verdict}`});

  const others = overTime(traffic, ({requests: {preview: _, ...rest}}) => rest);
  drawChart(charts.others, {...others, summary: `${rates(others.columns, "requests")} They have no limit per second.`});

  const plays = overTime(traffic, ({logs}) => logs);
  drawChart(charts.plays, {...plays, summary: rates(plays.columns, "plays")});

  const outcomes = overTime(traffic, ({answers}) => {
    const column = {};
    for (const [status, requests] of Object.entries(answers)) {
      const {name} = OUTCOMES.find(({has}) => has(status));
      column[name] = (column[name] ?? 0) + requests;
    }
    return column;
  });
  const sums = OUTCOMES.map(({name, label}) =>
    [label, outcomes.columns.reduce((sum, column) => sum + (column[name] ?? 0), 0)]).filter(([, sum]) => sum);
  drawChart(charts.outcomes, {...outcomes,
    summary: sums.length ? `In three minutes, ${sums.map(([label, sum]) => `${label}: ${number(sum)}`).join(", ")}.`
      : "No responses in three minutes."});

  showSizes(traffic.batch_sizes);
  showLatency(traffic.latencies);
}

function showSizes({up_to: bounds, requests}) {
  const columns = bounds.map((_, index) => Object.fromEntries(KINDS.map((kind) => [kind, requests[kind][index]])));
  const exact = new Set([1, FULL.subscriber, FULL.preview]);
  const marks = bounds.map((bound, index) => [index, bound === null ? "more" : exact.has(bound) ? `${bound}` : `–${bound}`]);
  const all = total(columns.map(total));
  const full = KINDS.map((kind) => `${number(requests[kind][bounds.indexOf(FULL[kind])])} ${kind} (${FULL[kind]})`);
  drawChart(charts.sizes, {columns, marks, gap: 3, summary: all
    ? `${count(all, "request")} by size. Full ones: ${full.join(", ")}.`
    : "No requests in three minutes."});
}

function showLatency({up_to: bounds, requests}) {
  const columns = requests.map((latency) => ({latency}));
  const label = (bound) => bound === null ? "more" : bound < 1 ? `${bound * 1000}` : `${bound} s`;
  const marks = bounds.map((bound, index) => [index, label(bound)]);
  const all = total(requests);
  const within = (share) => {
    let sum = 0;
    const bound = bounds[requests.findIndex((each) => (sum += each) >= share * all)];
    return bound === null ? "more than 5 s" : bound < 1 ? `${bound * 1000} ms` : `${bound} s`;
  };
  drawChart(charts.latency, {columns, marks, gap: 3, summary: all
    ? `From arrival to response: half within ${within(0.5)}, 95 % within ${within(0.95)}, all within ${within(1)}.`
    : "No responses in three minutes."});
}

function setButton(cell, {label, name, value}) {
  if (cell.firstElementChild?.localName !== "button") cell.replaceChildren(html("button", {type: "button"}, label));
  const button = cell.firstElementChild;
  if (button.value !== value) {
    button.value = value;
    button.setAttribute("aria-label", name);
  }
}

// Rows and cells are kept and only their text changes: what is selected or read aloud stays where it is.
function fill(id, rows, rowHeaders = false) {
  const body = find(id), columns = body.parentElement.tHead.rows[0].cells.length;
  const shown = rows.length ? rows : [[body.dataset.empty]];
  while (body.rows.length > shown.length) body.deleteRow(-1);
  shown.forEach((values, index) => {
    const row = body.rows[index] ?? body.insertRow();
    while (row.cells.length > values.length) row.deleteCell(-1);
    values.forEach((value, column) => {
      const [tag, attributes] = rowHeaders && rows.length && column === 0 ? ["th", {scope: "row"}] : ["td", {}];
      if (row.cells[column]?.localName !== tag) {
        row.cells[column]?.remove();
        row.insertBefore(html(tag, attributes), row.cells[column] ?? null);
      }
      const cell = row.cells[column];
      cell.colSpan = rows.length ? 1 : columns;
      if (value?.label) setButton(cell, value);
      else setText(cell, value);
    });
  });
}

function showTotals(stats) {
  const sum = (figure) => KINDS.reduce((all, kind) => all + stats.kinds[kind][figure], 0);
  const doubles = sum("duplicates"), busiest = stats.kinds.preview.busiest_second;
  const tiles = [
    ["Plays saved", number(sum("logs")), false],
    ["Plays received again", number(doubles), doubles > 0],
    ["Plays refused", number(sum("refused_logs")), false],
    ["Responses with 429", number(sum("rate_limited")), false],
    ["Busiest preview second", `${busiest} of ${stats.limit}`, busiest > stats.limit],
  ];
  const list = find("totals");
  tiles.forEach(([name, value, alarm], index) => {
    const tile = list.children[index] ?? list.appendChild(html("div", {}, html("dt"), html("dd")));
    tile.className = alarm ? "alarm" : "";
    setText(tile.firstChild, name);
    setText(tile.lastChild, value);
  });
  setText(find("double-alert"), doubles ? `Saved again although received before: ${count(doubles, "play")}.` : "");
}

const FIGURES = {
  requests: "Requests", accepted_requests: "Accepted requests", logs: "Plays saved", largest_batch: "Largest batch",
  busiest_second: "Busiest second", refused_logs: "Plays refused", duplicates: "Received again", rate_limited: "Responses with 429",
};

function showTables({stats, faults, refused, doubles}) {
  const mean = ({logs, accepted_requests: requests}) => requests ? (logs / requests).toFixed(1) : "–";
  fill("kinds", [
    ...Object.entries(FIGURES).map(([figure, label]) => [label, ...KINDS.map((kind) => number(stats.kinds[kind][figure]))]),
    ["Mean batch", ...KINDS.map((kind) => mean(stats.kinds[kind]))],
  ], true);
  fill("answers", Object.entries(stats.answers).map(([status, requests]) => [status, number(requests)]), true);
  fill("faults-applied", Object.entries(stats.faults).map(([fault, requests]) => [fault, number(requests)]), true);
  showFaults(faults);
  const batch = ({batch: name, status, fault}) => `${name} (${fault ?? status ?? "no response yet"})`;
  fill("doubles", doubles.map(({kind, log, times, first, last}) =>
    [[kind, `track ${log.trackId}`, log.userId && `user ${log.userId}`, log.timestamp].filter(Boolean).join(", "),
     number(times), batch(first), batch(last)]));
  fill("refused", refused.map(({arrived_at: at, kind, track_id: track, position, code, status, reason}) =>
    [time(at), position === null ? `${kind}, whole request` : `${kind}, track ${track ?? "?"}, position ${position}`,
     `${status}${code === null ? "" : `, code ${code}`}: ${reason}`]));
}

let latest = null, paused = false;

function show(activity) {
  latest = activity;
  showTotals(activity.stats);
  showTraffic(activity.traffic, activity.stats.limit);
  showTables(activity);
}

async function getActivity() {
  try {
    const response = await fetch("/_sandbox/activity");
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

async function poll() {
  try {
    const activity = await getActivity();
    setText(find("connection"), activity ? "" : "The sandbox does not answer. The figures are those of its last response.");
    if (activity && !paused) show(activity);
  } finally {
    setTimeout(poll, 1000);
  }
}

find("pause").addEventListener("click", ({target}) => {
  paused = !paused;
  target.setAttribute("aria-pressed", paused);
});
new ResizeObserver(() => latest && showTraffic(latest.traffic, latest.stats.limit)).observe(area);
poll();
