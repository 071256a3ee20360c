"""The ground: projections, the road network, travel times, isochrones and hexagons."""
