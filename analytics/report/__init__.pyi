from .render import SalesDesk as SalesDesk, write_analysis_report as write_analysis_report
