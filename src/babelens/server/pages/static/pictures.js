// A picture to search with: picked, dropped anywhere, or pasted. A tile of the wall can be dropped on the box, too.

let listening = false;

export function watchPictures() {
  const input = document.getElementById("file");
  if (!input) return;
  document.querySelector(".pick").hidden = false;
  input.addEventListener("change", () => { if (input.files.length) document.getElementById("upload").submit(); });
  if (listening) return;
  listening = true;
  let depth = 0;
  const mark = (shown) => document.documentElement.classList.toggle("dropping", shown);
  addEventListener("dragenter", (event) => { if (usable(event)) { depth += 1; mark(true); } });
  addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) mark(false); });
  addEventListener("dragover", (event) => { if (usable(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    depth = 0;
    mark(false);
    const item = itemOf(event.dataTransfer?.getData("text/uri-list") ?? "");
    if (item) {
      event.preventDefault();
      const here = new URL(location.href);
      const search = here.pathname === "/" ? here.searchParams : new URLSearchParams();
      search.delete("page");
      search.append("like", item);
      location.href = `/?${search}`;
    } else if (event.dataTransfer?.files.length) {
      event.preventDefault();
      send(event.dataTransfer.files);
    }
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (files.length) { event.preventDefault(); send(files); }
  });
}

function usable(event) {
  const types = [...(event.dataTransfer?.types ?? [])];
  return types.includes("Files") || types.includes("text/uri-list");
}

function itemOf(list) {
  const address = list.split("\n")[0].trim();
  if (!URL.canParse(address)) return null;
  const { origin, pathname } = new URL(address);
  const found = origin === location.origin && /^\/(?:view|items)\/([^/]+)/.exec(pathname);
  return found ? decodeURIComponent(found[1]) : null;
}

function send(files) {
  const input = document.getElementById("file");
  if (!input) return;
  const kept = new DataTransfer();
  kept.items.add(files[0]);
  input.files = kept.files;
  document.getElementById("upload").submit();
}
