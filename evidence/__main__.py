"""`python -m evidence COMMAND`: what the Makefile calls to test the limits of the stack."""

from tools.command_line import Command, argument, main

COMMANDS = {
    "chaos": Command(
        "evidence.commands:chaos",
        (
            argument("--on", choices=["local", "compose", "cluster"], default="local", help="the kind of stack"),
            argument("pytest", nargs="*", help="arguments for pytest, after --"),
        ),
    ),
    "soak": Command("evidence.commands:soak", (argument("--time", default="15m"),)),
    "states": Command("evidence.commands:states", (argument("--time", default="10m"),)),
    "fuzz": Command("evidence.commands:fuzz", (argument("--cases", type=int, help="a service"),)),
}

if __name__ == "__main__":
    main("evidence", COMMANDS)
