"""The bicycle light's drawings."""

from __future__ import annotations

from math import cos, radians, sin

from drawing import AMBER, DARK, GREEN, INK, LIGHT, MIDDLE, RED, Drawing, arc

WHITE, BEAM = "#ffffff", "#fff3c4"


def _body(d: Drawing, x: float, y: float) -> None:
    """The light from its left side, its lens at the left; (x, y) is the upper left corner."""
    d.path(f"M{x + 26} {y}H{x + 176}Q{x + 196} {y} {x + 196} {y + 20}V{y + 44}Q{x + 196} {y + 64} {x + 176} {y + 64}"
           f"H{x + 26}Z", fill=MIDDLE)  # fmt: skip
    d.path(f"M{x + 26} {y - 4}H{x + 8}Q{x - 6} {y + 32} {x + 8} {y + 68}H{x + 26}Z", fill=d.tint)
    d.path(f"M{x + 8} {y - 4}Q{x - 20} {y + 32} {x + 8} {y + 68}Q{x - 4} {y + 32} {x + 8} {y - 4}", fill=BEAM)
    for fin in range(5):
        d.line(x + 40 + fin * 9, y + 4, x + 40 + fin * 9, y + 22, width=2, stroke=DARK)


def parts(d: Drawing) -> None:
    _body(d, 90, 70)
    d.box(182, 60, 44, 11, round=5, fill=INK)  # button
    for dot, colour in enumerate((GREEN, GREEN, GREEN, MIDDLE)):
        d.oval(186 + dot * 13, 90, 4, fill=colour, line=0.8)
    d.path("M286 84h8v28h-8Z", fill=INK)  # rubber flap
    d.box(122, 104, 40, 15, round=7, fill=AMBER)  # side window
    d.path("M176 134h58v14h-58Z", fill=DARK)  # bracket head
    d.path("M234 140h26q8 2 8 10l-8 2q-2 -5 -8 -5h-18Z", fill=RED)  # lever
    d.path("M186 148h40l6 18h-52Z", fill=LIGHT)
    d.path("M178 168A32 32 0 1 0 234 168", fill="none", stroke=INK, width=9)
    d.path("M178 168A32 32 0 1 0 234 168", fill="none", stroke=MIDDLE, width=6)
    d.oval(206, 186, 24, fill=WHITE)
    d.oval(206, 186, 19, fill=LIGHT)
    d.path("M234 170l34 22", stroke=INK, width=8)
    d.path("M234 170l34 22", stroke=MIDDLE, width=5)
    for hole in range(3):
        d.oval(244 + hole * 9, 177 + hole * 6, 1.7, fill=INK, line=0)
    for mark, x, y, to_x, to_y in (
        (1, 30, 74, 83, 98), (2, 204, 26, 204, 62), (3, 262, 30, 222, 87), (4, 340, 66, 292, 96),
        (5, 340, 128, 264, 146), (6, 150, 190, 182, 150), (7, 340, 196, 262, 190), (8, 96, 172, 138, 116),
    ):  # fmt: skip
        d.callout(mark, x, y, to_x, to_y)


def mounting(d: Drawing) -> None:
    for left, step in ((0, "1"), (210, "2")):
        d.text(left + 26, 34, step, size=17, bold=True)
        x, y = left + 100, 128
        d.path(f"M{x - 18} {y - 58}h36l10 28q-28 -12 -56 0Z", fill=DARK)
        d.path(arc(x, y, 38, 235, -55), stroke=INK, width=9)
        d.path(arc(x, y, 38, 235, -55), stroke=MIDDLE, width=6)
        d.oval(x, y, 33, fill=LIGHT)
        d.oval(x, y, 27, fill=WHITE)
        d.line(x - 8, y, x + 8, y, stroke=DARK, width=0.8)
        d.line(x, y - 8, x, y + 8, stroke=DARK, width=0.8)
    # First the strap is pulled and hooked in
    d.path("M126 100L176 72", stroke=INK, width=9)
    d.path("M126 100L176 72", stroke=MIDDLE, width=6)
    for hole in range(4):
        d.oval(138 + hole * 10, 93 - hole * 5.6, 1.8, fill=INK, line=0)
    d.arrow(168, 58, 198, 41)
    d.measure(73, 186, 127, 186, "22–35 mm", dy=16)
    # Then the light slides on
    d.path("M284 70h52l-4 -10h-44Z", fill=DARK)
    d.path("M274 22H374Q388 22 388 36V46Q388 60 374 60H274Z", fill=MIDDLE)
    d.path("M274 18h-12q-8 23 0 46h12Z", fill=d.tint)
    d.arrow(352, 41, 302, 41)
    d.path("M366 122l6 6l12 -14", stroke=GREEN, width=3)


def aiming(d: Drawing) -> None:
    d.line(14, 186, 404, 186, width=2)
    for x in range(20, 404, 14):
        d.line(x, 186, x - 7, 194, stroke=DARK, width=0.8)
    d.box(388, 24, 12, 162, fill=DARK)
    for y in range(36, 186, 14):
        d.line(388, y, 400, y - 6, stroke=WHITE, width=1)
    d.word(362, 36, "wall", size=12)
    d.path("M152 88L386 92V124Z", fill=BEAM, stroke="#e0b400", width=0.8)
    d.line(152, 88, 386, 88, stroke=DARK, width=0.9, dash="6 4")
    # Bicycle
    for x in (48, 140):
        d.oval(x, 150, 34, fill="none", line=2.6)
        d.oval(x, 150, 3, fill=INK)
        for spoke in range(0, 180, 30):
            a = radians(spoke)
            d.line(
                x - 33 * cos(a), 150 - 33 * sin(a), x + 33 * cos(a), 150 + 33 * sin(a), stroke=DARK, width=0.5
            )
    d.path("M48 150L76 108H126L92 150ZM76 108L92 150M70 98L76 108M126 108L120 88H134M126 108L140 150", width=2.6,
           stroke=d.tint)  # fmt: skip
    d.path("M60 97H82", width=4)
    d.oval(92, 150, 8, fill=WHITE)
    d.box(134, 83, 18, 10, round=3, fill=INK)
    d.oval(386, 106, 4, 16, fill="#ffd54a", line=0.8)
    d.measure(152, 208, 388, 208, "5 m", dy=17)
    d.line(152, 94, 152, 212, stroke=d.tint, width=0.7, dash="3 3")
    d.measure(362, 68, 362, 88, "", dy=0)
    d.measure(362, 126, 362, 107, "", dy=0)
    d.line(340, 106, 386, 106, stroke=d.tint, width=0.9)
    d.text(330, 72, "10 cm", size=11, fill=d.tint, bold=True)


def modes(d: Drawing) -> None:
    shades = (
        ("boost", 800, "#ffb300"),
        ("high", 400, "#ffca45"),
        ("medium", 200, "#ffdd83"),
        ("low", 80, "#fff0c2"),
        ("flash", 120, WHITE),
    )
    for place, (label, lumens, colour) in enumerate(shades):
        x = 8 + place * 82
        d.box(x, 20, 64, 88, round=8, fill=WHITE)
        d.oval(x + 32, 50, 13, fill=colour)
        for ray in range(0, 360, 45):
            a = radians(ray)
            reach = 19 + lumens / 110
            d.line(x + 32 + 17 * cos(a), 50 + 17 * sin(a), x + 32 + reach * cos(a), 50 + reach * sin(a),
                   width=1.6, dash="2 3" if label == "flash" else "")  # fmt: skip
        d.word(x + 32, 89, label, size=11.5)
        d.text(x + 32, 102, f"{lumens} lm", size=9.5, fill=d.tint)
        if place < 4:
            d.arrow(x + 66, 64, x + 81, 64)
    d.path("M368 112V122Q368 132 358 132H50Q40 132 40 122", stroke=RED, width=2.2)
    d.arrow(40, 126, 40, 112)


def charging(d: Drawing) -> None:
    d.box(40, 40, 136, 112, round=34, fill=MIDDLE)
    d.box(56, 54, 104, 84, round=24, fill=LIGHT)
    d.box(78, 80, 60, 26, round=13, fill=WHITE)
    d.box(86, 88, 44, 10, round=5, fill=INK)
    d.path("M80 110Q70 150 98 158H130Q146 152 136 110Z", fill=DARK)
    d.turn(150, 112, 40, 60, -30)
    d.path("M262 84h44a6 6 0 0 1 6 6v16a6 6 0 0 1 -6 6h-44Z", fill=LIGHT)
    d.box(230, 90, 32, 16, round=6, fill=DARK)
    d.path("M312 98C352 98 350 60 396 62", stroke=INK, width=6)
    d.text(286, 103, "USB-C", size=11, bold=True)
    d.arrow(226, 98, 196, 98)
    d.text(286, 136, "5 V ⎓ 2 A", size=12, fill=d.tint, bold=True)


def gauge(d: Drawing) -> None:
    rows = (
        ("76–100 %", 4, GREEN),
        ("51–75 %", 3, GREEN),
        ("26–50 %", 2, GREEN),
        ("11–25 %", 1, AMBER),
        ("< 10 %", 1, RED),
    )
    for place, (share, lit, colour) in enumerate(rows):
        y = 22 + place * 32
        d.box(92, y - 13, 132, 26, round=13, fill=LIGHT)
        for dot in range(4):
            d.oval(112 + dot * 31, y, 7.5, fill=colour if dot < lit else WHITE)
        if place == 4:
            for ray in range(200, 341, 35):
                a = radians(ray)
                d.line(
                    112 + 10 * cos(a),
                    y + 10 * sin(a),
                    112 + 15 * cos(a),
                    y + 15 * sin(a),
                    stroke=RED,
                    width=1.6,
                )
        d.text(276, y + 4.5, share, size=13)


#: Name of the drawing: what draws it, size of its view box, width on the page in mm.
DRAWINGS = {
    "parts": (parts, (370, 228), 96),
    "mounting": (mounting, (420, 208), 96),
    "aiming": (aiming, (414, 230), 100),
    "modes": (modes, (408, 140), 108),
    "charging": (charging, (408, 172), 84),
    "gauge": (gauge, (400, 174), 76),
}
