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
