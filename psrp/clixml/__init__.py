"""CLIXML, the XML form of PowerShell values: usable alone. [MS-PSRP] 2.2.5"""

from __future__ import annotations

from psrp.clixml.values import *  # noqa: F403
from psrp.clixml.values import __all__ as __all__
