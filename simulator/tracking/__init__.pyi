from .activity import (
    ASK as ASK,
    OCCURRENCE as OCCURRENCE,
    VISIT as VISIT,
    Hour as Hour,
    Records as Records,
    at_desk as at_desk,
    lived as lived,
    planned as planned,
    step_of as step_of,
    visits_of as visits_of,
)
from .delivery import CollectingSink as CollectingSink, Delivery as Delivery, Sink as Sink
from .labels import (
    LABELS_ORDER as LABELS_ORDER,
    LABELS_SCHEMA as LABELS_SCHEMA,
    KeptLabels as KeptLabels,
    Label as Label,
    LabelKeeper as LabelKeeper,
)
from .tracker import Tracker as Tracker
from .transport import DeliveryQueue as DeliveryQueue, Sent as Sent, Transport as Transport
