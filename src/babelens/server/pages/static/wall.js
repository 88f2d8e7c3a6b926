// Arrows move between the tiles of a wall, by where they are seen.

const LEFT_RIGHT = { ArrowLeft: -1, ArrowRight: 1 };

export function watchWall() {
  document.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow") || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const focused = document.activeElement;
    const tile = focused?.closest?.(".tile");
    if (!tile) {
      const idle = focused === document.body || focused?.id === "main" || focused?.id === "results";
      const first = event.key === "ArrowDown" && document.querySelector("main .wall .tile");
      const inBox = focused?.id === "q" && event.key === "ArrowDown";
      if (first && (idle || inBox)) { event.preventDefault(); first.focus(); }
      return;
    }
    const tiles = [...tile.closest(".wall").querySelectorAll(".tile")];
    const next = event.key in LEFT_RIGHT ? beside(tiles, tile, event.key) : above(tiles, tile, event.key === "ArrowUp");
    if (next) { event.preventDefault(); next.focus(); next.scrollIntoView({ block: "nearest" }); }
  });
}

function beside(tiles, tile, key) {
  const mirrored = getComputedStyle(tile).direction === "rtl" ? -1 : 1;
  return tiles[tiles.indexOf(tile) + mirrored * LEFT_RIGHT[key]];
}

/** The tile of the next row whose middle is nearest. */
function above(tiles, tile, up) {
  const from = tile.getBoundingClientRect();
  const middle = (from.left + from.right) / 2;
  const places = tiles.map((one) => [one, one.getBoundingClientRect()]);
  const beyond = places.filter(([, box]) => (up ? box.bottom <= from.top + 1 : box.top >= from.bottom - 1));
  if (!beyond.length) return null;
  const edge = up ? Math.max(...beyond.map(([, box]) => box.top)) : Math.min(...beyond.map(([, box]) => box.top));
  const row = beyond.filter(([, box]) => Math.abs(box.top - edge) < 2);
  return row.sort(([, a], [, b]) => off(a, middle) - off(b, middle))[0][0];
}

function off(box, middle) {
  return Math.abs((box.left + box.right) / 2 - middle);
}
