"""The figures of the project. Each subject has a module; registry lists the figures, and bench,
service and processes hold the shared tools."""
