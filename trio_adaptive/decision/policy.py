"""What a policy is made of: here, for those who write one of their own."""

from trio_adaptive.decision.model.policies import Advice, Policy, View

__all__ = ["Advice", "Policy", "View"]
