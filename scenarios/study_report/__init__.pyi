from .view import study_report as study_report
