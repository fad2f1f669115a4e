"use strict";
// Reads values off the curves, filters the checks, and opens what a link leads to or a printer
// is given. The page can be read without any of it.
for (const svg of document.querySelectorAll(".plot svg")) {
  const box = svg.viewBox.baseVal, group = svg.querySelector("g");
  const said = svg.closest("figure").querySelector("output");
  const unit = svg.dataset.unit, across = svg.dataset.across;
  let curves, cursor;
  const read = () => [...group.querySelectorAll("path")].map((path) => ({
    name: path.querySelector("title").textContent,
    points: [...path.getAttribute("d").matchAll(/[ML](\S+) ([\d.]+)/g)].map((m) => [+m[1], +m[2]]),
  }));
  const leave = () => { said.textContent = ""; if (cursor) cursor.remove(); cursor = undefined; };
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("pointermove", (event) => {
    curves ??= read();
    const at = svg.getBoundingClientRect();
    const x = Math.min(1, Math.max(0, (event.clientX - at.left) / at.width)) * box.width;
    const near = curves.map((curve) => ({
      name: curve.name,
      point: curve.points.reduce((best, one) => !best || Math.abs(one[0] - x) < Math.abs(best[0] - x) ? one : best, null),
    })).filter((one) => one.point && Math.abs(one.point[0] - x) <= box.width / 40);
    if (!near.length) return leave();
    if (!cursor) group.append(cursor = document.createElementNS("http://www.w3.org/2000/svg", "line"));
    for (const [name, value] of [["x1", x], ["x2", x], ["y1", 0], ["y2", box.height]]) cursor.setAttribute(name, value);
    const when = across ? `${Math.round(x * 10) / 10} ${across}` : `epoch ${Math.round(x)}`;
    said.textContent = [when, ...near.map((one) => `${one.name} ${Math.round(one.point[1] * 100) / 100}${unit ? " " + unit : ""}`)].join(" · ");
  });
}

const filter = document.querySelector("#filter");
if (filter) {
  filter.hidden = false;
  const checks = [...document.querySelectorAll(".check")].map((one) => ({
    one, outcome: [..."pfn"].find((name) => one.classList.contains(name)), text: one.textContent.toLowerCase(),
  }));
  const apply = () => {
    const word = filter.querySelector("[type=search]").value.trim().toLowerCase();
    const wanted = new Set([...filter.querySelectorAll(":checked")].map((box) => box.value));
    let shown = 0;
    for (const { one, outcome, text } of checks) {
      one.hidden = !(wanted.has(outcome) && text.includes(word));
      shown += !one.hidden;
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector(".check:not([hidden])");
      if (word) group.open = true;
    }
    filter.querySelector("output").textContent = shown === checks.length ? "" : `${shown} of ${checks.length}`;
  };
  filter.addEventListener("input", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
}

const reveal = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target || !target.matches("details")) return;
  for (let one = target; one; one = one.parentElement) { one.hidden = false; if (one.matches("details")) one.open = true; }
  target.scrollIntoView({ block: "center" });
};
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
