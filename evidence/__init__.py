"""What shows how the stack behaves: chaos, fuzzing, soak, experiments, benchmarks."""
