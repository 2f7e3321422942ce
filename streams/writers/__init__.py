"""What ``streams.write_ecm`` and ``streams.write_dynamics`` share.

writing    one command at a time per record, carried out until there is an outcome
patience   how a writer waits: backoff, limiter, circuit breaker
"""
