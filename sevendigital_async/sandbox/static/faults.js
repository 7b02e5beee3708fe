"use strict";
// The controls of the faults. Each change replaces all faults with PUT /_sandbox/faults, as any program can.

let inForce = {faults: [], latency: "0ms", seed: 0};

const say = (text) => setText(find("faults-status"), text);

// Returns the values of a row with a button that removes the fault.
function faultRow(fault) {
  const [kind, value] = fault.split(/:(.*)/s);
  return [kind, value, {label: "Remove", name: `Remove ${kind} ${value}`, value: fault}];
}

function showFaults(faults) {
  inForce = faults;
  const rows = faults.faults.map(faultRow);
  fill("faults-in-force", faults.latency === "0ms" ? rows : [...rows, faultRow(`latency:${faults.latency}`)], true);
  find("clear-faults").disabled = rows.length === 0 && faults.latency === "0ms";
}

async function replaceFaults(changes, done) {
  try {
    const body = JSON.stringify({...inForce, ...changes});
    const response = await fetch("/_sandbox/faults", {method: "PUT", body, headers: {"Content-Type": "application/json"}});
    if (!response.ok) {
      say(`Not changed: ${(await response.json()).error}.`);
      return false;
    }
    Object.assign(inForce, changes);
    showFaults(inForce);
    say(done);
    return true;
  } catch {
    say("Not changed: the sandbox does not answer.");
    return false;
  }
}

// Faults that hit a share of the requests take a rate, the others the id of a track.
function showMeaning() {
  const takesTrack = find("fault-kind").value.startsWith("poison");
  setText(find("fault-value-label"), takesTrack ? "Track id" : "Share of requests");
  if (takesTrack === find("fault-value").value.endsWith("%")) find("fault-value").value = takesTrack ? "" : "10%";
}

find("fault-kind").addEventListener("change", showMeaning);
find("add-fault").addEventListener("submit", async (event) => {
  event.preventDefault();
  const kind = find("fault-kind").value, value = find("fault-value").value.trim();
  const others = inForce.faults.filter((fault) => kind.startsWith("poison") || !fault.startsWith(`${kind}:`));
  await replaceFaults({faults: [...others, `${kind}:${value}`]}, `${kind} ${value} is in force.`);
});
find("set-latency").addEventListener("submit", async (event) => {
  event.preventDefault();
  const latency = find("latency").value.trim() || "0ms";
  await replaceFaults({latency}, latency === "0ms" ? "There is no latency." : `The latency is ${latency}.`);
});
find("faults-in-force").addEventListener("click", async ({target}) => {
  if (target.localName !== "button") return;
  const fault = target.value, isLatency = fault.startsWith("latency:");
  const changes = isLatency ? {latency: "0ms"} : {faults: inForce.faults.filter((each) => each !== fault)};
  // The button goes away with its row.
  if (await replaceFaults(changes, `${fault.replace(":", " ")} is removed.`)) find("fault-kind").focus();
});
find("clear-faults").addEventListener("click", async () => {
  if (await replaceFaults({faults: [], latency: "0ms"}, "All faults are removed.")) find("fault-kind").focus();
});
