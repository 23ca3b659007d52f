"""A long test of one server process with many clients on both carriers; see `make soak`."""
