"""x"""


def make(name, *, outbox):
    """x"""
