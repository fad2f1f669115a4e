// The grid of samples, the slider over its epochs, and the GIF.

import { $, calm, say } from "./dom.js";

const KEPT = 200; // pictures that are loaded ahead

export class Pictures {
  constructor() {
    this.versions = {};
    this.epochs = [];
    this.at = -1;
    this.timer = null;
    this.loaded = new Map();
    $("slider").addEventListener("input", () => {
      this.stop();
      this.show(Number($("slider").value));
    });
    $("play").addEventListener("click", () => (this.timer === null ? this.play() : this.stop()));
    $("motion-toggle").addEventListener("click", () => this.motion($("gif").hidden));
    $("grid").addEventListener("error", () => this.broken());
  }

  set({ samples, gif }) {
    const follows = this.at === this.epochs.length - 1;
    const epoch = this.epochs[this.at];
    this.versions = samples;
    this.epochs = Object.keys(samples).map(Number).sort((a, b) => a - b);
    const slider = $("slider");
    slider.max = Math.max(0, this.epochs.length - 1);
    slider.disabled = $("play").disabled = this.epochs.length < 2;
    if (this.timer === null || !this.epochs.includes(epoch)) {
      this.show(follows || !this.epochs.includes(epoch) ? this.epochs.length - 1 : this.epochs.indexOf(epoch));
    }
    this.setGif(gif);
    this.loadAhead();
  }

  address(epoch) {
    return `/samples/${epoch}.png?v=${this.versions[epoch]}`;
  }

  show(at) {
    this.at = at;
    const epoch = this.epochs[at];
    const none = epoch === undefined;
    $("frame").toggleAttribute("data-empty", none);
    $("grid").hidden = none;
    say($("film-epoch"), none ? "" : epoch === 0 ? "before the first epoch" : `epoch ${epoch}`);
    if (none) return;
    const slider = $("slider");
    if (Number(slider.value) !== at) slider.value = at;
    slider.setAttribute("aria-valuetext", epoch === 0 ? "before the first epoch" : `epoch ${epoch}`);
    slider.style.setProperty("--at", `${this.epochs.length > 1 ? (at / (this.epochs.length - 1)) * 100 : 0}%`);
    const image = $("grid");
    if (image.getAttribute("src") !== this.address(epoch)) image.src = this.address(epoch);
    image.alt = `What the network drew ${epoch === 0 ? "before it learned anything" : `after epoch ${epoch}`}`;
    image.dataset.epoch = epoch;
  }

  // The picture of that epoch, or of the last one before it.
  showEpoch(epoch) {
    this.stop();
    const place = this.epochs.findLastIndex((one) => one <= epoch);
    if (place >= 0) this.show(place);
  }

  broken() {
    $("grid").hidden = true;
    $("frame").toggleAttribute("data-empty", true);
    say($("frame-note"), `The picture of epoch ${this.epochs[this.at]} cannot be read.`);
  }

  play() {
    if (this.at >= this.epochs.length - 1) this.show(0);
    this.timer = setInterval(() => this.next(), calm() ? 1000 : 180);
    this.mark(true);
  }

  next() {
    if (this.at < this.epochs.length - 1) this.show(this.at + 1);
    if (this.at >= this.epochs.length - 1) this.stop();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.mark(false);
  }

  mark(playing) {
    $("play").toggleAttribute("data-playing", playing);
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  }

  // One after the other, newest first, so that the slider never waits and the training's machine hardly notices.
  async loadAhead() {
    if (this.loading) return;
    this.loading = true;
    for (let next = this.unloaded(); next !== undefined; next = this.unloaded()) {
      const image = new Image();
      image.src = next;
      this.loaded.set(next, image);
      await image.decode().catch(() => {});
    }
    this.loading = false;
  }

  unloaded() {
    const wanted = this.epochs.slice(-KEPT).map((epoch) => this.address(epoch));
    for (const address of this.loaded.keys()) if (!wanted.includes(address)) this.loaded.delete(address);
    return wanted.findLast((address) => !this.loaded.has(address));
  }

  setGif(version) {
    $("motion").hidden = !version;
    if (!version || version === this.gif) return;
    this.gif = version;
    $("gif-save").href = `/dcgan.gif?v=${version}`;
    this.motion(!calm());
  }

  // Shown only while it is wanted: what moves for ever can be stopped.
  motion(wanted) {
    const image = $("gif");
    image.hidden = !wanted;
    if (wanted) image.src = `/dcgan.gif?v=${this.gif}`;
    else image.removeAttribute("src");
    say($("motion-toggle"), wanted ? "Stop" : "Show");
  }
}
