from .data import SalesDesk as SalesDesk
from .render import analysis_report as analysis_report, write_report as write_report
