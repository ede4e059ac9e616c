"""Colours and shapes that everybody can tell apart, the same in print and on a web page.

Genres beyond the eighth repeat a colour with another shape, so that no two genres look the same.
Matrices and pictures use scales of monotonic lightness, which work for any colour vision and in
greyscale print.
"""

from __future__ import annotations

#: For a white and for a dark background. From the hues of Okabe and Ito's set, adjusted until any
#: two are at least 25 apart (CIE 1976 ΔE) for normal, protan, deutan and tritan vision, as Machado
#: et al. (2009) simulate them; tests/evaluation/test_colours.py measures it.
LIGHT = (
    "#1A3FA6", "#F5800A", "#02B163", "#E28EB0", "#965209", "#7D8ED8", "#621A63", "#615654",
)  # fmt: skip
DARK = (
    "#577BC8", "#E6672B", "#1BD77A", "#E8B1EE", "#E2F536", "#BBF5DC", "#8758F5", "#957977",
)  # fmt: skip
#: ECharts' symbol and matplotlib's marker of the same shape.
SHAPES = (
    ("circle", "o"),
    ("rect", "s"),
    ("triangle", "^"),
    ("diamond", "D"),
    ("path://M0,0L10,0L5,10Z", "v"),
    ("path://M3,0H7V3H10V7H7V10H3V7H0V3H3Z", "P"),
    ("path://M2,0L5,3L8,0L10,2L7,5L10,8L8,10L5,7L2,10L0,8L3,5L0,2Z", "X"),
    ("path://M5,0L6.5,3.5L10,3.8L7.3,6.2L8.1,10L5,8L1.9,10L2.7,6.2L0,3.8L3.5,3.5Z", "*"),
)
#: Right and wrong answers: blue and orange look different with every kind of colour vision.
RIGHT, WRONG = 0, 1
MATRIX = "Blues"  # light to dark, one hue
PICTURE = "viridis"  # designed to be readable with every kind of colour vision, and in grey


def look(number: int) -> tuple[int, int]:
    """The colour number and shape number of a genre; no two of the first 64 share both."""
    block, place = divmod(number, len(LIGHT))
    return place, (place + block) % len(SHAPES)
