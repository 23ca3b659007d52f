"""The PowerShell Remoting Protocol [MS-PSRP] as a library without I/O.

`psrp.clixml` turns values into CLIXML and back, `psrp.fragments` cuts and joins messages,
`psrp.messages` and `psrp.events` are the messages, and `Pool` is the machine that combines them,
for a client and for a server. `psrp.strategies` (extra ``testing``) generates all of it for
hypothesis.
"""

from psrp.pool import Pool
from psrp.sansio import (
    ClixmlError,
    FragmentError,
    LimitExceeded,
    LocalProtocolError,
    MessageError,
    Outgoing,
    ProtocolError,
    RemoteProtocolError,
    Side,
    Stream,
    TransportAct,
    UnexpectedMessage,
)
from psrp.states import PipelinePhase, PoolState

__all__ = [
    "ClixmlError",
    "FragmentError",
    "LimitExceeded",
    "LocalProtocolError",
    "MessageError",
    "Outgoing",
    "PipelinePhase",
    "Pool",
    "PoolState",
    "ProtocolError",
    "RemoteProtocolError",
    "Side",
    "Stream",
    "TransportAct",
    "UnexpectedMessage",
]
