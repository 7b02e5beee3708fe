"""The page at ``/``: what arrived, at a glance. It loads nothing, and writes values as text only."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>7digital sandbox</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1d2430; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #d8dde6; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.over { color: #b3261e; font-weight: bold; }
meter { width: 12rem; vertical-align: middle; }
footer { margin-top: 2rem; color: #5b6472; }
</style>
</head>
<body>
<h1>7digital sandbox</h1>
<p>Preview requests in the busiest second:
  <meter id="meter" min="0"></meter> <strong id="busiest">0</strong> of <span id="limit">?</span> allowed</p>
<h2>Play logs</h2>
<table>
<thead><tr><th>kind</th><th>requests</th><th>requests/s now</th><th>busiest second</th><th>accepted</th><th>logs</th>
<th>mean batch</th><th>largest batch</th><th>refused logs</th><th>429</th><th>doubles</th></tr></thead>
<tbody id="kinds"></tbody>
</table>
<h2>Answers</h2>
<table><thead><tr><th>status</th><th>requests</th></tr></thead><tbody id="answers"></tbody></table>
<h2>Faults that struck</h2>
<table><thead><tr><th>fault</th><th>requests</th></tr></thead><tbody id="faults"></tbody></table>
<footer>Raw: <a href="/_sandbox/stats">stats</a>, <a href="/_sandbox/requests">requests</a>,
<a href="/_sandbox/logs">logs</a>. <span id="state"></span></footer>
<script>
"use strict";
const find = (id) => document.getElementById(id);
function row(cells) {
  const tr = document.createElement("tr");
  for (const cell of cells) tr.appendChild(document.createElement("td")).textContent = cell;
  return tr;
}
const fill = (id, rows) => find(id).replaceChildren(...rows.map(row));
let before = null;
function show(stats) {
  const now = performance.now(), preview = stats.kinds.preview;
  find("meter").max = find("meter").high = stats.limit;
  find("meter").value = preview.busiest_second;
  find("busiest").textContent = preview.busiest_second;
  find("busiest").className = preview.busiest_second > stats.limit ? "over" : "";
  find("limit").textContent = stats.limit;
  fill("kinds", Object.entries(stats.kinds).map(([kind, k]) => {
    const rate = before ? (k.requests - before.kinds[kind].requests) / ((now - before.at) / 1000) : 0;
    const mean = k.accepted_requests ? k.logs / k.accepted_requests : 0;
    return [kind, k.requests, rate.toFixed(1), k.busiest_second, k.accepted_requests, k.logs, mean.toFixed(1),
            k.largest_batch, k.refused_logs, k.rate_limited, k.duplicates];
  }));
  fill("answers", Object.entries(stats.answers));
  fill("faults", Object.entries(stats.faults));
  before = {at: now, kinds: stats.kinds};
}
async function poll() {
  try {
    show(await (await fetch("/_sandbox/stats")).json());
    find("state").textContent = "";
  } catch {
    find("state").textContent = "The sandbox does not answer.";
  }
  setTimeout(poll, 1000);
}
poll();
</script>
</body>
</html>
"""
