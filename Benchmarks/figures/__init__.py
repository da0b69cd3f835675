"""The figures of the project, a room a module: what is measured is in speed, deadlines,
memory, verdicts and leftovers; what they measure with is in bench, service and processes."""
