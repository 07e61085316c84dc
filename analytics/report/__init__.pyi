from .html import (
    Html as Html,
    count as count,
    element as element,
    figure as figure,
    join as join,
    number_table as number_table,
    numbers as numbers,
    page as page,
)
from .render import SalesDesk as SalesDesk, write_analysis_report as write_analysis_report
