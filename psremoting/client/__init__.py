"""The client's side of a session: carriers, the pool driver, invocations, and host calls."""
