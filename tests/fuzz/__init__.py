"""Fuzzing of every reader that bytes of a peer or of a file reach; see spec-notes/fuzzing.md."""
