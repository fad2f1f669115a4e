// Keeps the page up to date: by server-sent events, and where they break by asking every few seconds.

const SILENCE = 12_000; // the server says something every 5 s: after this long the stream is broken
const ASK_EVERY = 3_000;
const ASK_AGAIN = 6_000;
const TRY_EVENTS = 30_000;

export class Live {
  // hear: {state, pictures, epochs, link}; known() names the run and the last epoch that the page has.
  constructor(hear, known) {
    this.hear = hear;
    this.known = known;
    this.source = null;
    this.asking = null;
    this.again = null;
    this.heard = performance.now();
  }

  start() {
    setInterval(() => this.watch(), 1000);
    // A page that nobody sees takes no place among the listeners, of which there are few.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.listen()));
    if (!document.hidden) this.listen();
  }

  rest() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.asking);
    clearTimeout(this.again);
    this.asking = this.again = null;
  }

  listen() {
    this.source?.close();
    this.heard = performance.now();
    const source = (this.source = new EventSource("/api/events"));
    for (const name of ["state", "pictures", "epochs"]) {
      source.addEventListener(name, (event) => this.take(source, name, event.data));
    }
    source.addEventListener("error", () => {
      if (source !== this.source) return;
      if (source.readyState === EventSource.CLOSED) this.fallBack();
      else if (this.asking === null) this.hear.link("again");
    });
  }

  take(source, name, data) {
    if (source !== this.source) return;
    this.heard = performance.now();
    clearTimeout(this.asking);
    this.asking = null;
    this.hear.link("live");
    this.hear[name](JSON.parse(data));
  }

  watch() {
    if (this.source && performance.now() - this.heard > SILENCE) this.fallBack();
  }

  fallBack() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.again);
    this.again = setTimeout(() => this.listen(), TRY_EVENTS);
    if (this.asking === null) this.ask();
  }

  async ask() {
    this.asking = 0;
    const fine = await this.askOnce().then(() => true, () => false);
    if (this.asking === null || document.hidden) return; // events are back, or nobody looks
    this.hear.link(fine ? "asking" : "lost");
    this.asking = setTimeout(() => this.ask(), fine ? ASK_EVERY : ASK_AGAIN);
  }

  async askOnce() {
    const { pictures, ...state } = await get("/api/state");
    const { run, last } = this.known();
    let news = await get(`/api/metrics?after=${last}`);
    const reset = news.run !== run || news.last < last;
    if (reset && last > 0) news = await get("/api/metrics?after=0");
    this.hear.state(state);
    this.hear.pictures(pictures);
    this.hear.epochs({ run: news.run, reset, epochs: news.epochs });
  }
}

async function get(address) {
  const answer = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.json();
}
