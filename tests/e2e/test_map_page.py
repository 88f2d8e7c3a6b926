"""The map's page in a real browser: it draws, tells, hears keys, and reaches for nothing outside itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from babelens.evaluation.map_page import MapPicture, MapText, map_page
from babelens.types import Item, Source, Text

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium")

ASK = """
<script>
window.addEventListener("load", function () {
  const said = {}, map = document.getElementById("map"), about = document.getElementById("about");
  function key(name) { map.dispatchEvent(new KeyboardEvent("keydown", { key: name, cancelable: true })); }
  function told() { return Array.from(about.querySelectorAll("dd"), function (dd) { return dd.textContent; }); }
  said.first = { told: told(), images: about.querySelectorAll("img").length, scripts: document.scripts.length,
    directions: Array.from(about.querySelectorAll("dd"), function (dd) { return getComputedStyle(dd).direction; }),
    here: Array.from(about.querySelectorAll("dd.this"), function (dd) { return dd.lang; }) };
  key("Escape"); said.escape = told();
  key("ArrowRight"); key("ArrowRight"); key("ArrowRight"); key("ArrowRight"); said.right = told();
  said.blank = about.querySelectorAll(".blank").length;
  document.querySelectorAll("#legend input").forEach(function (box) { box.click(); });
  said.hidden = told();
  key("ArrowLeft"); said.nothing = told();
  const by = document.getElementById("by");
  by.value = "folder"; by.dispatchEvent(new Event("change"));
  said.folders = document.getElementById("legend").textContent;
  key("+"); key("-"); key("0");
  const pixels = map.getContext("2d").getImageData(0, 0, map.width, map.height).data;
  said.drawn = pixels.some(function (value) { return value > 0; });
  said.width = document.documentElement.scrollWidth <= window.innerWidth;
  document.title = JSON.stringify(said);
});
</script>
"""
HOSTILE = "</script><img src=x onerror=alert(1)>"


def test_it_draws_tells_and_hears_keys(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (200, 30, 30)).save(tmp_path / "red.png")
    pictures = [
        MapPicture(
            Item("a", "image", Source(str(tmp_path / "red.png"), ""), {"name": "red.png", "folder": "x"}),
            (0, 0),
        ),
        MapPicture(
            Item("b", "image", Source(str(tmp_path / "gone.png"), ""), {"name": "gone.png", "folder": "y"}),
            (9, 0),
        ),
    ]
    texts = [
        MapText(Text("a", "en", HOSTILE, "human"), 0, (1.0, 0.0)),
        MapText(Text("a", "ar", "قطة على السجادة", "human"), 0, (0.0, 1.0)),
        MapText(Text("b", "ja", "赤い帽子", "human"), 1, (9.0, 1.0)),
    ]
    page, blank = map_page(pictures, texts, caption=("A <caption>.",))
    assert len(blank) == 1
    path = tmp_path / "map.html"
    path.write_text(page.replace("</body>", ASK + "</body>"), "utf-8")
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=3000", "--window-size=390,800", "--dump-dom", f"file://{path}#text=1",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title is not None
    said = json.loads(title[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert said["first"] == {
        "told": [HOSTILE, "قطة على السجادة"],
        "images": 1,
        "scripts": 3,  # data, the page's own, and this test's
        "directions": ["ltr", "rtl"],
        "here": ["ar"],
    }
    assert said["escape"] == []
    assert said["right"] == ["赤い帽子"]
    assert said["blank"] == 1
    assert said["hidden"] == said["nothing"] == []
    assert "x" in said["folders"]
    assert "y" in said["folders"]
    assert said["drawn"] is True
    assert said["width"] is True
