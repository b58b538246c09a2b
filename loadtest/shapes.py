"""How many people come over time: `LOAD=steps|spike|soak`, by --users and --run-time; without, all come and stay."""

from locust import LoadTestShape


class Shape(LoadTestShape):
    """Phases: until which share of the time, which share of the people. --users and --run-time are the most."""

    abstract = True
    use_common_options = True
    phases: list[tuple[float, float]]
    people_a_second = 5.0  # come or go

    def tick(self) -> tuple[int, float] | None:
        """The people wanted now, or None at the end."""
        options = self.runner.environment.parsed_options
        return self.wanted(self.get_run_time(), users=options.num_users or 1, seconds=options.run_time)

    @classmethod
    def wanted(cls, now: float, *, users: int, seconds: float) -> tuple[int, float] | None:
        """The same for a time of the run."""
        for until, share in cls.phases:
            if now < until * seconds:
                return max(1, round(share * users)), cls.people_a_second
        return None


class Steps(Shape):
    """A quarter of the people more every quarter of the time: where does it become slow?"""

    phases = [(0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1, 1)]


class Spike(Shape):
    """A tenth of the people, all of them at once for a fifth of the time, a tenth again: does it recover?"""

    phases = [(0.3, 0.1), (0.5, 1), (1, 0.1)]
    people_a_second = 50.0


class Soak(Shape):
    """Half of the people for long: does something grow?"""

    phases = [(1, 0.5)]


SHAPES: dict[str, type[Shape] | None] = {"constant": None, "steps": Steps, "spike": Spike, "soak": Soak}
