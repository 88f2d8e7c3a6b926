// Shows an answer as it comes, and its citations as links once they were checked.

const form = document.getElementById("ask");
const place = document.getElementById("answer");
let running = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = form.elements.q.value.trim();
  if (question) ask(question);
});

async function ask(question) {
  running?.abort();
  running = new AbortController();
  const text = element("p", "answer", place.dataset.wait);
  text.dir = "auto";
  place.replaceChildren(text);
  place.setAttribute("aria-busy", "true");
  const body = { question };
  if (form.elements.collection) body.collection = form.elements.collection.value;
  try {
    const response = await fetch("/ask", {
      method: "POST", signal: running.signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(response.statusText);
    let said = "";
    for await (const { event, data } of events(response)) {
      if (event === "piece") text.textContent = said += data.text;
      else if (event === "answer") show(data);
      else throw new Error(data.detail);
    }
  } catch (error) {
    if (error.name !== "AbortError") text.textContent = place.dataset.failed;
  }
  place.setAttribute("aria-busy", "false");
}

/** Server-sent events of a response: a name and the JSON of each. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const event = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (event && data) yield { event, data: JSON.parse(data) };
    }
  }
}

function show(answer) {
  const said = place.dataset;
  const text = element("p", "answer");
  text.dir = "auto";
  text.lang = answer.language;
  const cited = new Map(answer.citations.map((one) => [String(one.number), address(one)]));
  let last = 0;
  for (const match of answer.text.matchAll(/\[(\d{1,3}(?:, ?\d{1,3})*)\]/g)) {
    text.append(answer.text.slice(last, match.index));
    for (const number of match[1].match(/\d+/g)) text.append(cited.has(number) ? link(cited.get(number), number, "cite") : number);
    last = match.index + match[0].length;
  }
  text.append(answer.text.slice(last));
  const parts = [text];
  if (!answer.grounded) parts.unshift(element("h2", "", said.unfounded));
  else parts.push(element("p", "note", answer.extractive ? said.quoted : said.model.replace("{}", answer.model ?? "?")));
  if (answer.citations.length) parts.push(element("h2", "", said.sources), sources(answer.citations));
  place.replaceChildren(...parts);
}

function sources(citations) {
  const list = element("ol", "sources");
  const shown = new Map();
  for (const one of [...citations].sort((a, b) => a.number - b.number)) {
    if (!shown.has(one.number)) {
      const item = element("li");
      item.value = one.number;
      const to = link(address(one));
      to.append(where(one));
      item.append(to);
      list.append(item);
      shown.set(one.number, item);
    }
    if (one.quote) {
      const quote = element("blockquote", "", one.quote);
      quote.dir = "auto";
      shown.get(one.number).append(quote);
    }
  }
  return list;
}

function where({ document: name, page }) {
  if (page === null) return `\u2068${name}\u2069`;
  const written = new Intl.NumberFormat(document.documentElement.lang, { numberingSystem: "latn" }).format(page);
  return place.dataset.place.replace("{page}", written).replace("{document}", () => `\u2068${name}\u2069`);
}

function address(citation) {
  const [path, query] = form.dataset.view.split("?");
  const collection = new URLSearchParams(query ?? "").get("collection");
  return `${path}${encodeURIComponent(citation.item.id)}${collection ? `?${new URLSearchParams({ collection })}` : ""}`;
}

function link(to, text = "", className = "") {
  const made = element("a", className, text);
  made.href = to;
  return made;
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
