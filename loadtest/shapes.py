"""The number of users over time: `LOAD=steps|spike|soak`, of --users and --run-time; otherwise it is constant."""

from locust import LoadTestShape


class Shape(LoadTestShape):
    """Phases: until which share of --run-time, which share of --users."""

    abstract = True
    use_common_options = True
    phases: list[tuple[float, float]]
    users_per_second = 5.0  # started or stopped

    def tick(self) -> tuple[int, float] | None:
        """The users wanted now, or None at the end."""
        options = self.runner.environment.parsed_options
        return self.wanted(self.get_run_time(), users=options.num_users or 1, seconds=options.run_time)

    @classmethod
    def wanted(cls, now: float, *, users: int, seconds: float) -> tuple[int, float] | None:
        """The users wanted at a time of the run."""
        for until, share in cls.phases:
            if now < until * seconds:
                return max(1, round(share * users)), cls.users_per_second
        return None


class Steps(Shape):
    """A quarter of the users more in every quarter of the time: where do answers become slow?"""

    phases = [(0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1, 1)]


class Spike(Shape):
    """A tenth of the users, all of them for a fifth of the time, a tenth again: does the stack recover?"""

    phases = [(0.3, 0.1), (0.5, 1), (1, 0.1)]
    users_per_second = 50.0


class Soak(Shape):
    """Half of the users for a long time: does anything grow?"""

    phases = [(1, 0.5)]


SHAPES: dict[str, type[Shape] | None] = {"constant": None, "steps": Steps, "spike": Spike, "soak": Soak}
