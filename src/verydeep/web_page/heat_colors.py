"""The colors of heat maps on the web page, in Python and in JavaScript."""

INFERNO = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51), (249, 140, 10),
    (249, 201, 50), (252, 255, 164),
)  # fmt: skip
"""Nine colors of matplotlib's inferno, which the server does without."""
