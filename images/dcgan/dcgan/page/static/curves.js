// The curves of all epochs, the spread over the ten digits, and the same in numbers.

import { Chart, roundUp } from "./chart.js";
import { $, bytes, count, el, fill, lasts, loss, percent, say, speed } from "./dom.js";

const LISTED = 500; // rows of the table; the file has them all
const SPACE = 1.25; // the tallest bar leaves room above

const LOSSES = [
  { key: "generator_loss", name: "Generator" },
  { key: "discriminator_loss", name: "Discriminator" },
];
const LEGIBLE = [{ key: "legible", name: "Legible" }];

export class Curves {
  constructor(onPick) {
    this.rows = [];
    this.losses = chart($("losses"), LOSSES, {
      label: "Losses by epoch",
      domain: around,
      tick: (value) => (Math.abs(value) < 1e4 ? String(value) : value.toExponential(0)),
      show: (row, key) => loss(row[key]),
      onPick,
    });
    this.legible = chart($("legible"), LEGIBLE, {
      label: "Legible digits by epoch",
      domain: () => [0, 1],
      tick: percent,
      show: (row, key) => (row[key] === null ? "not scored" : percent(row[key])),
      onPick,
    });
  }

  add({ reset, epochs }) {
    const known = reset ? new Map() : new Map(this.rows.map((row) => [row.epoch, row]));
    for (const row of epochs) known.set(row.epoch, row);
    this.rows = [...known.values()].sort((a, b) => a.epoch - b.epoch);
    this.show();
  }

  show() {
    const scored = this.rows.filter((row) => row.legible !== null);
    const spread = this.rows.findLast((row) => row.digits !== null);
    $("curves").hidden = $("table").hidden = this.rows.length === 0;
    $("legible").hidden = scored.length === 0;
    $("spread").hidden = !spread;
    $("curves").dataset.columns = 1 + (scored.length > 0) + Boolean(spread);
    this.losses.set(this.rows);
    this.legible.set(scored);
    if (spread) bars(spread);
    fill($("rows"), this.rows, () => this.rows.slice(-LISTED).reverse().map(tableRow));
  }
}

function chart(section, series, { show, ...options }) {
  const readout = section.querySelector(".readout");
  const spans = series.map(({ name }, place) => {
    const value = el("b");
    const item = el("span", { class: `key s${place}` }, `${name} `, value);
    return { item, value };
  });
  const epoch = el("span", { class: "quiet" });
  readout.append(...spans.map(({ item }) => item), epoch);
  return new Chart(section.querySelector(".chart"), {
    series,
    ...options,
    read: (row) => `epoch ${row.epoch}: ${series.map(({ key, name }) => `${name} ${show(row, key)}`).join(", ")}`,
    onCursor: (row) => {
      series.forEach(({ key }, place) => say(spans[place].value, show(row, key)));
      say(epoch, `epoch ${row.epoch}`);
    },
  });
}

// From nought where that is near, with room above; a loss below nought shows too.
function around(values) {
  if (!values.length) return [0, 1];
  const high = values.reduce((a, b) => Math.max(a, b), 0);
  const low = values.reduce((a, b) => Math.min(a, b), 0);
  const top = roundUp(high > 0 ? high * 1.02 : 1);
  return [low < 0 ? -roundUp(-low) : 0, top];
}

function bars({ digits, epoch }) {
  const total = digits.reduce((a, b) => a + b, 0);
  const most = Math.max(...digits, 1);
  const section = $("spread");
  const missing = digits.flatMap((times, digit) => (times ? [] : [digit]));
  say(
    section.querySelector(".readout"),
    missing.length ? `never a ${missing.join(", ")} · epoch ${epoch}` : `all ten come up · epoch ${epoch}`,
  );
  fill(section.querySelector(".bars"), digits, () => digits.map((times, digit) => bar(times, digit, most, total)));
  section.querySelector(".bars").style.setProperty("--even-share", total / 10 / (most * SPACE));
}

function bar(times, digit, most, total) {
  const share = total ? times / total : 0;
  const column = el("span", { class: "column" });
  column.style.height = `${(times / (most * SPACE)) * 100}%`;
  const label = `${digit}: ${count(times)}, ${percent(share)}`;
  const shaft = el("span", { class: "shaft" }, column);
  return el("li", { title: label, "aria-label": label }, shaft, el("span", {}, digit));
}

function tableRow(row) {
  const or = (value, words) => (value === null ? "–" : words(value));
  const cells = [
    or(row.seconds, lasts),
    or(row.images_per_second, speed),
    loss(row.generator_loss),
    loss(row.discriminator_loss),
    or(row.legible, percent),
    or(row.memory_bytes, bytes),
    or(row.device, String),
  ];
  return el("tr", {}, el("th", { scope: "row" }, row.epoch), ...cells.map((cell) => el("td", {}, cell)));
}
