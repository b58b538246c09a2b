"""Work for the load tests."""


def fibonacci(n: int) -> int:
    """The nth Fibonacci number by plain recursion: exponential in `n`, on purpose."""
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
