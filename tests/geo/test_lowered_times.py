"""Times after streets became faster are those of a whole new search."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from geo.lowered_times import lowered_times
from geo.network import RoadNetwork
from geo.travel_time import nearest_times
from tests.geo import networks


@given(networks.random_networks(), st.data())
def test_lowered_times_are_those_of_a_new_search(tables: networks.Tables, data: st.DataObject) -> None:
    network = RoadNetwork.from_streets(*tables)
    n = network.n_edges
    slow = np.array(data.draw(st.lists(st.sampled_from([1.0, 0.5, 0.1]), min_size=n, max_size=n)))
    shut = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    faster = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    source = [data.draw(st.integers(0, network.n_nodes - 1))]
    before = nearest_times(network, source, closed=shut, speed_factor=slow)
    now_shut, now_slow = shut & ~faster, np.where(faster, 1.0, slow)
    edge_s = np.where(now_shut, np.inf, network.edge_seconds / now_slow)
    nodes, seconds = lowered_times(network, before, edge_s, np.flatnonzero(faster))
    found = before.astype(float)
    found[nodes] = seconds
    expected = nearest_times(network, source, closed=now_shut, speed_factor=now_slow)
    np.testing.assert_allclose(found, expected, atol=0.02, rtol=1e-5)
    assert (seconds < before[nodes]).all()
