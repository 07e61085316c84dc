from .chart import Chart as Chart, chart_of as chart_of
from .experiments import (
    MOST_ARMS as MOST_ARMS,
    effect_chart as effect_chart,
    sequence_chart as sequence_chart,
)
from .model import (
    calibration_chart as calibration_chart,
    coefficient_chart as coefficient_chart,
    request_curve_chart as request_curve_chart,
    session_length_chart as session_length_chart,
)
from .probes import MOST_PANELS as MOST_PANELS, measured_over_time as measured_over_time, probe_chart as probe_chart
from .sales import (
    queue_chart as queue_chart,
    queue_over_time as queue_over_time,
    wait_chart as wait_chart,
    waits_in_classes as waits_in_classes,
)
from .segments import (
    SMALL_N as SMALL_N,
    heat_map as heat_map,
    segment_chart as segment_chart,
    segment_rows as segment_rows,
)
from .studies import (
    bias_chart as bias_chart,
    change_chart as change_chart,
    convergence_chart as convergence_chart,
    grid_chart as grid_chart,
    index_chart as index_chart,
    rank_chart as rank_chart,
    response_chart as response_chart,
    scatter_chart as scatter_chart,
    screening_chart as screening_chart,
    tornado_chart as tornado_chart,
    welch_chart as welch_chart,
)
from .style import BLUE as BLUE, GREY as GREY, VERMILLION as VERMILLION, AnyChart as AnyChart, to_svg as to_svg
from .traffic import funnel_chart as funnel_chart, hourly_chart as hourly_chart, traffic_by as traffic_by
