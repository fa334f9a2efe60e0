//! What goes over the wires, as a reader wants it: the packet's name, which zxid, session and node it is about, and the rest in few words.

use quorate_core::jute::{
    ClientMessage, ConnectRequest, ConnectResponse, ElectionMessage, MultiOp, MultiReadOp, OpCode,
    QuorumPacket, Reader, ReplyHeader, Request, Txn, TxnRecord, WatcherEvent,
};
use quorate_core::vocabulary::{ErrorCode, SessionId, Xid, Zxid};

/// Of long texts so much is shown.
const LONGEST: usize = 160;

/// What packets do, which the page gives a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Election,
    /// Discovery and synchronisation: what makes a leader, and brings a learner up to date.
    Sync,
    /// Requests on their way to the leader, proposals, acknowledgements, commits.
    Broadcast,
    Ping,
    /// Of clients and to them.
    Client,
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) class: Class,
    pub(crate) name: String,
    pub(crate) zxid: Option<Zxid>,
    pub(crate) session: Option<SessionId>,
    pub(crate) path: Option<String>,
    pub(crate) text: String,
}

impl Packet {
    pub(crate) fn new(class: Class, name: &str) -> Self {
        let name = name.to_string();
        Packet { class, name, zxid: None, session: None, path: None, text: String::new() }
    }

    fn zxid(self, zxid: Zxid) -> Self {
        Packet { zxid: Some(zxid), ..self }
    }

    fn session(self, session: SessionId) -> Self {
        Packet { session: (session != SessionId::NONE).then_some(session), ..self }
    }

    fn text(self, text: impl Into<String>) -> Self {
        Packet { text: shortened(text.into()), ..self }
    }

    fn path(self, path: Option<&str>) -> Self {
        Packet { path: path.map(str::to_string), ..self }
    }
}

pub(crate) fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// An opcode by ZooKeeper's name.
fn operation(opcode: i32) -> String {
    let Some(known) = OpCode::from_code(opcode) else { return format!("opcode {opcode}") };
    let name = format!("{known:?}");
    name[..1].to_lowercase() + &name[1..]
}

/// What of a txn can be said in a few words: its operation, and the node, of several the first.
fn txn(packet: Packet, bytes: &bytes::Bytes) -> Packet {
    let Ok(Txn { header, record, .. }) = Txn::decode_all(&mut Reader::new(bytes.clone())) else {
        return packet.text("a txn that can't be read");
    };
    let path = match &record {
        TxnRecord::Multi(ops) => ops.iter().find_map(|(_, op)| path_of_txn(op)),
        one => path_of_txn(one),
    };
    let text = match &record {
        TxnRecord::Multi(ops) => format!("multi of {}", ops.len()),
        TxnRecord::Error { err } => format!("error {}", error(*err)),
        TxnRecord::CreateSession { timeout } => format!("createSession of {timeout} ms"),
        _ => operation(header.opcode.code()),
    };
    packet.session(header.session).path(path).text(format!("{text}, cxid {}", header.cxid.0))
}

fn path_of_txn(record: &TxnRecord) -> Option<&str> {
    match record {
        TxnRecord::Create(create) => Some(&create.path),
        TxnRecord::Delete { path }
        | TxnRecord::SetData { path, .. }
        | TxnRecord::SetAcl { path, .. }
        | TxnRecord::Check { path, .. } => Some(path),
        TxnRecord::CloseSession { paths } => paths.as_ref()?.first().map(String::as_str),
        TxnRecord::CreateSession { .. } | TxnRecord::Error { .. } | TxnRecord::Multi(_) => None,
    }
}

fn error(code: i32) -> String {
    match ErrorCode::from_code(code) {
        Some(known) => format!("{known:?} ({code})"),
        None => format!("{code}"),
    }
}

/// A packet of the quorum port.
pub(crate) fn quorum(packet: &QuorumPacket) -> Packet {
    let broadcast = |name: &str| Packet::new(Class::Broadcast, name);
    let sync = |name: &str| Packet::new(Class::Sync, name);
    match packet {
        QuorumPacket::Request(request) => {
            let body = Request::decode(request.opcode, &mut Reader::new(request.body.clone())).ok();
            let text = format!("{}, cxid {}", operation(request.opcode), request.cxid.0);
            let path = body.as_ref().and_then(path_of_request);
            broadcast("REQUEST").session(request.session).path(path).text(text)
        }
        QuorumPacket::Proposal { zxid, txn: bytes } => txn(broadcast("PROPOSAL").zxid(*zxid), bytes),
        QuorumPacket::Ack { zxid } => broadcast("ACK").zxid(*zxid),
        QuorumPacket::Commit { zxid } => broadcast("COMMIT").zxid(*zxid),
        QuorumPacket::Sync { zxid } => broadcast("SYNC").zxid(*zxid),
        QuorumPacket::Inform { zxid, txn: bytes } => txn(broadcast("INFORM").zxid(*zxid), bytes),
        QuorumPacket::CommitAndActivate { zxid, .. } => broadcast("COMMITANDACTIVATE").zxid(*zxid),
        QuorumPacket::InformAndActivate { zxid, txn: bytes, .. } => {
            txn(broadcast("INFORMANDACTIVATE").zxid(*zxid), bytes)
        }
        QuorumPacket::Ping { zxid, touched } => {
            let text = touched.as_ref().map(|touched| format!("{} sessions heard of", touched.len()));
            Packet::new(Class::Ping, "PING").zxid(*zxid).text(text.unwrap_or_default())
        }
        QuorumPacket::Revalidate { session, timeout } => {
            broadcast("REVALIDATE").session(*session).text(format!("{timeout} ms"))
        }
        QuorumPacket::Revalidated { session, valid } => {
            broadcast("REVALIDATE").session(*session).text(if *valid { "valid" } else { "not valid" })
        }
        QuorumPacket::NewLeader { zxid, .. } => sync("NEWLEADER").zxid(*zxid),
        QuorumPacket::FollowerInfo { accepted_epoch, info } => {
            sync("FOLLOWERINFO").text(format!("id {}, accepted epoch {}", info.sid, accepted_epoch.0))
        }
        QuorumPacket::ObserverInfo { accepted_epoch, info } => {
            sync("OBSERVERINFO").text(format!("id {}, accepted epoch {}", info.sid, accepted_epoch.0))
        }
        QuorumPacket::UpToDate => sync("UPTODATE"),
        QuorumPacket::Diff { zxid } => sync("DIFF").zxid(*zxid),
        QuorumPacket::Trunc { zxid } => sync("TRUNC").zxid(*zxid),
        QuorumPacket::Snap { zxid } => sync("SNAP").zxid(*zxid),
        QuorumPacket::LeaderInfo { epoch } => sync("LEADERINFO").text(format!("epoch {}", epoch.0)),
        QuorumPacket::AckEpoch { last_zxid, current_epoch } => {
            let text =
                current_epoch.map_or("accepted before".to_string(), |epoch| format!("epoch {}", epoch.0));
            sync("ACKEPOCH").zxid(*last_zxid).text(text)
        }
        QuorumPacket::Unknown { kind } => broadcast("unknown").text(format!("kind {kind}")),
    }
}

/// A message of the election port.
pub(crate) fn election(message: &ElectionMessage) -> Packet {
    match message {
        ElectionMessage::Initial(initial) => {
            Packet::new(Class::Election, "hello").text(format!("of id {}", initial.sid))
        }
        ElectionMessage::Notification(vote) => {
            let text = format!(
                "{:?}, for id {} (epoch {}), round {}",
                vote.state, vote.leader, vote.peer_epoch, vote.election_epoch
            );
            Packet::new(Class::Election, "notification").zxid(vote.zxid).text(text.to_lowercase())
        }
        ElectionMessage::Malformed => Packet::new(Class::Election, "malformed notification"),
    }
}

/// What a client says, and the number that its reply will have.
pub(crate) fn of_client(message: &ClientMessage) -> (Packet, Option<Xid>) {
    match message {
        ClientMessage::FourLetter { command, .. } => {
            (Packet::new(Class::Client, "four letters").text(format!("{command:?}")), None)
        }
        ClientMessage::Connect(request) => (connect(request), None),
        ClientMessage::Request { xid, request: Request::Ping, .. } => {
            (Packet::new(Class::Ping, "ping"), Some(*xid))
        }
        ClientMessage::Request { xid, request, .. } => {
            let packet = Packet::new(Class::Client, &operation(request.opcode()));
            let text = match of_request(request) {
                more if more.is_empty() => format!("xid {}", xid.0),
                more => format!("{more}, xid {}", xid.0),
            };
            (packet.path(path_of_request(request)).text(text), Some(*xid))
        }
    }
}

fn connect(request: &ConnectRequest) -> Packet {
    let text = match request.session_id {
        SessionId::NONE => format!("a new session of {} ms", request.timeout),
        _ => format!("to go on, saw {}", request.last_zxid_seen),
    };
    Packet::new(Class::Client, "connect").session(request.session_id).text(text)
}

/// The handshake's answer.
pub(crate) fn connected(response: &ConnectResponse) -> Packet {
    let text = match response.timeout {
        0 => "the session is no more".to_string(),
        timeout if response.read_only == Some(true) => format!("for {timeout} ms, reads only"),
        timeout => format!("for {timeout} ms"),
    };
    Packet::new(Class::Client, "connected").session(response.session_id).text(text)
}

/// A watch fires.
pub(crate) fn event(zxid: Zxid, event: &WatcherEvent) -> Packet {
    Packet::new(Class::Client, "watch event")
        .zxid(zxid)
        .path(Some(&event.path))
        .text(format!("{:?}", event.kind))
}

/// An answer, to a request of this name at this node.
pub(crate) fn reply(header: &ReplyHeader, asked: Option<(&str, Option<&str>)>) -> Packet {
    let (name, path) = asked.unwrap_or(("?", None));
    let class = if name == "ping" { Class::Ping } else { Class::Client };
    let outcome = if header.err == 0 { "ok".to_string() } else { error(header.err) };
    Packet::new(class, &format!("{name} reply"))
        .zxid(header.zxid)
        .path(path)
        .text(format!("{outcome}, xid {}", header.xid.0))
}

/// What a request says beside its path.
fn of_request(request: &Request) -> String {
    let length = |data: &Option<bytes::Bytes>| data.as_ref().map_or(0, bytes::Bytes::len);
    match request {
        Request::Create(create) => {
            let kind = match create.flags {
                0 => "",
                1 => "ephemeral, ",
                2 => "sequential, ",
                3 => "ephemeral and sequential, ",
                _ => "other flags, ",
            };
            format!("{kind}{} bytes", length(&create.data))
        }
        Request::SetData { data, version, .. } => format!("{} bytes, version {version}", length(data)),
        Request::Delete { version, .. } | Request::SetAcl { version, .. } => format!("version {version}"),
        Request::Exists { watch: true, .. }
        | Request::GetData { watch: true, .. }
        | Request::GetChildren { watch: true, .. }
        | Request::GetChildren2 { watch: true, .. } => "with a watch".to_string(),
        Request::Multi(ops) => {
            let names: Vec<String> = ops.iter().map(of_multi).collect();
            names.join("; ")
        }
        Request::MultiRead(ops) => format!("{} reads", ops.len()),
        Request::SetWatches(watches) | Request::SetWatches2(watches) => {
            format!("since {}", watches.relative_zxid)
        }
        _ => String::new(),
    }
}

fn of_multi(op: &MultiOp) -> String {
    let at = |path: &Option<String>| path.clone().unwrap_or_default();
    match op {
        MultiOp::Create(create) => format!("create {}", at(&create.path)),
        MultiOp::Delete { path, version } => format!("delete {} version {version}", at(path)),
        MultiOp::SetData { path, version, .. } => format!("setData {} version {version}", at(path)),
        MultiOp::Check { path, version } => format!("check {} version {version}", at(path)),
    }
}

/// The node of a request, of several the first.
fn path_of_request(request: &Request) -> Option<&str> {
    match request {
        Request::Create(create) => create.path.as_deref(),
        Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::SetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetEphemerals { prefix: path }
        | Request::GetAllChildrenNumber { path }
        | Request::AddWatch { path, .. } => path.as_deref(),
        Request::Multi(ops) => ops.first().and_then(|op| match op {
            MultiOp::Create(create) => create.path.as_deref(),
            MultiOp::Delete { path, .. } | MultiOp::SetData { path, .. } | MultiOp::Check { path, .. } => {
                path.as_deref()
            }
        }),
        Request::MultiRead(ops) => ops.first().and_then(|op| match op {
            MultiReadOp::GetData { path } | MultiReadOp::GetChildren { path } => path.as_deref(),
        }),
        _ => None,
    }
}
