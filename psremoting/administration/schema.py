"""The tables of the store, and the migrations that lead from one version to the next."""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "MIGRATIONS"]

APPLICATION_ID = 0x50535250
"""Marks a SQLite file as a store of psrp (``PRAGMA application_id``)."""

_FIRST = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE configurations (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE listeners (key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (key TEXT PRIMARY KEY, line TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE mappings (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE principals (sid TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE members (key TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (key, member))
    WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, who TEXT NOT NULL,
    address TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL
);
"""
_SESSIONS = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE session_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, action TEXT NOT NULL,
    who TEXT NOT NULL
);
"""
MIGRATIONS: tuple[str, ...] = (_FIRST, _SESSIONS)
"""The script at place N leads from version N to version N + 1; a published one never changes."""
