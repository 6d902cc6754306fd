"""Pictures of a graph: as Graphviz text, and as SVG that is placed and wired here."""
