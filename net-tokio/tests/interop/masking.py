"""Makes the replies of two servers comparable byte for byte.

Masked: ctime and mtime, session ids (replaced by the order in which the test opened them) and session passwords, the
epoch half of every zxid. Put in order, since the protocol leaves it open: children, ephemerals, identities, and the
events of one closeSession. Everything else stays as the server sent it, and bytes that don't parse stay raw.
"""

import struct

from wire import EVENT_XID, OPCODES

STAT = struct.Struct(">qqqqiiiqiiq")
COUNTER = 0xFFFF_FFFF
MASKED_TIME = 0x7474_7474_7474_7474
OWNER_BASE = 0x5E55_0000


class Side:
    """What is known about one server: its sessions, and how its zxid counter runs against the reference's."""

    def __init__(self):
        self.sessions = {}
        self.segments = [(0, 0)]
        self.last_zxid = 0

    def session_index(self, session):
        return self.sessions.setdefault(session, len(self.sessions))

    def zxid(self, raw):
        """The zxid the reference would have used, without its epoch; special values stay."""
        if raw <= 0:
            return raw
        counter = raw & COUNTER
        shift = 0
        for start, delta in self.segments:
            if counter > start:
                shift = delta
        return counter - shift

    def shift_after(self, raw, delta):
        """From the zxid after `raw` on, this server is `delta` ahead of the reference."""
        self.segments.append((raw & COUNTER, delta))

    def owner(self, raw):
        return OWNER_BASE + self.sessions[raw] if raw in self.sessions else raw


class Cursor:
    """Reads a reply, giving the canonical bytes of each field."""

    def __init__(self, side, data):
        self.side, self.data, self.at = side, data, 0

    def take(self, length):
        if length < 0 or self.at + length > len(self.data):
            raise ValueError("short")
        piece = self.data[self.at:self.at + length]
        self.at += length
        return piece

    def int(self):
        return struct.unpack(">i", self.take(4))[0]

    def buf(self):
        start = self.at
        length = self.int()
        if length > 0:
            self.take(length)
        return self.data[start:self.at]

    def stat(self):
        fields = list(STAT.unpack(self.take(STAT.size)))
        fields[0], fields[1], fields[10] = (self.side.zxid(fields[index]) for index in (0, 1, 10))
        # A zero time belongs to nodes nobody created, and has to be the same on both.
        fields[2], fields[3] = (MASKED_TIME if fields[index] else 0 for index in (2, 3))
        fields[7] = self.side.owner(fields[7])
        return STAT.pack(*fields)

    def sorted_bufs(self, fields=1):
        count = self.int()
        items = sorted(b"".join(self.buf() for _ in range(fields)) for _ in range(max(count, 0)))
        return struct.pack(">i", count) + b"".join(items)

    def acls(self):
        count = self.int()
        return struct.pack(">i", count) + b"".join(self.take(4) + self.buf() + self.buf() for _ in range(max(count, 0)))

    def multi(self):
        out = b""
        while True:
            header = self.take(9)
            kind, done = struct.unpack(">iB", header[:5])
            out += header
            if done:
                return out
            out += self.body(kind) if kind != -1 else self.take(4)

    def body(self, opcode):
        layout = LAYOUTS.get(opcode)
        return layout(self) if layout else b""

    def rest(self):
        return self.take(len(self.data) - self.at)


def _layouts():
    code = OPCODES
    with_stat = lambda first: lambda cursor: first(cursor) + cursor.stat()  # noqa: E731
    layouts = {code["create"]: Cursor.buf, code["sync"]: Cursor.buf, code["getChildren"]: Cursor.sorted_bufs,
               code["getEphemerals"]: Cursor.sorted_bufs, code["getChildren2"]: with_stat(Cursor.sorted_bufs),
               code["getACL"]: with_stat(Cursor.acls), code["multi"]: Cursor.multi, code["multiRead"]: Cursor.multi,
               code["whoAmI"]: lambda cursor: cursor.sorted_bufs(2)}
    for name in ("create2", "createContainer", "createTTL", "getData", "reconfig"):
        layouts[code[name]] = with_stat(Cursor.buf)
    for name in ("exists", "setData", "setACL"):
        layouts[code[name]] = Cursor.stat
    return layouts


LAYOUTS = _layouts()


def header(frame):
    """(xid, zxid, err) of a reply frame, or None when it is too short to have them."""
    return struct.unpack(">iqi", frame[:16]) if len(frame) >= 16 else None


def canonical_reply(side, frame, opcode):
    """The canonical bytes of a reply to a request of type `opcode`."""
    head = header(frame)
    if head is None:
        return frame
    xid, zxid, err = head
    out = struct.pack(">iqi", xid, side.zxid(zxid), err)
    cursor = Cursor(side, frame[16:])
    try:
        if err == 0 and len(frame) > 16:
            out += cursor.body(opcode)
        return out + cursor.rest()
    except (ValueError, struct.error):
        return out + frame[16:]


def canonical_event(side, frame, events_have_zxid):
    xid, zxid, err = header(frame)
    return struct.pack(">iqi", xid, side.zxid(zxid) if events_have_zxid else -1, err) + frame[16:]


def is_event(frame):
    return len(frame) >= 16 and struct.unpack(">i", frame[:4])[0] == EVENT_XID


def canonical_connect(side, frame):
    """A ConnectResponse with its session named by order and its password masked."""
    if len(frame) < 20:
        return frame
    version, timeout_ms, session, length = struct.unpack(">iiqi", frame[:20])
    if session == 0:
        return frame
    index = OWNER_BASE + side.session_index(session)
    password = b"\x70" * max(length, 0)
    return struct.pack(">iiqi", version, timeout_ms, index, length) + password + frame[20 + max(length, 0):]


def sort_closing_events(frames, closing_zxids):
    """Puts neighbouring events of one closeSession in order; the server may send them in any."""
    out, run = [], []
    for frame in frames + [None]:
        zxid = header(frame)[1] if frame is not None and is_event(frame) else None
        if zxid is not None and zxid in closing_zxids and (not run or header(run[0])[1] == zxid):
            run.append(frame)
            continue
        out += sorted(run)
        run = []
        if zxid is not None and zxid in closing_zxids:
            run.append(frame)
        elif frame is not None:
            out.append(frame)
    return out
