"""Metrics for Prometheus: what a fleet of scalers is doing, read when somebody asks.

One idea per file: `snapshot` freezes what one scaler tells, `sizes`, `limits`, `happened`, `health` and `shadows` say which metrics are
made of it, `collector` hands them to prometheus-client, `exposition` makes the answer to a scrape. Nothing here is kept between
two scrapes, and nothing is counted here: the counts are the runtime's, see `trio_adaptive.journal.tally`.
"""
