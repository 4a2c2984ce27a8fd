"""The words of the decision: units, samples, actions, outcomes, decisions, records.

Only frozen values live here. Times are seconds on the runtime's monotonic clock, durations are seconds.
"""

from trio_adaptive.decision.model.actions import (
    Action,
    ActionName,
    Cancel,
    Drain,
    Launch,
    Lost,
    Outcome,
    Recall,
    Result,
    Suggest,
)
from trio_adaptive.decision.model.events import (
    AddRequest,
    Command,
    Direction,
    Event,
    Finished,
    Sampled,
    SampleFailed,
    SetHold,
    SetLimits,
    SetPause,
    SetPolicy,
    SetSchedule,
    Stop,
    Suggested,
)
from trio_adaptive.decision.model.load import Candidate, Load, Memory, TaskClass, TaskGroup, Work
from trio_adaptive.decision.model.records import Counts, Decision, Reason, Record, RecordKind, Shadowed
from trio_adaptive.decision.model.sample import Cause, Sample
from trio_adaptive.decision.model.units import ENDED, SERVING, Unit, UnitId, UnitState, WorkerName

__all__ = [
    "ENDED",
    "SERVING",
    "Action",
    "ActionName",
    "AddRequest",
    "Cancel",
    "Candidate",
    "Cause",
    "Command",
    "Counts",
    "Decision",
    "Direction",
    "Drain",
    "Event",
    "Finished",
    "Launch",
    "Load",
    "Lost",
    "Memory",
    "Outcome",
    "Reason",
    "Recall",
    "Record",
    "RecordKind",
    "Result",
    "Sample",
    "SampleFailed",
    "Sampled",
    "SetHold",
    "SetLimits",
    "SetPause",
    "SetPolicy",
    "SetSchedule",
    "Shadowed",
    "Stop",
    "Suggest",
    "Suggested",
    "TaskClass",
    "TaskGroup",
    "Unit",
    "UnitId",
    "UnitState",
    "Work",
    "WorkerName",
]
