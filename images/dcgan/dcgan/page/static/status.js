// What the training says of itself: phase, progress, speed, devices, and what is wrong.

import { $, bytes, clock, count, duration, el, fill, lasts, percent, say, speed } from "./dom.js";

const PHASES = {
  starting: "Starting",
  compiling: "Preparing the computation",
  training: "Training",
  finished: "Finished",
  stopped: "Stopped",
  failed: "Failed",
};
const SILENCE = { training: 30, starting: 180, compiling: 300 }; // seconds without a word that are no good sign
const EXITS = {
  75: "This can pass by itself, and the training is tried again.",
  78: "This does not pass by itself. When it is put right: sudo lab retry dcgan.",
  1: "This was not expected. More is shown by: sudo lab logs dcgan.",
};
const LINKS = {
  none: "Connecting",
  live: "Live",
  again: "Connecting again",
  asking: "Every 3 seconds",
  lost: "No answer: is the tunnel up?",
};
const BUSY = new Set(["starting", "compiling", "training"]);

export class Status {
  constructor() {
    this.said = null; // what /api/state answered
    this.at = 0; // when, by the browser's own steady clock
    this.row = null; // the latest epoch's row
    setInterval(() => this.show(), 1000);
  }

  state(said) {
    this.said = said;
    this.at = performance.now();
    this.show();
  }

  link(kind) {
    $("link").dataset.link = kind;
    say($("link").lastElementChild, LINKS[kind]);
    document.body.toggleAttribute("data-lost", kind === "lost");
  }

  show() {
    if (!this.said) return;
    const { state, age_seconds: age, problem, settings } = this.said;
    const silent = age === null ? null : age + (performance.now() - this.at) / 1000;
    const stale = state !== null && silent !== null && silent > (SILENCE[state.phase] ?? Infinity);
    showPhase(state, stale, problem);
    showProgress(state, problem, this.row);
    fill($("figures"), figures(state, this.row, stale), () => figures(state, this.row, stale).flatMap(figure));
    showMachine(state, settings, this.row);
    const all = alarms(state, problem, settings, stale ? silent : null);
    fill($("alarms"), all, () => all.map(alarm));
    // For a screen reader without the seconds, which would have it speak without end.
    say($("heard"), all.map(({ title, text }) => `${title.replace(/ for [\d.]+ .*/, "")}. ${text}`).join(" "));
  }
}

function showPhase(state, stale, problem) {
  const phase = state ? state.phase : "none";
  $("phase").dataset.phase = stale ? "stale" : phase;
  const word = state ? PHASES[phase] : problem && problem.startsWith("reading") ? "Not readable" : "Nothing yet";
  say($("phase-word"), stale ? `${word}, or cut off` : word);
}

// The epochs completed, and how much of the next. A training that starts again, or fails to, does not know
// yet how far it had come: the metrics do.
function reached(state, row) {
  const { epochs, step, steps_per_epoch: steps } = state;
  const told = state.epoch ?? 0;
  const epoch = Math.max(told, Math.min(row?.epoch ?? 0, epochs ?? 0));
  const within = steps > 0 && step !== null && epoch === told && epoch < epochs ? Math.min(1, step / steps) : 0;
  return { epoch, within };
}

function showProgress(state, problem, row) {
  const { epochs, step, steps_per_epoch: steps } = state ?? {};
  const { epoch, within } = state ? reached(state, row) : { epoch: 0, within: 0 };
  const known = epochs > 0;
  const fills = "This page fills by itself as soon as there is something.";
  const waiting = problem ? `${problem.replace(/[.]$/, "")}. ${fills}` : "";
  $("count").toggleAttribute("data-words", !known);
  say($("epoch"), known ? count(epoch) : "–");
  say($("of"), known ? `of ${count(epochs)} epochs` : state ? "" : waiting);
  const share = known ? Math.min(1, (epoch + within) / epochs) : 0;
  $("progress").hidden = !known;
  $("progress").setAttribute("aria-valuenow", Math.round(share * 100));
  $("progress-bar").style.width = `${share * 100}%`;
  const busy = state && BUSY.has(state.phase) && within > 0;
  document.title = known ? `${epoch}/${epochs} · ${PHASES[state.phase]}` : "Learning to draw digits";
  say($("step"), busy ? `Step ${count(step)} of ${count(steps)} in epoch ${count(epoch + 1)}` : "");
}

function figures(state, row, stale) {
  if (!state) return [];
  const list = [];
  const left = state.seconds_left;
  if (left !== null && BUSY.has(state.phase) && !stale) {
    list.push(["Time left", duration(left), `done about ${clock(left)}`]);
  }
  if (row?.seconds != null) list.push(["An epoch takes", lasts(row.seconds), ""]);
  const pace = state.images_per_second ?? row?.images_per_second ?? null;
  if (pace !== null) list.push(["Images a second", speed(pace), ""]);
  if (row?.legible != null) list.push(["Legible", percent(row.legible), `after epoch ${row.epoch}`]);
  return list;
}

function figure([name, value, note]) {
  return [el("div", {}, el("dt", {}, name), el("dd", {}, value, note ? el("small", {}, note) : null))];
}

function showMachine(state, settings, row) {
  const devices = state?.devices ?? [];
  $("machine").hidden = !state || !(devices.length || state.backend);
  if (!state) return;
  fill($("devices"), [devices, row?.memory_bytes], () => devices.map((one) => device(one, devices, row)));
  $("gain").hidden = !state.gain?.note;
  fill($("gain"), state.gain, () => (state.gain ? gain(state.gain) : []));
  const words = [
    state.backend,
    state.precision,
    state.strategy === "mirrored" ? "all cards together" : null,
    settings.recipe ? `recipe ${settings.recipe}` : null,
    settings.batch ? `batch ${settings.batch}` : null,
    Number.isFinite(settings.seed) ? `seed ${settings.seed}` : null,
  ];
  say($("small"), words.filter(Boolean).join(" · "));
}

export const isProcessor = ({ name }) => /^cpu/i.test(name ?? "");

function device(one, all, row) {
  const memory =
    one.memory_bytes === null
      ? null
      : all.length === 1 && row?.memory_bytes
        ? `${bytes(row.memory_bytes)} of ${bytes(one.memory_bytes)}`
        : bytes(one.memory_bytes);
  const notes = [
    one.name,
    isProcessor(one) ? "the processor" : null,
    one.compute_capability === null ? null : `compute capability ${one.compute_capability}`,
    memory,
  ];
  const share = all.length > 1 && one.share !== null ? shareBar(one.share) : null;
  const name = one.kind ?? one.name ?? "a device without a name";
  return el("li", {}, el("b", {}, name), el("span", {}, notes.filter(Boolean).join(" · ")), share);
}

function shareBar(share) {
  const bar = el("i");
  bar.style.width = percent(share).replace(" ", "");
  return el("span", { class: "share" }, el("span", { class: "track" }, bar), `${percent(share)} of each batch`);
}

function gain({ note, ratio, alone, together }) {
  const kind = ratio === null ? "even" : ratio >= 1.02 ? "won" : ratio <= 0.98 ? "lost" : "even";
  const each = Object.entries(alone).filter(([, value]) => value !== null);
  const speeds = each.map(([name, value]) => `${name} alone ${speed(value)}`);
  if (together !== null) speeds.push(`together ${speed(together)}`);
  const badge = ratio === null ? null : el("b", { class: "ratio", "data-gain": kind }, `× ${ratio.toFixed(2)}`);
  const numbers = speeds.length ? el("small", {}, `${speeds.join(", ")} images a second`) : null;
  return [badge, el("span", {}, note ?? "", numbers)].filter(Boolean);
}

function alarms(state, problem, settings, silent) {
  const list = [];
  if (state?.phase === "failed") list.push(failure(state));
  if (problem?.startsWith("reading")) {
    list.push({ kind: "warn", title: "The run folder cannot be read whole", text: `${problem}.` });
  }
  if (silent !== null) {
    const text = "The training may have been cut off. When it is started again it goes on from its last checkpoint.";
    list.push({ kind: "warn", title: `No sign of life for ${duration(Math.floor(silent))}`, text });
  }
  const devices = state?.devices ?? [];
  if (devices.length && devices.every(isProcessor) && settings.device !== "cpu" && state.phase !== "failed") {
    const runs = BUSY.has(state.phase) ? "This trains" : "This trained";
    const text = "It found none that it can use. Which cards it is given stands in machine.toml, under dcgan.";
    list.push({ kind: "warn", title: `${runs} on the processor, not on a graphics card`, text });
  }
  return list;
}

function failure({ message, exit_code: code }) {
  const follows = [EXITS[code], code === null ? null : `Exit code ${code}.`].filter(Boolean).join(" ");
  return { kind: "bad", title: "The training failed", text: message ?? "It gave no reason.", follows };
}

function alarm({ kind, title, text, follows }) {
  const after = follows ? el("p", { class: "follows" }, follows) : null;
  return el("div", { class: "alarm", "data-kind": kind }, el("b", {}, title), el("p", {}, text), after);
}
