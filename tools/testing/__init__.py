"""The test runner, and the stacks that it starts."""
