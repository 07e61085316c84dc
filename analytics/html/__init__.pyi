from .escaping import (
    GIVEN as GIVEN,
    Labels as Labels,
    Rendered as Rendered,
    as_json as as_json,
    as_line as as_line,
    as_lines as as_lines,
    as_text as as_text,
    masked as masked,
)
from .frames import (
    quoted as quoted,
    read_csv as read_csv,
    shown_frame as shown_frame,
    shown_texts as shown_texts,
    unquoted as unquoted,
    write_csv as write_csv,
)
from .notebook import notebook_html as notebook_html
from .numbers import (
    NONE as NONE,
    SIGNIFICANT as SIGNIFICANT,
    count as count,
    decimal as decimal,
    effect as effect,
    estimate as estimate,
    general as general,
    moment as moment,
    p_equals as p_equals,
    p_value as p_value,
    percent as percent,
    points as points,
    rate as rate,
    ratio as ratio,
    setting as setting,
    share as share,
    times as times,
)
from .rendering import render as render
