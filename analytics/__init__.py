"""Everything that reads events: it knows nothing of simulation and works on any Segment-Spec stream."""
