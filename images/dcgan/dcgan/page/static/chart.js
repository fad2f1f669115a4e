// A line chart over epochs, drawn as SVG: axes, lines with their points, and a cursor that the pointer,
// the arrow keys and nothing else move. The caller shows what the cursor stands on.

import { svg } from "./dom.js";

const HEIGHT = 240;
const MARGIN = { top: 10, right: 12, bottom: 26, left: 44 };
const STEP_KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class Chart {
  // series: [{key, name}], domain(values) → [low, high], tick(value) → text, read(row) → text for a
  // screen reader, onCursor(row, chosen), onPick(epoch)
  constructor(host, options) {
    Object.assign(this, options);
    this.rows = [];
    this.at = null; // the row's place under the cursor; null: the latest
    this.root = svg("svg", { tabindex: 0, role: "slider", "aria-label": this.label, height: HEIGHT });
    host.append(this.root);
    new ResizeObserver(() => this.resize(host.clientWidth)).observe(host);
    this.listen();
    this.resize(host.clientWidth);
  }

  set(rows) {
    this.rows = rows;
    if (this.at !== null && this.at >= rows.length) this.at = null;
    this.draw();
  }

  resize(width) {
    if (!width || width === this.width) return;
    this.width = width;
    this.root.setAttribute("width", width);
    this.root.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.draw();
  }

  listen() {
    const root = this.root;
    root.addEventListener("pointermove", (event) => this.move(this.nearest(event)));
    root.addEventListener("pointerdown", (event) => this.move(this.nearest(event)));
    root.addEventListener("pointerleave", () => this.move(null));
    root.addEventListener("blur", () => this.move(null));
    root.addEventListener("click", () => this.pick());
    root.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const last = this.rows.length - 1;
    const now = this.at ?? last;
    if (event.key in STEP_KEYS) this.move(Math.min(last, Math.max(0, now + STEP_KEYS[event.key])));
    else if (event.key === "Home") this.move(0);
    else if (event.key === "End" || event.key === "Escape") this.move(null);
    else if (event.key === "Enter" || event.key === " ") this.pick();
    else return;
    event.preventDefault();
  }

  nearest(event) {
    if (!this.rows.length || !this.x) return null;
    const x = event.clientX - this.root.getBoundingClientRect().left;
    const gap = (row) => Math.abs(this.x(row.epoch) - x);
    return this.rows.reduce((best, row, place) => (gap(row) < gap(this.rows[best]) ? place : best), 0);
  }

  pick() {
    const row = this.rows[this.at ?? this.rows.length - 1];
    if (row) this.onPick(row.epoch);
  }

  move(at) {
    this.at = at;
    this.drawCursor();
  }

  draw() {
    if (!this.width) return;
    const values = this.rows.flatMap((row) => this.series.map(({ key }) => row[key])).filter((v) => v !== null);
    const [low, high] = this.domain(values);
    const first = this.rows.length ? this.rows[0].epoch : 1;
    const last = Math.max(first + 4, this.rows.length ? this.rows.at(-1).epoch : 0);
    this.x = scale(first, last, MARGIN.left, this.width - MARGIN.right);
    this.y = scale(low, high, HEIGHT - MARGIN.bottom, MARGIN.top);
    this.cursor = svg("g", { class: "cursor" });
    this.root.replaceChildren(
      ...this.levels(ticks(low, high, 4)),
      ...this.epochs(ticks(first, last, this.width / 64).filter(Number.isInteger)),
      this.cursor,
      ...this.series.flatMap((one, place) => this.line(one, place)),
    );
    this.drawCursor();
  }

  levels(values) {
    const right = this.width - MARGIN.right;
    return values.flatMap((value) => [
      svg("line", { class: "level", x1: MARGIN.left, x2: right, y1: this.y(value), y2: this.y(value) }),
      svg("text", { x: MARGIN.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, this.tick(value)),
    ]);
  }

  epochs(values) {
    return values.map((value) =>
      svg("text", { x: this.x(value), y: HEIGHT - 6, "text-anchor": "middle" }, String(value)),
    );
  }

  line({ key }, place) {
    const points = this.rows.filter((row) => row[key] !== null);
    let pen = "M";
    const path = this.rows.map((row) => {
      if (row[key] === null) return (pen = "M") && ""; // a value that is none breaks the line
      const piece = `${pen}${this.x(row.epoch).toFixed(1)} ${this.y(row[key]).toFixed(1)}`;
      pen = "L";
      return piece;
    });
    const roomy = this.rows.length <= (this.width - MARGIN.left) / 9;
    const dots = roomy || points.length < 3 ? points : [];
    const dot = (row) => ({ "data-series": key, r: 2.2, cx: this.x(row.epoch), cy: this.y(row[key]) });
    return [
      svg("path", { class: `line s${place}`, d: path.join(""), "data-series": key, "data-points": points.length }),
      ...dots.map((row) => svg("circle", { class: `dot s${place}`, ...dot(row) })),
    ];
  }

  drawCursor() {
    const last = this.rows.length - 1;
    const row = this.rows[this.at ?? last];
    if (!row || !this.cursor) return;
    const x = this.x(row.epoch);
    const parts = this.at === null ? [] : [svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom })];
    this.series.forEach(({ key }, place) => {
      if (row[key] === null) return;
      parts.push(svg("circle", { class: `here s${place}`, cx: x, cy: this.y(row[key]), r: 4.5 }));
    });
    this.cursor.replaceChildren(...parts);
    this.root.setAttribute("aria-valuemin", this.rows[0].epoch);
    this.root.setAttribute("aria-valuemax", this.rows[last].epoch);
    this.root.setAttribute("aria-valuenow", row.epoch);
    this.root.setAttribute("aria-valuetext", this.read(row));
    this.onCursor(row, this.at !== null);
  }
}

function scale(from, to, start, end) {
  const unit = (end - start) / (to - from || 1);
  return (value) => start + (value - from) * unit;
}

// Round values within the bounds, about as many as asked for.
export function ticks(low, high, about) {
  const rough = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const found = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) {
    found.push(Number((place * step).toPrecision(12)));
  }
  return found;
}

export function roundUp(value) {
  const all = ticks(0, value, 4);
  const step = all.length > 1 ? all[1] - all[0] : value;
  return Math.ceil(value / step - 1e-9) * step;
}
