"""The world: visitors, site, traffic, sales and tracker, on the SimPy clock."""
