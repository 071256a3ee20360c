"""The demo city: a synthetic New Orleans built offline from a seed and hand-written public facts."""
