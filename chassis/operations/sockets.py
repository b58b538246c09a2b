"""Looking at connections that are kept."""

import select


def is_idle(file_descriptor: int) -> bool:
    """True while the other end has neither closed the connection nor said something that nobody has asked for.

    Asks the system alone. Whoever closes a connection on which nobody waits for an answer makes it readable.
    """
    try:
        waiting = select.poll()
        waiting.register(file_descriptor, select.POLLIN | select.POLLRDHUP)
        return not waiting.poll(0)
    except (OSError, ValueError):
        return False
