"""The composed service: scheduler, workers, scaler and what a person sees of them. Always a ``trio.run`` program."""
