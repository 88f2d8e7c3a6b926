"""The humidifier's drawings."""

from __future__ import annotations

from drawing import BLUE, DARK, GREEN, INK, LIGHT, MIDDLE, RED, Drawing

WHITE, WATER = "#ffffff", "#cfe3f7"


def _mist(d: Drawing, x: float, y: float) -> None:
    for shift, rise in ((-12, 0), (0, -8), (12, 0)):
        d.path(f"M{x + shift} {y + rise}q-8 -9 0 -18q8 -9 0 -18", stroke=BLUE, width=1.6)


def _tank(d: Drawing, x: float, y: float) -> None:
    """The tank, (x, y) its upper left corner."""
    d.path(
        f"M{x} {y + 20}Q{x} {y} {x + 20} {y}H{x + 100}Q{x + 120} {y} {x + 120} {y + 20}V{y + 120}H{x}Z",
        fill=WHITE,
    )
    d.path(f"M{x + 3} {y + 50}Q{x + 30} {y + 44} {x + 60} {y + 50}T{x + 117} {y + 50}V{y + 117}H{x + 3}Z", fill=WATER,
           width=0.8)  # fmt: skip
    d.box(x + 45, y - 2, 30, 122, round=4, fill=LIGHT, line=0.9)


def parts(d: Drawing) -> None:
    if d.callouts:
        _mist(d, 200, 44)
    else:
        _mist(d, 200, 46)
    d.path("M180 70H220L214 50H186Z", fill=d.tint)
    _tank(d, 140, 78)
    d.path("M150 78C154 60 176 58 180 76", width=3)
    d.path("M226 198h26v14h-26Z", fill=DARK)
    for y in (202, 206):
        d.line(228, y, 250, y, width=0.7)
    d.line(140, 206, 140, 262, stroke=DARK, width=0.8, dash="5 3")
    d.line(260, 206, 260, 262, stroke=DARK, width=0.8, dash="5 3")
    # Base
    d.path("M126 290V350Q126 372 148 372H252Q274 372 274 350V290", fill=LIGHT)
    d.path("M126 290A74 18 0 0 1 274 290A74 18 0 0 1 126 290Z", fill=MIDDLE)
    d.oval(166, 288, 12, 4.500, fill=WHITE)
    d.oval(166, 288, 6, 2.4, fill=d.tint)
    d.path("M196 284h14v9a7 3 0 0 1 -14 0Z", fill=RED, width=0.9)
    d.oval(240, 288, 11, 4.5, fill=INK)
    d.box(164, 320, 72, 26, round=13, fill=INK)
    d.text(200, 338, "55 %", size=13, fill="#9fd0ff", bold=True)
    for slot in range(4):
        d.line(262, 318 + slot * 8, 272, 316 + slot * 8, width=1.6)
    d.path("M126 356C92 358 96 340 60 344", width=2.6)
    d.box(34, 334, 28, 20, round=3, fill=MIDDLE)
    for mark, x, y, to_x, to_y in (
        (1, 300, 48, 214, 58), (2, 330, 126, 252, 134), (3, 330, 196, 250, 205), (4, 330, 246, 208, 285),
        (5, 70, 250, 160, 286), (6, 330, 290, 246, 289), (7, 70, 310, 172, 330), (8, 330, 344, 270, 332),
    ):  # fmt: skip
        d.callout(mark, x, y, to_x, to_y)


def placing(d: Drawing) -> None:
    d.line(10, 206, 404, 206, width=2)
    d.box(10, 14, 12, 192, fill=DARK)
    for y in range(28, 206, 14):
        d.line(10, y, 22, y - 6, stroke=WHITE, width=1)
    d.word(54, 30, "wall", size=12)
    d.box(80, 118, 86, 8, fill=d.tint)
    d.line(90, 126, 90, 206, width=3)
    d.line(156, 126, 156, 206, width=3)
    d.path("M104 118V82Q104 68 116 68H132Q144 68 144 82V118Z", fill=WHITE)
    d.path("M104 104V118H144V104Z", fill=LIGHT)
    d.path("M106 86H142V104H106Z", fill=WATER, width=0.6)
    d.path("M116 68l3 -8h10l3 8Z", fill=d.tint)
    _mist(d, 124, 54)
    d.path("M326 206V168H392V206", fill=LIGHT)
    d.box(322, 112, 74, 50, round=3, fill=INK)
    d.box(328, 118, 62, 38, fill=WATER)
    d.path("M352 162h14l4 6h-22Z", fill=DARK)
    d.measure(22, 96, 104, 96, "30 cm")
    d.measure(144, 96, 322, 96, "2 m")
    d.measure(186, 122, 186, 206, "80 cm", dx=28, dy=4)
    d.line(166, 122, 190, 122, stroke=d.tint, width=0.8)
    d.line(322, 84, 322, 112, stroke=d.tint, width=0.7, dash="3 3")


def panel(d: Drawing) -> None:
    d.box(20, 46, 360, 92, round=46, fill=LIGHT, line=1.8)
    d.box(148, 60, 104, 36, round=6, fill=INK)
    d.text(192, 87, "55 %", size=23, fill="#9fd0ff", bold=True)
    d.path("M232 66q9 13 0 19q-9 -6 0 -19Z", fill=RED, stroke=RED)
    for x in (62, 110, 200, 290, 338):
        d.oval(x, 92 if x != 200 else 118, 17 if x != 200 else 13, fill=WHITE)
    d.path("M62 82V91M55.500 86.500A9 9 0 1 0 68.500 86.500", width=2)
    for x in (104, 110, 116):
        d.path(f"M{x} 101q-4 -5 0 -9q4 -5 0 -9", stroke=BLUE, width=1.6)
    d.text(200, 122, "%", size=12, bold=True)
    d.oval(290, 92, 9, fill=WHITE)
    d.path("M290 86V92H295", width=1.6)
    d.path("M342 83A9 9 0 1 0 346 97A10 10 0 0 1 342 83Z", fill=INK)
    for mark, x, y, to_x, to_y in (
        ("A", 62, 20, 62, 78), ("B", 110, 20, 110, 76), ("C", 200, 164, 200, 129), ("D", 290, 20, 290, 77),
        ("E", 338, 20, 338, 77),
    ):  # fmt: skip
        d.callout(mark, x, y, to_x, to_y)


def filling(d: Drawing) -> None:
    # First the cap
    d.text(24, 30, "1", size=17, bold=True)
    d.path("M44 92V176Q44 196 64 196H144Q164 196 164 176V92Z", fill=WHITE)
    d.box(89, 92, 30, 104, round=3, fill=LIGHT, line=0.9)
    d.path("M84 92h40v-22h-40Z", fill=DARK)
    for x in range(88, 124, 5):
        d.line(x, 73, x, 89, width=0.8)
    d.turn(104, 66, 34, -20, -160)
    # Then the water
    d.text(220, 30, "2", size=17, bold=True)
    d.path("M250 92V176Q250 196 270 196H350Q370 196 370 176V92H330V80H290V92Z", fill=WHITE)
    d.path("M252 128Q280 122 310 128T368 128V176Q368 194 350 194H270Q252 194 252 176Z", fill=WATER, width=0.8)
    d.line(252, 112, 282, 112, stroke=RED, width=1.6)
    d.text(266, 107, "MAX", size=9.5, fill=RED, bold=True)
    d.path("M390 24H330Q304 24 304 48V54H318V48Q318 38 330 38H390", fill=MIDDLE)
    d.box(342, 10, 22, 14, round=3, fill=d.tint)
    d.path("M308 56V124H314V56Z", fill=WATER, stroke=BLUE, width=0.8)
    d.text(386, 66, "≤ 40 °C", size=11, fill=d.tint, bold=True)


def cleaning(d: Drawing) -> None:
    d.text(22, 26, "1", size=17, bold=True)
    d.path("M24 150V190Q24 206 40 206H168Q184 206 184 190V150Z", fill=LIGHT)
    d.path("M24 150A80 20 0 0 1 184 150A80 20 0 0 1 24 150Z", fill=MIDDLE)
    d.oval(86, 150, 26, 8, fill=WATER)
    d.oval(86, 151, 11, 4, fill=d.tint)
    d.oval(148, 150, 14, 5, fill=INK)
    d.path("M92 143L128 70", stroke=INK, width=9)
    d.path("M92 143L128 70", stroke=WHITE, width=6)
    d.path("M84 148L98 128L104 132L92 150Z", fill=DARK)
    d.turn(86, 148, 48, 205, 262)
    d.text(58, 62, "50 ml", size=12, fill=d.tint, bold=True)
    d.line(204, 14, 204, 214, stroke=DARK, width=0.8, dash="3 3")
    # Pouring out, away from the air outlet
    d.text(224, 26, "2", size=17, bold=True)
    d.path(
        "M268 150.600L316.700 178.600Q326 184 331.500 175L391 72Q396 62 388.700 57L340 25.400Z", fill=LIGHT
    )
    d.path("M268 150.600A72 17 -60 0 1 340 25.400A72 17 -60 0 1 268 150.600Z", fill=MIDDLE)
    d.path("M284 126A11 4 -60 0 1 295 107A11 4 -60 0 1 284 126Z", fill=d.tint)
    d.path("M320 63A11 5 -60 0 1 331 44A11 5 -60 0 1 320 63Z", fill=INK)
    d.path("M264 148Q252 168 254 204M271 154Q262 172 264 204", stroke=BLUE, width=2)
    d.path("M234 208Q258 198 284 208", stroke=BLUE, width=2)


def blocks(d: Drawing) -> None:
    d.box(14, 74, 70, 44, round=5, fill=LIGHT)
    d.path("M28 84v24M34 84v24", width=0)
    d.text(49, 93, "230 V~", size=11)
    d.text(49, 109, "24 V ⎓", size=11, bold=True)
    d.arrow(84, 96, 148, 96, stroke=INK, width=1.8)
    d.box(102, 89, 26, 14, fill=WHITE)
    d.line(102, 96, 128, 96, width=1)
    d.text(115, 80, "F1 2 A", size=11, bold=True)
    d.box(150, 60, 96, 72, round=5, fill=WATER)
    d.word(198, 100, "board", size=13)
    d.box(306, 20, 88, 40, round=5, fill=LIGHT)
    d.word(350, 37, "mist", size=12)
    d.path("M336 49q3.500 -7 7 0t7 0t7 0t7 0", stroke=d.tint)
    d.box(306, 76, 88, 40, round=5, fill=LIGHT)
    d.word(350, 100, "fan", size=12)
    d.box(306, 132, 88, 40, round=5, fill=LIGHT)
    d.word(350, 149, "sensor", size=12)
    d.text(350, 164, "%", size=10, fill=d.tint)
    d.arrow(246, 76, 304, 42, stroke=INK, width=1.8)
    d.arrow(246, 96, 304, 96, stroke=INK, width=1.8)
    d.arrow(306, 152, 248, 118, stroke=GREEN, width=1.8)
    d.box(154, 156, 88, 30, round=5, fill=WHITE)
    d.word(198, 175, "tank", size=12)
    d.arrow(198, 156, 198, 134, stroke=GREEN, width=1.8)


#: Name of the drawing: what draws it, size of its view box, width on the page in mm.
DRAWINGS = {
    "parts": (parts, (400, 384), 80),
    "placing": (placing, (412, 216), 100),
    "panel": (panel, (400, 178), 92),
    "filling": (filling, (412, 206), 92),
    "cleaning": (cleaning, (404, 222), 92),
    "blocks": (blocks, (408, 196), 98),
}
