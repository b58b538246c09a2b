"""A transactional outbox: events are stored in the caller's transaction and published by relay processes.

https://microservices.io/patterns/data/transactional-outbox.html
"""
