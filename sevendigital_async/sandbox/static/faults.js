"use strict";
// The controls of the faults. Each change replaces all faults with PUT /_sandbox/faults, as any program can, if they still
// have the version that was read.

let inForce = {faults: [], latency: "0ms", seed: 0, version: 0};

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

// Sends the members that `change` returns for the faults in force. Where another program has changed those since they were
// read, the sandbox refuses with 409 and its present faults, and the change is made to these.
async function changeFaults(change, done) {
  const headers = {"Content-Type": "application/json"};
  try {
    for (;;) {
      const body = JSON.stringify({...inForce, ...change(inForce)});
      const response = await fetch("/_sandbox/faults", {method: "PUT", body, headers});
      const {error, ...current} = await response.json();
      if (response.ok || response.status === 409) showFaults(current);
      if (response.status === 409) continue;
      say(response.ok ? done : `Not changed: ${error}.`);
      return response.ok;
    }
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
  const stays = (fault) => kind.startsWith("poison") ? fault !== `${kind}:${value}` : !fault.startsWith(`${kind}:`);
  await changeFaults(({faults}) => ({faults: [...faults.filter(stays), `${kind}:${value}`]}), `${kind} ${value} is in force.`);
});
find("set-latency").addEventListener("submit", async (event) => {
  event.preventDefault();
  const latency = find("latency").value.trim() || "0ms";
  await changeFaults(() => ({latency}), latency === "0ms" ? "There is no latency." : `The latency is ${latency}.`);
});
find("faults-in-force").addEventListener("click", async ({target}) => {
  if (target.localName !== "button") return;
  const fault = target.value, isLatency = fault.startsWith("latency:");
  const remove = ({faults}) => isLatency ? {latency: "0ms"} : {faults: faults.filter((each) => each !== fault)};
  // The button goes away with its row.
  if (await changeFaults(remove, `${fault.replace(":", " ")} is removed.`)) find("fault-kind").focus();
});
find("clear-faults").addEventListener("click", async () => {
  if (await changeFaults(() => ({faults: [], latency: "0ms"}), "All faults are removed.")) find("fault-kind").focus();
});
