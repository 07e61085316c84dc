"""A recorded run, sent once more to a pipeline under test.

Modules, in reading order: ``recorded_run`` (its lines in order), ``pace`` (recorded time against the clock),
``target`` and ``opening`` (where it goes), ``files``, ``http``, ``kafka`` (the receivers), ``state`` (how far it has
come), ``replay`` (the sending), ``export`` (the run as warehouse tables).
"""
