"""Sources of events that can be resumed: files, standard input, Parquet, Kafka.

Modules, in reading order: ``source`` (the protocol), ``opening`` (a source by its address), ``ndjson``, ``parquet``,
``kafka``.
"""
