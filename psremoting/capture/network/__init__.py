"""Packet captures: containers, network layers, TCP streams, HTTP messages, and their decryption."""
