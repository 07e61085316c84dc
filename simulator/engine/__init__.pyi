from .arrays import (
    Bools as Bools,
    Floats as Floats,
    Integers as Integers,
    Rows as Rows,
    Words as Words,
    first_rows as first_rows,
    lookup as lookup,
    order_of as order_of,
    part_of_each as part_of_each,
    row_numbers as row_numbers,
    sparse_column as sparse_column,
    sparse_rows as sparse_rows,
)
from .clock import (
    DAY_MS as DAY_MS,
    MINUTE_MS as MINUTE_MS,
    Clock as Clock,
    ExactEnvironment as ExactEnvironment,
    Wait as Wait,
)
from .sampling import Choices as Choices, probabilities as probabilities
from .stream_digests import RecordingStreams as RecordingStreams
from .streams import AddressedUniforms as AddressedUniforms, Streams as Streams, VisitorDraws as VisitorDraws
