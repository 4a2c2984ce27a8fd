"""When adapting ends by itself: nothing comes of it any more, and a setting says that this is the end."""

from __future__ import annotations

import math

from attrs import define

from trio_adaptive.config import Settings
from trio_adaptive.decision.model import Event, Sampled, SampleFailed
from trio_adaptive.decision.retries import breaker
from trio_adaptive.decision.state import State
from trio_adaptive.errors import GivenUp, LaunchesFailed, SchedulerLost


@define
class Hopeless:
    """Looks at each event, and says when it is time to give up.

    Attributes:
        settings: ``on_breaker`` and ``scheduler_timeout`` count here.
    """

    settings: Settings
    _silent_since: float = math.inf

    def after(self, event: Event, state: State) -> GivenUp | None:
        """Why to give up, after this event has led to this state; None to go on."""
        match event:
            case SampleFailed(at=at, error=error):
                self._silent_since = min(self._silent_since, at)
                if at - self._silent_since >= self.settings.scheduler_timeout:
                    for_ = f"for {self.settings.scheduler_timeout:g} s (scheduler_timeout)"
                    return SchedulerLost(f"the scheduler has not answered {for_}: {error}")
            case Sampled():
                self._silent_since = math.inf
            case _:
                pass
        if self.settings.on_breaker == "end" and breaker(state, event.at) != "closed":
            return LaunchesFailed(f"{state.failures} launches in a row have failed: {state.last_error}")
        return None
