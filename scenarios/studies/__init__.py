"""Many runs by design: what is varied, how often, and until when.

Modules, in reading order: ``settings`` (what a study file holds), ``loading`` (files to checked studies), ``design``
(design points), ``plan`` (points and replications), ``replication`` (one of them), ``intervals`` and ``precision``
(how many are enough), ``cost`` (how long it will take), ``execution`` (on which workers), ``running`` (all of them),
``folder`` (results, and how to resume).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
