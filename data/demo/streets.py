"""The streets of the demo city: grids and avenues on dry ground, joined, with freeways above them."""

import numpy as np
import shapely

from data.demo import network as net
from data.demo.avenues import avenue_pieces
from data.demo.freeways import add_freeways, ground_freeways
from data.demo.grids import join, local_grids
from data.demo.ground import Ground

BANK_M = 30.0
"""Local streets keep this far from water and from the parish line."""


def lay_streets(ground: Ground, rng: np.random.Generator) -> net.Network:
    """Lay all streets.

    Local streets cross neither water, parks, the parish line nor a freeway at ground level; avenues cross
    canals by bridge; only a freeway crosses the river.

    Parameters
    ----------
    ground
        Water, parks and the parish.
    rng
        Draws the spacing of streets, gaps, one-ways and signs.
    """
    local = local_grids(rng)
    lines = np.asarray(shapely.linestrings(local.ends))
    free = ground.land.buffer(-BANK_M).difference(ground.open_ground)
    shapely.prepare(free)
    barrier = ground_freeways()
    shapely.prepare(barrier)
    dry = np.asarray(shapely.contains_properly(free, lines) & ~shapely.intersects(barrier, lines))
    local = local.keep(dry)
    streets = net.node_pieces(join([avenue_pieces(ground), local]))
    streets = add_freeways(net.straighten(streets))
    return net.free_the_stuck(net.largest_piece(streets))
