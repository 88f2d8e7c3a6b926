// What the page can do beyond links and forms: it works without all of this.
import { watchWall } from "./wall.js";
import { watchPictures } from "./pictures.js";
import { offerSpeech } from "./speech.js";

const root = document.documentElement;
root.classList.add("js");

const status = document.getElementById("status");
const panel = document.getElementById("panel");
const views = document.querySelector(".views");
const wide = matchMedia("(min-width: 64rem)");

export function announce(text) {
  status.textContent = "";
  setTimeout(() => { status.textContent = text; }, 60);
}

function gone(shown) {
  document.getElementById("gone").hidden = !shown;
}

async function fetched(address, signal) {
  try {
    const response = await fetch(address, { signal, headers: { Accept: "text/html" } });
    if (!(response.headers.get("content-type") || "").startsWith("text/html")) { location.href = address; return null; }
    gone(false);
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch (error) {
    if (error.name !== "AbortError") gone(true);
    return null;
  }
}

// -- results ---------------------------------------------------------------------------------------------------

let running = null;

/** Shows the page of an address in place of this one; only what differs is exchanged. */
async function show(address, { push = true, focus = true } = {}) {
  running?.abort();
  running = new AbortController();
  document.body.setAttribute("aria-busy", "true");
  const page = await fetched(address, running.signal);
  document.body.removeAttribute("aria-busy");
  if (!page) return;
  if (push) history.pushState({}, "", address);
  closePanel(false);
  document.title = page.title;
  const typed = document.activeElement?.id === "q" && !focus ? document.activeElement.value : null;
  for (const selector of [".top", ".bar", "main"]) {
    const here = document.querySelector(selector);
    const there = page.querySelector(selector);
    if (here && there) here.replaceWith(there);
    else if (here && !there && selector === ".bar") here.remove();
    else if (!here && there) views.before(there);
  }
  if (typed !== null) document.getElementById("q").value = typed;
  prepare();
  const said = document.querySelector("main [data-status]");
  announce(said ? said.textContent.trim().replace(/\s+/g, " ") : document.title);
  if (focus) {
    document.querySelector("main").focus({ preventScroll: true });
    scrollTo({ top: 0 });
  }
}

function ours(link) {
  return link.origin === location.origin && link.pathname === "/" && !link.hasAttribute("data-whole") && !link.target;
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.matches(".tile") && wide.matches && document.querySelector("main .wall") && !document.querySelector("main .item") && !panel.contains(link)) {
    event.preventDefault();
    openPanel(link.href, link);
  } else if (panel.contains(link) && link.matches(".tile, .passages a")) {
    event.preventDefault();
    openPanel(link.href);
  } else if (ours(link) && document.getElementById("search")) {
    event.preventDefault();
    show(link.href);
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id !== "search") return;
  event.preventDefault();
  const pairs = [...new FormData(form)].filter(([, value]) => String(value).trim());
  show(`/?${new URLSearchParams(pairs)}`, { focus: false });
});

addEventListener("popstate", () => {
  if (location.pathname.startsWith("/view/") && views.classList.contains("open")) openPanel(location.href, null, false);
  else if (views.classList.contains("open") && location.href === results) closePanel(false);
  else if (location.pathname === "/" && document.getElementById("search")) show(location.href, { push: false });
  else location.reload();
});

// -- one item beside the results ---------------------------------------------------------------------------------

let opener = null;
let results = location.href;

async function openPanel(address, link = null, push = true) {
  const page = await fetched(address);
  const article = page?.getElementById("item");
  if (!article) { if (page) location.href = address; return; }
  if (!views.classList.contains("open")) results = location.href;
  if (link) {
    opener?.removeAttribute("aria-current");
    opener = link;
    link.setAttribute("aria-current", "true");
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = panel.dataset.close;
  close.addEventListener("click", () => closePanel(true));
  panel.replaceChildren(close, article);
  panel.hidden = false;
  views.classList.add("open");
  if (push) history.pushState({}, "", address);
  panel.scrollTop = 0;
  article.querySelector("h1").focus({ preventScroll: true });
  opener?.scrollIntoView({ block: "nearest" });
}

function closePanel(push) {
  if (panel.hidden) return;
  panel.hidden = true;
  panel.replaceChildren();
  views.classList.remove("open");
  if (push) history.pushState({}, "", results);
  opener?.removeAttribute("aria-current");
  opener?.focus();
  opener = null;
}

// -- keys --------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=checkbox]), textarea, select");
  if (event.key === "Escape") {
    const menu = document.querySelector(".languages[open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); return; }
    if (!panel.hidden) { event.preventDefault(); closePanel(true); return; }
    const back = document.querySelector("main [data-back]");
    if (back && !typing) back.click();
    return;
  }
  if (typing || event.metaKey || event.ctrlKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const box = document.getElementById("q");
    if (box) { event.preventDefault(); box.focus(); box.select(); }
  } else if (event.key === "?") {
    document.getElementById("keys").showModal();
  } else if (event.key === "m") {
    const tile = document.activeElement?.closest?.(".tile");
    const more = tile?.dataset.more ?? document.querySelector("#item [data-more]")?.href;
    if (!more) return;
    if (document.getElementById("search")) show(more); else location.href = more;
  }
});

document.addEventListener("click", (event) => {
  const menu = document.querySelector(".languages[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});

function prepare() {
  watchPictures();
  offerSpeech();
}

watchWall();
prepare();
const said = document.querySelector("main [data-status]");
if (said) announce(said.textContent.trim().replace(/\s+/g, " "));
if (document.getElementById("ask")) import("./ask.js");
if (document.querySelector(".atlas")) import("./atlas.js");
