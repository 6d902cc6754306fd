"""The curve of what gradients keep: a point for each way, a line a program."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from benchmarks.kept import draw


def test_the_picture_has_a_point_for_each_way() -> None:
    ways = {
        "everything": {"share": 1.0, "ratio": 1.0},
        "memory=200": {"share": 0.02, "ratio": 1.4},
        "memory=3": {"share": 0.0001, "ratio": 9.0},
    }
    picture = ET.fromstring(draw({"one": ways, "two <": ways}))
    circles = [one for one in picture.iter() if one.tag.endswith("circle")]
    lines = [one for one in picture.iter() if one.tag.endswith("polyline")]
    assert (len(circles), len(lines)) == (6, 2)
    texts = ["".join(x.itertext()) for x in picture.iter() if x.tag.endswith("text")]
    assert {"one", "two <"} <= set(texts)
    places = [(float(x.attrib["cx"]), float(x.attrib["cy"])) for x in circles[:3]]
    assert places == sorted(places, reverse=True)
