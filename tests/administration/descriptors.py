"""Hypothesis strategies of security descriptors."""

from __future__ import annotations

from hypothesis import strategies as st

from psremoting.administration.access_conditions import Condition
from psremoting.administration.sddl import Ace, Acl, SecurityDescriptor
from psremoting.administration.security_identifiers import ALIASES

own_sids = st.builds("S-1-5-21-{}-{}-{}-{}".format, *[st.integers(0, 2**32 - 1) for _ in range(4)])
sids = st.sampled_from(sorted(ALIASES.values())) | own_sids
masks = st.sampled_from([0x10000000, 0x20000000, 0x1F01FF, 0x20019]) | st.integers(0, 2**32 - 1)
_flags = st.lists(st.sampled_from(["CI", "OI", "NP", "IO", "ID"]), unique=True).map(tuple)


def _grown(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(Condition, operator=st.sampled_from(["&&", "||"]), parts=parts) | st.builds(
        Condition, operator=st.just("!"), parts=st.tuples(inner)
    )


_members = st.builds(
    Condition,
    operator=st.sampled_from(["Member_of", "Member_of_Any", "Not_Member_of", "Not_Member_of_Any"]),
    sids=st.lists(sids, min_size=1, max_size=3).map(tuple),
)
conditions = st.recursive(_members, _grown, max_leaves=5)
plain_aces = st.builds(Ace, type=st.sampled_from(["A", "D"]), flags=_flags, mask=masks, sid=sids)
_conditional = st.builds(
    Ace, type=st.sampled_from(["XA", "XD"]), mask=masks, sid=sids, condition=conditions
)
_object = st.builds(
    Ace,
    type=st.sampled_from(["OA", "OD"]),
    mask=masks,
    sid=sids,
    object_guid=st.just("") | st.uuids().map(str),
    inherit_guid=st.just("") | st.uuids().map(str),
)
aces = plain_aces | _conditional | _object
acls = st.builds(
    Acl,
    flags=st.lists(st.sampled_from(["P", "AR", "AI"]), unique=True).map(tuple),
    aces=st.lists(aces, max_size=6).map(tuple),
)
descriptors = st.builds(
    SecurityDescriptor,
    owner=st.just("") | sids,
    group=st.just("") | sids,
    dacl=st.none() | acls,
    sacl=st.none() | acls,
)
