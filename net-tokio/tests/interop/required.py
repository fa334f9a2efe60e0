"""Which error codes each operation can return from a standalone or a read-only server, so that none goes untried.

Left out:
- -12 and -112, by a race only: Java sends them, rarely, to a request right behind a closeSession, which Quorate drops;
- -118, when a session moves between the members of an ensemble; -120, with local sessions, which an ensemble has;
- -124, with `enforce.auth.enabled`, on a standalone server too: Quorate refuses to start with that key;
- -127, with `throttled_op_wait_time`: Quorate warns that it does not throttle, and ignores the key;
- reconfig's codes of an ensemble.
"""

CREATE_CODES = (0, -5, -8, -101, -102, -108, -110, -114, -125)
READ_CODES = (0, -5, -101, -102)
CODES = {
    "create": CREATE_CODES + (-6,),
    "create2": CREATE_CODES + (-6,),
    "createContainer": CREATE_CODES + (-6,),
    "createTTL": CREATE_CODES + (-6,),
    "delete": (0, -5, -8, -101, -102, -103, -111),
    "exists": READ_CODES + (-8,),
    "getData": READ_CODES,
    "getACL": READ_CODES,
    "getChildren": READ_CODES,
    "getChildren2": READ_CODES,
    "getAllChildrenNumber": READ_CODES,
    "setData": (0, -5, -8, -101, -102, -103, -125),
    "setACL": (0, -5, -8, -101, -102, -103, -114),
    "sync": (0, -5),
    "ping": (0,),
    "check": (-6,),
    "multi": (0, -5),
    "multiRead": (0, -5),
    "multi:create": (-8, -101, -102, -108, -110, -114, -125),
    "multi:create2": (-8, -101, -102, -108, -110, -114, -125),
    "multi:createContainer": (-8, -101, -102, -108, -110, -114, -125),
    "multi:createTTL": (-6, -8, -101, -102, -108, -110, -114, -125),
    "multi:delete": (-8, -101, -102, -103, -111),
    "multi:setData": (-8, -101, -102, -103, -125),
    "multi:check": (-8, -101, -102, -103),
    "multi failing at": (0, 1, 2, 3),
    "multiRead:getData": (-101, -102),
    "multiRead:getChildren": (-101, -102),
    "reconfig": (-5, -6, -123),
    "checkWatches": (0, -5, -121),
    "removeWatches": (0, -5, -121),
    "auth": (0, -115, "closed"),
    "setWatches": (0, -5),
    "setWatches2": (0, -5),
    "addWatch": (0, -5),
    "sasl": (0, "closed"),
    "getEphemerals": (0, -5),
    "whoAmI": (0,),
    "closeSession": (0,),
    "unknown": (-6,),
    "frame": ("closed",),
    "connect": (0,),
    "connect/future zxid": ("closed",),
    "connect/odd": (0,),
    "connect/unknown session": ("refused",),
    "connect/wrong password": ("refused",),
}


# Ways to a code that others would hide.
LABELS = {
    "multi/null id": (-5,),
    "multi/unreadable quota": (-5,),
    "create/unreadable quota": (-5,),
    "setData/unreadable quota": (-5,),
    "setWatches/null element": (-5,),
    "setWatches2/null element": (-5,),
    "create/nulls in acl": (-5,),
}

READ_ONLY = [(name, -119) for name in ("create", "create2", "createContainer", "createTTL", "delete", "setData", "setACL",
                                       "sync", "multi", "reconfig")]
READ_ONLY += [("connect/read-only", 0), ("connect/not read-only", "closed")]


def required_pairs():
    """Every (operation or label, result) a full run has to meet five times or more."""
    return [(name, code) for name, codes in (CODES | LABELS).items() for code in codes] + READ_ONLY
