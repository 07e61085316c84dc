from .activity import (
    ACTIVITY_RECORD as ACTIVITY_RECORD,
    IDENTIFY as IDENTIFY,
    REQUEST as REQUEST,
    SALES as SALES,
    SUBMIT as SUBMIT,
    VIEW as VIEW,
    VISIT_RECORD as VISIT_RECORD,
    HourActivity as HourActivity,
    Records as Records,
    desk_activity as desk_activity,
    logged_activity as logged_activity,
    planned_activity as planned_activity,
    sales_kind as sales_kind,
    visits_of as visits_of,
)
from .delivery import CollectingSink as CollectingSink, Delivery as Delivery, Sink as Sink
from .labels import (
    LABELS_ORDER as LABELS_ORDER,
    LABELS_SCHEMA as LABELS_SCHEMA,
    NO_LABELS as NO_LABELS,
    KeptLabels as KeptLabels,
    Label as Label,
    LabelKeeper as LabelKeeper,
    faults_by_label as faults_by_label,
)
from .lookups import ComponentEvent as ComponentEvent
from .tracker import Tracker as Tracker
from .transport import DeliveryQueue as DeliveryQueue, Sent as Sent, Transport as Transport
