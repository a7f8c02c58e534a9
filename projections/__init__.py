"""The answering side: read models, and how they are built.

No read model holds a fact that is not in the log: each is folded from it, `project(event, row) -> row`, and
can be dropped and built again byte for byte. Asking for something changes nothing here.
"""

from projections.activity import ACTIVITY
from projections.following import AnyProjector
from projections.pipeline_list import PIPELINE_LIST
from projections.run_detail import RUN_DETAIL
from projections.run_list import RUN_LIST
from projections.system_state import SYSTEM_STATE

PROJECTORS: tuple[AnyProjector, ...] = (RUN_LIST, RUN_DETAIL, ACTIVITY, PIPELINE_LIST, SYSTEM_STATE)
"""Every read model."""
