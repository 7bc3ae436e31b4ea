// Without this script every picture is a link to its file. With it, pictures open in place: the arrow keys go from
// seed to seed in the same spot (what moves is what differs), and rows of seeds scroll together.
"use strict";

document.documentElement.classList.add("scripted");

const rows = [...document.querySelectorAll("[data-row]")]
  .map((row) => [...row.querySelectorAll("a.picture")])
  .filter((row) => row.length > 0);
const pictures = rows.flat();

const viewer = document.createElement("dialog");
viewer.className = "viewer";
viewer.setAttribute("aria-label", "Picture");
viewer.innerHTML = `<div class="viewer-bar"><p aria-live="polite"></p>
<button type="button" data-go="-1" aria-label="previous picture">←</button>
<button type="button" data-go="1" aria-label="next picture">→</button>
<a>file</a><button type="button" data-close>close</button></div><img alt="">`;
const [words, file, image] = ["p", "a", "img"].map((name) => viewer.querySelector(name));
let current = null;

function show(link) {
  if (!link) return;
  current = link;
  const picture = link.querySelector("img");
  const heading = link.closest(".row")?.querySelector("h2, h3")?.textContent;
  const title = link.dataset.seed && heading ? `${link.dataset.called ?? `seed ${link.dataset.seed}`} · ${heading}` : picture.alt;
  words.textContent = title;
  image.src = file.href = link.href;
  image.alt = picture.alt;
  for (const step of [-1, 1]) new Image().src = pictures[pictures.indexOf(link) + step]?.href ?? link.href;
  if (!viewer.open) viewer.showModal();
}

function beside(step) {
  return pictures[pictures.indexOf(current) + step];
}

function inNextRow(step) {
  const column = rows.find((row) => row.includes(current)).indexOf(current);
  for (let i = rows.findIndex((row) => row.includes(current)) + step; rows[i]; i += step) {
    const same = rows[i].find((link) => link.dataset.seed === current.dataset.seed);
    if (!current.closest(".row")) return rows[i][Math.min(column, rows[i].length - 1)];
    if (same) return same;
  }
  return undefined;
}

if (pictures.length > 0) {
  document.body.append(viewer);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.picture");
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!pictures.includes(link) || !plain) return;
    event.preventDefault();
    show(link);
  });
  viewer.addEventListener("click", (event) => {
    if (event.target.dataset.go) show(beside(Number(event.target.dataset.go)));
    if ("close" in event.target.dataset || event.target === image) viewer.close();
  });
  viewer.addEventListener("keydown", (event) => {
    const next = { ArrowLeft: () => beside(-1), ArrowRight: () => beside(1) }[event.key];
    const other = { ArrowUp: () => inNextRow(-1), ArrowDown: () => inNextRow(1) }[event.key];
    if (!next && !other) return;
    event.preventDefault();
    show((next ?? other)());
  });
  viewer.addEventListener("close", () => {
    current.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    current.focus();
  });
}

const strips = [...document.querySelectorAll(".strip")];
let led = null;
for (const strip of strips) {
  for (const start of ["pointerenter", "touchstart", "focusin", "wheel"]) {
    strip.addEventListener(start, () => { led = strip; }, { passive: true });
  }
  strip.addEventListener("scroll", () => {
    if (led !== strip) return;
    for (const other of strips) if (other !== strip) other.scrollLeft = strip.scrollLeft;
  }, { passive: true });
}
