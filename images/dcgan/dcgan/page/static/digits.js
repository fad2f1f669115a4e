// The button for new digits, and what came of it.

import { $, el, percent, say } from "./dom.js";

const SURE = 0.9;

export class Digits {
  constructor() {
    this.can = false;
    this.busy = false;
    this.last = null;
    $("order").addEventListener("submit", (event) => {
      event.preventDefault();
      this.draw();
    });
    $("keep-seed").addEventListener("click", () => {
      $("seed").value = this.last.seed;
      say($("draw-note"), `Seed ${this.last.seed} is kept: the same seed gives the same digits from the same epoch.`);
    });
  }

  allow(can) {
    if (can && !this.can && !this.last) {
      say($("draw-note"), "Each seed gives other digits; the same seed the same ones.");
    }
    this.can = can;
    this.mark();
  }

  mark() {
    $("draw").disabled = !this.can || this.busy;
    say($("draw"), this.busy ? "Drawing" : "Draw");
  }

  async draw() {
    if (this.busy || !this.can) return;
    this.busy = true;
    this.mark();
    try {
      this.show(await order(Number($("how-many").value), $("seed").value.trim()));
    } catch (error) {
      say($("draw-note"), `Not drawn: ${error.message}.`);
    }
    this.busy = false;
    this.mark();
  }

  show(drawing) {
    this.last = drawing;
    const sure = drawing.digits.filter(({ confidence }) => confidence >= SURE).length;
    say($("draw-note"), `${sure} of ${drawing.count} legible · epoch ${drawing.epoch} · seed ${drawing.seed}`);
    $("drawn").replaceChildren(...drawing.digits.map(tile));
    const save = $("save");
    save.href = `data:image/png;base64,${drawing.image}`;
    save.download = `digits-epoch-${drawing.epoch}-seed-${drawing.seed}.png`;
    $("keep").hidden = false;
  }
}

function tile({ image, reads, confidence }) {
  const sure = confidence >= SURE;
  const words = sure ? `reads as ${reads}` : `hard to read, perhaps ${reads}`;
  return el(
    "li",
    { class: sure ? "sure" : "unsure", title: `${words}, ${percent(confidence)} sure` },
    el("img", { src: `data:image/png;base64,${image}`, alt: `a drawn digit, ${words}`, width: 56, height: 56 }),
    el("span", { class: "reads" }, el("b", {}, sure ? reads : `${reads}?`), ` ${percent(confidence)}`),
  );
}

async function order(count, seed) {
  if (seed !== "" && !(/^\d{1,10}$/.test(seed) && Number(seed) < 2 ** 32)) {
    throw new Error("the seed is to be a whole number below 4,294,967,296, or left empty");
  }
  const body = JSON.stringify({ count, seed: seed === "" ? null : Number(seed) });
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/api/digits", { method: "POST", headers, body }).catch(() => {
    throw new Error("the page's server does not answer");
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error);
  return said;
}
