"""Brokers for the tests: the embedded one, Apache Kafka, or one that somebody else runs."""
