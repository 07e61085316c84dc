from .data import SalesDesk as SalesDesk
from .render import write_analysis_report as write_analysis_report
