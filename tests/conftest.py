"""What all tests share."""

from hypothesis import settings

# How long a case takes says more of what else the machine does than of the case.
settings.register_profile("whenever", deadline=None)
settings.load_profile("whenever")
