// Elements and words: what every part of the page is made with. All text goes in as text, never as HTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function svg(tag, attributes = {}, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

// Sets text only where it differs, so that a reader's selection and a screen reader are left in peace.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Rebuilds children only when what they are made from has changed.
const made = new WeakMap();
export function fill(element, source, build) {
  const key = JSON.stringify(source);
  if (made.get(element) === key) return;
  made.set(element, key);
  element.replaceChildren(...build());
}

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const count = (value) => plain.format(value);
export const percent = (share) => `${Math.round(share * 100)} %`;
export const bytes = (value) =>
  value >= 2 ** 30 ? `${(value / 2 ** 30).toFixed(1)} GiB` : `${count(value / 2 ** 20)} MiB`;

export function speed(value) {
  return value < 10 ? value.toFixed(1) : count(value);
}

export function loss(value) {
  if (value === null) return "no number";
  return Math.abs(value) < 1000 ? value.toFixed(3) : value.toExponential(1);
}

// How long something takes, to a tenth of a second where that is all there is.
export const lasts = (seconds) => (seconds < 100 ? `${seconds.toFixed(1)} s` : duration(seconds));

export function duration(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 100 ? `${hours} h ${minutes % 60} min` : `${count(hours / 24)} days`;
}

export function clock(seconds) {
  const then = new Date(Date.now() + seconds * 1000);
  const time = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const today = then.toDateString() === new Date().toDateString();
  const day = then.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" });
  return today ? time : `${day}, ${time}`;
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
