// The embedding map: a canvas to zoom and move, thumbnails under the pointer. Everything in it is found by search, too.

const atlas = document.querySelector(".atlas");
const canvas = atlas.querySelector("canvas");
const peek = atlas.querySelector(".peek");
const legend = document.querySelector(".legend");
const colour = document.getElementById("colour");
const pen = canvas.getContext("2d");
// Told apart by most colour-blind eyes (Okabe and Ito), and by shape: pictures are squares, texts are dots.
const HUES = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#b59f00", "#8c6bb1", "#7f7f7f"];
const names = new Map(atlas.dataset.languages.split(";").map((pair) => pair.split("=")));

let points = [];
let groups = new Map();
let view = { x: 0.5, y: 0.5, zoom: 1 };
let under = null;

function groupOf(point) {
  if (colour.value === "folder") return point.folder ?? "–";
  return point.kind === "picture" ? atlas.dataset.pictures : (names.get(point.language) ?? point.language ?? "–");
}

function regroup() {
  const counts = new Map();
  for (const point of points) counts.set(groupOf(point), (counts.get(groupOf(point)) ?? 0) + 1);
  const ordered = [...counts].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  groups = new Map(ordered.map((name, rank) => [name, HUES[Math.min(rank, HUES.length - 1)]]));
  legend.replaceChildren(...ordered.slice(0, HUES.length).map((name) => {
    const item = document.createElement("li");
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    mark.setAttribute("viewBox", "0 0 10 10");
    mark.setAttribute("width", "10");
    mark.setAttribute("height", "10");
    mark.setAttribute("aria-hidden", "true");
    const dot = document.createElementNS("http://www.w3.org/2000/svg", name === atlas.dataset.pictures ? "rect" : "circle");
    for (const [key, value] of Object.entries(dot.tagName === "rect" ? { width: 10, height: 10 } : { cx: 5, cy: 5, r: 5 })) dot.setAttribute(key, value);
    dot.setAttribute("fill", groups.get(name));
    mark.append(dot);
    item.append(mark, ` ${name}`);
    return item;
  }));
}

function size() {
  return { width: canvas.clientWidth, height: canvas.clientHeight, side: Math.min(canvas.clientWidth, canvas.clientHeight) * 0.94 };
}

function seen(point) {
  const { width, height, side } = size();
  return [width / 2 + (point.x - view.x) * side * view.zoom, height / 2 - (point.y - view.y) * side * view.zoom];
}

function draw() {
  const { width, height } = size();
  const sharp = devicePixelRatio || 1;
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  pen.scale(sharp, sharp);
  const half = Math.min(8, 2.5 * Math.sqrt(view.zoom));
  for (const point of points) {
    const [x, y] = seen(point);
    if (x < -9 || y < -9 || x > width + 9 || y > height + 9) continue;
    pen.fillStyle = groups.get(groupOf(point));
    pen.globalAlpha = point === under ? 1 : 0.75;
    if (point.kind === "picture") pen.fillRect(x - half, y - half, 2 * half, 2 * half);
    else { pen.beginPath(); pen.arc(x, y, half, 0, 7); pen.fill(); }
  }
}

function zoom(factor, at = null) {
  const { width, height, side } = size();
  const [x, y] = at ?? [width / 2, height / 2];
  const before = view.zoom;
  view.zoom = Math.min(60, Math.max(1, before * factor));
  const shift = (1 / before - 1 / view.zoom) / side;
  view.x += (x - width / 2) * shift;
  view.y -= (y - height / 2) * shift;
  draw();
}

function move(dx, dy) {
  const { side } = size();
  view.x = Math.min(1, Math.max(0, view.x - dx / (side * view.zoom)));
  view.y = Math.min(1, Math.max(0, view.y + dy / (side * view.zoom)));
  draw();
}

function near(event) {
  const best = { point: null, far: 14 * 14 };
  for (const point of points) {
    const [x, y] = seen(point);
    const far = (x - event.offsetX) ** 2 + (y - event.offsetY) ** 2;
    if (far < best.far) Object.assign(best, { point, far });
  }
  return best.point;
}

function show(point, event) {
  if (point !== under) {
    under = point;
    draw();
    peek.hidden = !point;
    canvas.style.cursor = point ? "pointer" : "grab";
    if (!point) return;
    const picture = new Image();
    picture.src = point.thumbnail;
    picture.alt = "";
    const text = document.createElement("span");
    text.dir = "auto";
    text.textContent = point.text ?? "";
    peek.replaceChildren(picture, text);
  }
  if (!point) return;
  const { width } = size();
  peek.style.left = `${event.offsetX > width / 2 ? event.offsetX - peek.offsetWidth - 12 : event.offsetX + 12}px`;
  peek.style.top = `${Math.max(4, Math.min(event.offsetY, canvas.clientHeight - 170))}px`;
}

let held = null;
canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: 0 }; canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  if (!held) { show(near(event), event); return; }
  held.moved += Math.abs(event.clientX - held.x) + Math.abs(event.clientY - held.y);
  move(event.clientX - held.x, event.clientY - held.y);
  Object.assign(held, { x: event.clientX, y: event.clientY });
});
canvas.addEventListener("pointerup", (event) => {
  const point = held && held.moved < 5 ? near(event) : null;
  held = null;
  if (point) {
    const [path, query] = atlas.dataset.view.split("?");
    location.href = `${path}${encodeURIComponent(point.item_id)}${query ? `?${query}` : ""}`;
  }
});
canvas.addEventListener("pointerleave", () => show(null));
canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, [event.offsetX, event.offsetY]); }, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
  if (step) move(...step);
  else if (event.key === "+") zoom(1.5);
  else if (event.key === "-") zoom(1 / 1.5);
  else return;
  event.preventDefault();
});
document.getElementById("nearer").addEventListener("click", () => zoom(1.5));
document.getElementById("farther").addEventListener("click", () => zoom(1 / 1.5));
document.getElementById("whole").addEventListener("click", () => { view = { x: 0.5, y: 0.5, zoom: 1 }; draw(); });
colour.addEventListener("change", () => { regroup(); draw(); });

async function laidOut(method) {
  const wanted = new URLSearchParams({ limit: "500", method });
  if (atlas.dataset.collection) wanted.set("collection", atlas.dataset.collection);
  const response = await fetch(`/map?${wanted}`);
  return response.ok ? (await response.json()).points : [];
}

function place(laid) {
  points = laid;
  under = null;
  peek.hidden = true;
  regroup();
  draw();
}

// A first layout comes at once; the better one takes seconds, and replaces it. The points are the same.
const progress = document.querySelector(".progress");
atlas.hidden = false;
progress.textContent = atlas.dataset.wait;
const first = await laidOut("pca");
if (first.length) {
  place(first);
  document.querySelector(".controls").hidden = false;
  new ResizeObserver(draw).observe(canvas);
  progress.textContent = atlas.dataset.better;
  const better = await laidOut("auto");
  if (better.length) place(better);
}
progress.textContent = first.length ? "" : atlas.dataset.empty;
atlas.dataset.done = "";
