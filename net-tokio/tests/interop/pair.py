"""Drives two servers in lockstep with the same bytes and compares what they answer.

One request goes to both servers, then both answers are read up to the first frame that isn't an event, made canonical
(masking.py) and compared. After a difference, allowed or not, the two trees may have drifted apart: `Diverged` ends the
scenario, its part of the tree is removed on both sides, and the zxid counters are measured anew.
"""

import collections
import fnmatch
import json
import struct

import masking
from wire import (Closed, OPCODES, OPEN_ACL, PING_XID, RawConnection, Silence, auth_packet, buf, connect_request, create,
                  i32, path_version)

REPLY_TIMEOUT_S = 5
CLOSE_TIMEOUT_S = 2
CLOSING_ERRORS = (-6, -115, -124)
# An error that closes a connection elsewhere doesn't here; whoever closes after all is found at the next request.
STAYS_OPEN = tuple(OPCODES[name] for name in ("create", "create2", "createContainer", "createTTL", "reconfig", "sasl"))
NAMES = {code: name for name, code in OPCODES.items()}
SUPER = auth_packet("digest", b"super:test")

Reply = collections.namedtuple("Reply", "err body end")


class Diverged(Exception):
    """The two servers answered differently; the scenario can't go on."""


class Outcome:
    """What one server sent in answer to one request: frames in order, and how it ended (reply, closed, silence)."""

    def __init__(self, frames, end):
        self.frames, self.end, self.after = frames, end, ""

    def reply(self):
        last = self.frames[-1] if self.frames else None
        return last if last is not None and self.end == "reply" else None


class PairConnection:
    """The same client connection to both servers, with its session on each."""

    def __init__(self, pair):
        self.pair, self.raw, self.xid, self.sessions = pair, None, 0, [None, None]
        self.identities = 0

    def open(self):
        self.raw = [RawConnection(server.port) for server in self.pair.servers]

    def next_xid(self):
        self.xid += 1
        return self.xid

    def drop(self):
        for raw in self.raw or []:
            raw.close()
        self.raw = None


class Pair:
    """Two servers, the comparison of their answers, and the account of it."""

    def __init__(self, servers, allowed, events_have_zxid):
        self.servers, self.allowed, self.events_have_zxid = servers, allowed, events_have_zxid
        self.sides = [masking.Side(), masking.Side()]
        self.requests = self.succeeded = self.last_zxid = 0
        self.coverage = collections.Counter()
        self.labels = collections.Counter()
        self.allowed_seen = collections.Counter()
        self.differences = []
        self.live = {}
        self.closing_zxids = set()
        self.context = ""

    # Requests.

    def connect(self, label="connect", session=None, wrong_password=None, last_zxid=0, session_id=0, **fields):
        """Opens a connection and compares the handshakes; None when it was refused.

        `session` continues a PairConnection's session, `session_id` is sent as it is.
        """
        connection = PairConnection(self)
        connection.open()

        def body(index):
            given = dict(fields, session=session_id)
            if session is not None:
                given["session"], given["password"] = session.sessions[index]
            if wrong_password is not None:
                given["password"] = wrong_password
            return connect_request(last_zxid=self.raw_zxid(index, last_zxid), **given)

        frames = [i32(len(body(index))) + body(index) for index in (0, 1)]
        outcomes = self._exchange(connection, frames, 1)
        canonical = [self._canonical_connect(index, outcome) for index, outcome in enumerate(outcomes)]
        accepted = all(outcome.reply() is not None and outcome.reply()[4:8] != b"\0\0\0\0" for outcome in outcomes)
        if accepted:
            for index, outcome in enumerate(outcomes):
                frame = outcome.reply()
                identity, length = struct.unpack(">qi", frame[8:20])
                connection.sessions[index] = (identity, frame[20:20 + length])
            self.live[connection.sessions[0][0]] = connection
            if session is None:
                self.last_zxid += 1
        else:
            self._await_close(connection, outcomes, canonical)
        self._account(label, 0 if accepted else ("refused" if outcomes[0].reply() else "closed"), accepted)
        self._compare(label, canonical, outcomes)
        return connection if accepted else None

    def request(self, connection, opcode, body, label=None, xid=None, operations=None, closes=False):
        """Sends one request; gives the reference's Reply. `body` may be a function of the side's index."""
        code = OPCODES.get(opcode, opcode)
        name = NAMES.get(code, f"opcode {code}")
        xid = connection.next_xid() if xid is None else xid
        return self.pipeline(connection, [(code, body, label or name, xid, operations)], closes)[0]

    def pipeline(self, connection, requests, closes=False):
        """Sends several requests at once, then compares all their answers in order."""
        frames = []
        for index in (0, 1):
            bodies = [i32(xid) + i32(code) + (body(index) if callable(body) else body)
                      for code, body, _, xid, _ in requests]
            frames.append(b"".join(i32(len(one)) + one for one in bodies))
        replies = []
        for position, (code, _, label, _, operations) in enumerate(requests):
            outcomes = self._exchange(connection, frames if position == 0 else None, 1)
            canonical = [self._canonical(index, outcome, code) for index, outcome in enumerate(outcomes)]
            reference = outcomes[0].reply()
            head = masking.header(reference) if reference is not None else None
            err = head[2] if head else None
            if head is None or closes or (err in CLOSING_ERRORS and code not in STAYS_OPEN):
                self._await_close(connection, outcomes, canonical)
            name = NAMES.get(code, "unknown")
            if name == "createSession" and reference is not None and len(reference) != 16:
                # A ConnectResponse: it has no header, and its txn took a zxid.
                head, err = None, 0
                self.last_zxid += 1
            result = outcomes[0].end if err is None else err
            self._account(name, result, err == 0 and not self._failed(operations, reference))
            self.labels[(label, result)] += 1
            if operations:
                self._account_multi(name, operations, reference)
            self._compare(label, canonical, outcomes)
            if head and head[1] > 0:
                self.last_zxid = max(self.last_zxid, self.sides[0].zxid(head[1]))
            replies.append(Reply(err, reference[16:] if reference else b"", outcomes[0].end))
        return replies

    def overtaken(self, connection, requests, label):
        """Sends several requests at once whose replies may overtake each other; gives nothing, compares them by xid."""
        canonical = [[], []]
        for index in (0, 1):
            bodies = [i32(xid) + i32(OPCODES[opcode]) + body for opcode, body, xid in requests]
            connection.raw[index].send(b"".join(i32(len(one)) + one for one in bodies))
        codes = {xid: OPCODES[opcode] for opcode, _, xid in requests}
        for index in (0, 1):
            for _ in requests:
                outcome = self._collect(connection.raw[index])
                reply = outcome.reply()
                xid = masking.header(reply)[0] if reply is not None else 0
                canonical[index].append((xid, self._canonical(index, outcome, codes.get(xid, 0))))
                if index == 0 and reply is not None:
                    self.last_zxid = max(self.last_zxid, self.sides[0].zxid(masking.header(reply)[1]))
            canonical[index] = sum((frames for _, frames in sorted(canonical[index])), [])
        self.requests += len(requests)
        self._account("overtaken", "compared", True)
        self._compare(label, canonical, None)

    def raw_bytes(self, connection, data, label):
        """Sends bytes that are no proper request; both servers have to end alike."""
        outcomes = self._exchange(connection, [data, data], 1)
        canonical = [self._canonical(index, outcome, 0) for index, outcome in enumerate(outcomes)]
        self._await_close(connection, outcomes, canonical)
        self._account("frame", outcomes[0].end, False)
        self._compare(label, canonical, outcomes)

    def close_session(self, connection):
        """An orderly closeSession, whose events may come in any order."""
        # The zxid of the close is the next one; the events of other connections carry it.
        reply = self.request(connection, "closeSession", b"", closes=True)
        if reply.err == 0:
            self.live.pop(connection.sessions[0][0], None)
            self.closing_zxids.add(self.last_zxid)
        connection.drop()
        return reply

    def raw_zxid(self, index, canonical):
        return canonical + self.sides[index].segments[-1][1] if canonical > 0 else canonical

    # Reading and comparing.

    def _exchange(self, connection, frames, count):
        outcomes = []
        if frames is not None:
            for index in (0, 1):
                connection.raw[index].send(frames[index])
        for index in (0, 1):
            outcomes.append(self._collect(connection.raw[index]))
        self.requests += count
        return outcomes

    @staticmethod
    def _collect(raw):
        frames = []
        while True:
            try:
                frames.append(raw.frame(REPLY_TIMEOUT_S))
            except Closed:
                return Outcome(frames, "closed")
            except Silence:
                return Outcome(frames, "silence")
            if not masking.is_event(frames[-1]):
                return Outcome(frames, "reply")

    @staticmethod
    def _await_close(connection, outcomes, canonical):
        for index, outcome in enumerate(outcomes):
            if outcome.end != "reply":
                continue
            try:
                connection.raw[index].frame(CLOSE_TIMEOUT_S)
                outcome.after = "then more"
            except Closed:
                outcome.after = "then closed"
            except Silence:
                outcome.after = "then open"
            canonical[index].append(outcome.after.encode())

    def _canonical(self, index, outcome, code):
        side, out = self.sides[index], []
        for frame in outcome.frames:
            if masking.is_event(frame):
                out.append(masking.canonical_event(side, frame, self.events_have_zxid))
            elif code == OPCODES["createSession"] and len(frame) in (36, 37):
                out.append(masking.canonical_connect(side, frame))
            else:
                out.append(masking.canonical_reply(side, frame, code))
        return masking.sort_closing_events(out, self._closing()) + [outcome.end.encode()]

    def _closing(self):
        """zxids of closeSessions whose events may be mixed; without zxids every event may be one of those."""
        return self.closing_zxids | {self.last_zxid + 1} if self.events_have_zxid else {-1}

    def _canonical_connect(self, index, outcome):
        frames = [masking.canonical_connect(self.sides[index], frame) for frame in outcome.frames]
        return frames + [outcome.end.encode()]

    def _compare(self, label, canonical, outcomes):
        if canonical[0] == canonical[1]:
            return
        described = [self._describe(one) for one in canonical]
        for number, rule in enumerate(self.allowed):
            patterns = [(label, rule["request"]), (self.context, rule.get("where", "*")),
                        (described[0], rule["peer_reply"]), (described[1], rule["quorate_reply"])]
            if all(fnmatch.fnmatchcase(text, pattern) for text, pattern in patterns):
                self.allowed_seen[number] += 1
                raise Diverged()
        self.differences.append((self.context, label, described[0], described[1]))
        raise Diverged()

    def _describe(self, canonical):
        words = []
        for frame in canonical:
            if not frame.startswith((b"reply", b"closed", b"silence", b"then")) and len(frame) >= 16:
                xid, zxid, err = masking.header(frame)
                kind = "event" if xid == -1 else "reply"
                place = f"zxid{zxid - self.last_zxid:+d}" if zxid > 0 else f"zxid={zxid}"
                words.append(f"{kind} xid={xid} {place} err={err} body={frame[16:].hex()[:600]}")
            elif frame != b"reply":
                words.append(frame.decode("latin-1") if frame.isascii() else frame.hex())
        return " | ".join(words)

    # The account.

    def _account(self, name, result, succeeded):
        self.coverage[(name, result)] += 1
        self.succeeded += bool(succeeded)

    @staticmethod
    def _failed(operations, reference):
        return bool(operations) and reference is not None and b"\xff\xff\xff\xff\x00" == reference[16:21]

    def _account_multi(self, name, operations, reference):
        """Counts the first failing operation of a multi under its own name, code and position."""
        if not reference or masking.header(reference)[2] != 0 or not self._failed(operations, reference):
            return
        for position, operation in enumerate(operations):
            piece = reference[16 + 13 * position:16 + 13 * (position + 1)]
            if len(piece) < 13:
                return
            code = struct.unpack(">i", piece[9:13])[0]
            if code not in (0, -2):
                self.coverage[(f"{name}:{operation}", code)] += 1
                self.coverage[(f"{name} failing at", position)] += 1
                return

    # Recovery.

    def end_scenario(self):
        """Closes whatever session a scenario left behind, compared as everything else."""
        for connection in list(self.live.values()):
            if connection.raw is not None:
                self.close_session(connection)
                continue
            again = self.connect("connect", session=connection)
            if again is None:
                self.live.pop(connection.sessions[0][0], None)
                continue
            self.close_session(again)

    def recover(self, paths):
        """After a difference: closes sessions, removes `paths`, and measures the zxid counters anew, on each side alone."""
        last = []
        for index, server in enumerate(self.servers):
            for connection in self.live.values():
                if connection.raw is not None:
                    connection.raw[index].close()
                Janitor(server, connection.sessions[index]).finish()
            janitor = Janitor(server)
            janitor.call("auth", SUPER)
            for path in paths:
                janitor.remove(path)
            last.append(janitor.finish())
        self.live.clear()
        self.closing_zxids.clear()
        self.sides[1].shift_after(last[1], last[1] - last[0])
        self.last_zxid = self.sides[0].zxid(last[0])
        # Parents keep the zxid of their last change: change them once more, on both sides at the same zxid.
        connection = self.connect()
        self.request(connection, "auth", SUPER, xid=-4)
        for path in ("/resync", "/zookeeper/quota/resync"):
            self.request(connection, "create", create(path, b"", OPEN_ACL))
            self.request(connection, "delete", path_version(path))
        self.close_session(connection)


class Janitor:
    """A session on one server only, to clean up after a difference."""

    def __init__(self, server, session=(0, b"\0" * 16)):
        self.raw = RawConnection(server.port)
        self.raw.send_frame(connect_request(session=session[0], password=session[1]))
        try:
            self.alive = self.raw.frame(REPLY_TIMEOUT_S)[4:8] != b"\0\0\0\0"
        except (Closed, Silence):
            self.alive = False

    def call(self, opcode, body):
        self.raw.send_frame(i32(PING_XID if opcode == "ping" else 1) + i32(OPCODES[opcode]) + body)
        while True:
            frame = self.raw.frame(REPLY_TIMEOUT_S)
            if not masking.is_event(frame):
                return frame

    def remove(self, path):
        listed = self.call("getChildren", buf(path) + b"\0")
        if masking.header(listed)[2] != 0:
            return
        at, count = 20, struct.unpack(">i", listed[16:20])[0]
        for _ in range(count):
            length = struct.unpack(">i", listed[at:at + 4])[0]
            self.remove(path + "/" + listed[at + 4:at + 4 + length].decode())
            at += 4 + length
        self.call("delete", path_version(path))

    def finish(self):
        """Closes the session; gives the zxid of that."""
        if not self.alive:
            self.raw.close()
            return 0
        try:
            zxid = masking.header(self.call("closeSession", b""))[1]
        except (Closed, Silence):
            zxid = 0
        self.raw.close()
        return zxid


def load_allowed(path, peer):
    """The allowed differences for a peer: the reason, and patterns of request, both replies, and where they were met."""
    with open(path) as file:
        rules = json.load(file)
    for rule in rules:
        assert rule["reason"], f"an allowed difference needs a reason: {rule}"
    return [rule for rule in rules if peer in rule["peers"]]
