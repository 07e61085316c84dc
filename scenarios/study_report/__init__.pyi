from .page import study_report as study_report
