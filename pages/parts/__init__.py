"""What the pages share: the map, controls, figures, palette and provenance."""
