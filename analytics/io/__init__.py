"""From bytes and tables to rows of the event table, and back.

Modules, in reading order: ``flatten`` (one JSON event to one row), ``strict_json`` (what a line may hold),
``line_shapes`` (what lines of one sender have in common), ``batch_decoding`` (lines of one shape at once), ``lines``
(lines of any length, from pieces), ``ndjson`` (files of lines), ``encoding`` (rows to lines), ``row_validation``
(tables judged by the same rules), ``warehouse`` (Segment's warehouse columns), ``position`` (how far a source has been
read). Anybody's files: ``containers`` (archives and encodings), ``json_values`` (arrays and batches), ``tables`` (CSV,
Parquet, warehouse tables), ``json_rows`` (the same in JSON), ``recognition`` (what a file is), ``reading`` (all of
them). The subpackage ``adapters`` converts what other tools export.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
