"""The switch of the fast paths of reader and writer.

A fast path does the work of the general one for a usual form of document or value. It never decides
anything: where it does not apply, or finds anything wrong, the general path does the work from the
start of the element, and reports errors. Tests run with and without the fast paths
(tests/clixml/conftest.py), and a property compares them (tests/properties/test_fast_paths.py).

- `psrp.clixml.tokens`: tags seen before are known by their text.
- `psrp.clixml.columns`: runs of like items are read property by property.
- `psrp.clixml.write_columns`: runs of like objects are written property by property.
- `psrp.clixml.write_roots`: an object whose like was written before is a template with values.
- `psrp.clixml.roots`: documents of one object whose like was read before.
"""

from __future__ import annotations

__all__ = ["enabled"]

enabled = True
"""False sends everything through the general paths."""
