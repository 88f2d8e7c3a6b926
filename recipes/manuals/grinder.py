"""The coffee grinder's drawings."""

from __future__ import annotations

from math import cos, radians, sin

from drawing import AMBER, DARK, GREEN, INK, LIGHT, MIDDLE, RED, Drawing, arc

WHITE = "#ffffff"


def parts(d: Drawing) -> None:
    d.line(200, 14, 200, 300, stroke=DARK, width=0.8, dash="8 3 2 3")
    # Lid
    d.path("M140 44V54A60 13 0 0 0 260 54V44", fill=MIDDLE)
    d.oval(200, 44, 60, 13)
    d.oval(200, 38, 14, 5, fill=d.tint)
    # Hopper
    d.path("M142 92L168 150A32 8 0 0 0 232 150L258 92", fill=WHITE)
    d.oval(200, 92, 58, 13, fill=WHITE)
    for x, y in (
        (178, 116),
        (196, 124),
        (215, 115),
        (188, 136),
        (208, 140),
        (224, 128),
        (172, 104),
        (203, 106),
    ):
        d.oval(x, y, 8, 5.5, fill=d.tint, line=0.8)
        d.path(f"M{x - 6} {y}Q{x} {y - 3} {x + 6} {y}", stroke=WHITE, width=0.8)
    # Upper burr
    d.path("M162 184V198A38 9 0 0 0 238 198V184", fill=MIDDLE)
    d.oval(200, 184, 38, 9)
    d.oval(200, 184, 22, 5, fill=DARK)
    for x in range(168, 236, 8):
        d.line(x, 192, x + 3, 204, width=0.8)
    d.path("M170 182C172 160 228 160 230 182", width=2.4)
    # Lower burr
    d.path("M186 224L172 256A28 7 0 0 0 228 256L214 224", fill=MIDDLE)
    d.oval(200, 224, 14, 4)
    for x0, x1 in ((190, 180), (197, 194), (204, 208), (211, 222)):
        d.line(x0, 228, x1, 262, width=0.8)
    # Base with dial, panel and niche
    d.path("M134 292V430Q134 440 144 440H256Q266 440 266 430V292", fill=LIGHT)
    d.path("M130 290V304A70 14 0 0 0 270 304V290", fill=MIDDLE)
    d.oval(200, 290, 70, 14, fill=LIGHT)
    d.oval(200, 290, 34, 7, fill=DARK)
    for angle in range(20, 161, 10):
        x, y = 200 + 70 * cos(radians(angle)), 296 + 14 * sin(radians(angle))
        d.line(x, y, x, y + 6, width=0.8)
    d.oval(200, 345, 23, fill=WHITE)
    d.box(187, 334, 26, 11, round=2, fill=INK)
    for x in (190, 200, 210):
        d.oval(x, 355, 3, fill=d.tint, line=0.6)
    d.path("M158 440V392Q158 380 170 380H230Q242 380 242 392V440Z", fill=DARK)
    # Grounds cup, pulled out
    d.path("M304 392V428A32 8 0 0 0 368 428V392", fill=WHITE)
    d.oval(336, 392, 32, 8, fill=WHITE)
    d.path("M308 412V428A28 7 0 0 0 364 428V412A28 6 0 0 1 308 412", fill=d.tint, width=0.8)
    d.line(246, 414, 300, 414, stroke=DARK, dash="5 3")
    # Mains cable
    d.path("M134 420C96 420 96 396 70 398C44 400 50 432 30 428", width=3)
    d.box(12, 420, 20, 14, round=3, fill=MIDDLE)
    d.line(12, 424, 4, 424, width=2)
    d.line(12, 430, 4, 430, width=2)
    for mark, x, y, to_x, to_y in (
        (1, 312, 36, 252, 48), (2, 312, 104, 248, 112), (3, 312, 180, 236, 192), (4, 312, 240, 222, 246),
        (5, 84, 300, 136, 302), (6, 84, 346, 180, 346), (7, 384, 366, 358, 396), (8, 74, 368, 84, 401),
    ):  # fmt: skip
        d.callout(mark, x, y, to_x, to_y)


def cup(d: Drawing) -> None:
    for left, seated in ((0, False), (230, True)):
        d.box(left + 26, 20, 120, 32, round=10, fill=MIDDLE)
        d.path(
            f"M{left + 32} 52V190Q{left + 32} 198 {left + 40} 198H{left + 180}V186H{left + 84}V52Z",
            fill=LIGHT,
        )
        d.path(f"M{left + 84} 64H{left + 128}L{left + 120} 84H{left + 96}Z", fill=DARK)
        d.oval(left + 58, 84, 8, fill=GREEN if seated else RED)
        d.box(left + 78, 140, 12, 18, round=2, fill=AMBER, line=0.9)  # the safety switch
        shift = 92 if seated else 134
        d.path(
            f"M{left + shift} 100L{left + shift + 5} 184H{left + shift + 45}L{left + shift + 50} 100Z",
            fill=WHITE,
        )
        d.path(f"M{left + shift + 3} 150L{left + shift + 5} 184H{left + shift + 45}L{left + shift + 47} 150Z",
               fill=d.tint, width=0.8)  # fmt: skip
        if not seated:
            d.arrow(left + 190, 86, left + 140, 86)
            d.path(f"M{left + 96} 214l14 14m0 -14l-14 14", stroke=RED, width=3)
        else:
            d.path(f"M{left + 94} 222l7 7l13 -15", stroke=GREEN, width=3)
    d.line(212, 16, 212, 228, stroke=DARK, width=0.8, dash="3 3")


def panel(d: Drawing) -> None:
    d.box(50, 26, 300, 138, round=26, fill=LIGHT, line=1.8)
    d.box(146, 46, 108, 44, round=5, fill=INK)
    d.text(200, 78, "14.0 s", size=26, fill="#ffd27f", bold=True)
    for x, sign in ((88, "−"), (132, "+")):
        d.oval(x, 126, 16, fill=WHITE)
        d.text(x, 133, sign, size=20, bold=True)
    d.oval(202, 126, 19, fill=WHITE)
    d.path("M192 118H209V128Q209 136 200.500 136Q192 136 192 128ZM209 121Q216 121 215 126Q214 130 209 130")
    d.oval(286, 118, 30, fill=d.tint)
    d.path("M277 104L302 118L277 132Z", fill=WHITE, stroke=WHITE)
    d.oval(100, 66, 8, fill=GREEN)
    for mark, x, y, to_x, to_y in (
        ("A", 376, 142, 306, 128), ("B", 24, 142, 78, 130), ("C", 202, 190, 202, 142),
        ("D", 376, 44, 246, 62), ("E", 24, 52, 94, 65),
    ):  # fmt: skip
        d.callout(mark, x, y, to_x, to_y)


def dial(d: Drawing) -> None:
    x, y = 200, 148
    zones = (
        ("espresso", 4, 9, "#5d3a1a"),
        ("moka", 10, 14, "#8a5a33"),
        ("filter", 15, 22, "#b98a5e"),
        ("press", 23, 30, "#dcc0a0"),
    )

    def angle(position: float) -> float:
        return 120 + (position - 1) * 300 / 29

    d.oval(x, y, 96, fill=LIGHT)
    for label, first, last, colour in zones:
        d.path(arc(x, y, 105, angle(first) - 4, angle(last) + 4), stroke=colour, width=13, cap="butt")
        middle = radians(angle((first + last) / 2))
        side = 1 if cos(middle) > 0 else -1
        d.word(x + 118 * cos(middle) + side * 36, y + 122 * sin(middle) + 1, label, size=12)
        d.text(
            x + 118 * cos(middle) + side * 36,
            y + 122 * sin(middle) + 15,
            f"{first}–{last}",
            size=11,
            fill=d.tint,
        )
    for position in range(1, 31):
        a = radians(angle(position))
        inner = 84 if position % 5 == 0 or position == 1 else 89
        d.line(x + inner * cos(a), y + inner * sin(a), x + 95 * cos(a), y + 95 * sin(a), width=1.1)
        if position % 5 == 0 or position == 1:
            d.text(x + 73 * cos(a), y + 73 * sin(a) + 4, str(position), size=11)
    d.oval(x, y, 54, fill=MIDDLE)
    for step in range(0, 360, 15):
        a = radians(step)
        d.line(x + 47 * cos(a), y + 47 * sin(a), x + 54 * cos(a), y + 54 * sin(a), width=0.9)
    a = radians(angle(15))
    d.path(f"M{x + 44 * cos(a):.1f} {y + 44 * sin(a):.1f}L{x + 24 * cos(a - 0.3):.1f} {y + 24 * sin(a - 0.3):.1f}"
           f"L{x + 24 * cos(a + 0.3):.1f} {y + 24 * sin(a + 0.3):.1f}Z", fill=RED, stroke=RED)  # fmt: skip
    d.oval(x, y, 9, fill=WHITE)
    d.path(f"M{x - 4} {y - 4}L{x + 4} {y + 4}", width=2)


def burr(d: Drawing) -> None:
    x, y = 110, 116
    d.oval(x, y, 88, fill=LIGHT)
    d.oval(x, y, 62, fill=MIDDLE)
    for step in range(0, 360, 12):
        a, b = radians(step), radians(step + 8)
        d.line(x + 40 * cos(a), y + 40 * sin(a), x + 60 * cos(b), y + 60 * sin(b), width=1)
    d.oval(x, y, 38, fill=WHITE)
    d.path(f"M{x - 54} {y + 6}C{x - 40} {y - 12} {x + 40} {y - 12} {x + 54} {y + 6}", stroke=INK, width=7)
    d.path(f"M{x - 54} {y + 6}C{x - 40} {y - 12} {x + 40} {y - 12} {x + 54} {y + 6}", stroke=WHITE, width=4)
    d.path(f"M{x} {y - 66}l-7 -16h14Z", fill=INK)
    d.oval(x + 30, y - 47, 4.5, fill=RED, stroke=RED)
    d.turn(x, y, 76, 330, 220)
    d.text(x - 60, 30, "1", size=17, bold=True)
    # Lifting it out, from the side
    d.path("M250 150V200H390V150A70 16 0 0 1 250 150", fill=LIGHT)
    d.oval(320, 150, 70, 16, fill=MIDDLE)
    d.oval(320, 150, 44, 9, fill=DARK)
    d.path("M276 84V104A44 10 0 0 0 364 104V84", fill=MIDDLE)
    d.oval(320, 84, 44, 10)
    for at in range(282, 362, 9):
        d.line(at, 94, at + 3, 110, width=0.8)
    d.path("M290 82C292 54 348 54 350 82", width=3)
    d.line(276, 108, 276, 148, stroke=DARK, width=0.8, dash="4 3")
    d.line(364, 108, 364, 148, stroke=DARK, width=0.8, dash="4 3")
    d.arrow(320, 48, 320, 12)
    d.text(256, 30, "2", size=17, bold=True)


def wiring(d: Drawing) -> None:
    d.box(14, 44, 54, 104, round=8, fill=LIGHT)
    d.word(41, 34, "mains", size=12)
    for y, wire, colour in ((66, "L", "#7a4a21"), (96, "N", "#2f6fb5"), (126, "PE", GREEN)):
        d.text(34, y + 4, wire, size=12, bold=True)
        d.oval(56, y, 4, fill=WHITE)
        d.line(60, y, 104, y, stroke=colour, width=2.2)
    d.line(104, 66, 114, 66, stroke="#7a4a21", width=2.2)
    d.oval(114, 66, 3, fill=INK)
    d.line(114, 66, 142, 52, width=2)
    d.oval(144, 66, 3, fill=INK)
    d.text(129, 42, "S1", size=12, bold=True)
    d.line(144, 66, 168, 66, stroke="#7a4a21", width=2.2)
    d.box(168, 56, 40, 20, fill=WHITE)
    d.path("M172 66H180L184 60H192L196 66H204", width=1.4)
    d.text(188, 48, "F1", size=12, bold=True)
    d.line(208, 66, 232, 66, stroke="#7a4a21", width=2.2)
    d.line(104, 96, 232, 96, stroke="#2f6fb5", width=2.2)
    d.box(232, 46, 78, 72, round=4, fill=LIGHT)
    d.path("M246 60h50v44h-50Z", width=0.8, dash="3 2")
    d.word(271, 136, "board", size=11.5)
    d.line(310, 66, 342, 66, width=2)
    d.line(310, 98, 342, 98, width=2)
    d.oval(364, 82, 27, fill=WHITE, line=1.8)
    d.text(364, 89, "M", size=20, bold=True)
    d.word(364, 136, "motor", size=11.5)
    d.line(104, 126, 104, 158, stroke=GREEN, width=2.2)
    for half, y in ((16, 158), (10, 163), (4, 168)):
        d.line(104 - half, y, 104 + half, y, width=1.8)


#: Name of the drawing: what draws it, size of its view box, width on the page in mm.
DRAWINGS = {
    "parts": (parts, (404, 452), 78),
    "cup": (cup, (424, 238), 84),
    "panel": (panel, (400, 206), 84),
    "dial": (dial, (400, 268), 84),
    "burr": (burr, (400, 212), 88),
    "wiring": (wiring, (404, 182), 96),
}
