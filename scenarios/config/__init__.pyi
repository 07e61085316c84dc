from .description import component_rows as component_rows, resolved_intercept as resolved_intercept
from .layers import Layers as Layers
from .library import (
    find_scenario as find_scenario,
    find_study as find_study,
    library_names as library_names,
    read_text as read_text,
    study_names as study_names,
)
from .loading import (
    Overrides as Overrides,
    load as load,
    load_beside as load_beside,
    load_source as load_source,
    parse as parse,
    read_source as read_source,
    with_changes as with_changes,
)
from .model_paths import fields_of as fields_of, types_at as types_at, value_at as value_at
from .pages_file import with_mapping as with_mapping
from .renamed import with_current_names as with_current_names, with_current_paths as with_current_paths
from .settings import ScenarioSettings as ScenarioSettings, yaml_text as yaml_text
from .validation import check as check
from .yaml_source import Path as Path, YamlSource as YamlSource, dotted as dotted, read_yaml as read_yaml
