//! A txn, or a znode, as a line of text or a JSON object.
//!
//! The head of a txn's line is that of ZooKeeper's own TxnLogToolkit; what follows is legible where that prints raw bytes.

use crate::civil::Civil;
use crate::tools::stat_as_json;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quorate_core::jute::{Acl, OpCode, Stat, Txn, TxnRecord};
use quorate_core::tree::{NodeView, Owner};
use serde_json::{Value, json};

/// Data longer than this is cut in text; JSON has all of it.
const SHOWN_DATA: usize = 60;

/// An opcode as ZooKeeper's tools write it: `createSession`.
pub(super) fn opcode_name(opcode: OpCode) -> String {
    match opcode {
        OpCode::CreateTtl => "createTTL".to_owned(),
        OpCode::SetAcl => "setACL".to_owned(),
        other => {
            let name = format!("{other:?}");
            name[..1].to_lowercase() + &name[1..]
        }
    }
}

/// A txn as one line.
pub(super) fn txn_as_text(txn: &Txn) -> String {
    let header = &txn.header;
    let mut line = format!(
        "{} session {} cxid 0x{:x} zxid {} {}",
        Civil::from_unix_millis(header.time.0),
        header.session,
        header.cxid.0,
        header.zxid,
        opcode_name(header.opcode)
    );
    let detail = record_as_text(&txn.record);
    if !detail.is_empty() {
        line.push(' ');
        line += &detail;
    }
    line
}

fn record_as_text(record: &TxnRecord) -> String {
    match record {
        TxnRecord::Create(create) => {
            let mut text = format!(
                "{} {} {}",
                create.path,
                data_as_text(create.data.as_deref()),
                acl_as_text(&create.acl)
            );
            if create.ephemeral {
                text += " ephemeral";
            }
            if create.ttl != 0 {
                text += &format!(" ttl {}", create.ttl);
            }
            text + &format!(" parentCVersion {}", create.parent_cversion)
        }
        TxnRecord::Delete { path } => path.clone(),
        TxnRecord::SetData { path, data, version } => {
            format!("{path} {} version {version}", data_as_text(data.as_deref()))
        }
        TxnRecord::SetAcl { path, acl, version } => format!("{path} {} aversion {version}", acl_as_text(acl)),
        TxnRecord::Check { path, version } => format!("{path} version {version}"),
        TxnRecord::CreateSession { timeout } => format!("{timeout}"),
        TxnRecord::CloseSession { paths: None } => String::new(),
        TxnRecord::CloseSession { paths: Some(paths) } => format!("[{}]", paths.join(", ")),
        TxnRecord::Error { err } => format!("{err}"),
        TxnRecord::Multi(records) => {
            let parts: Vec<String> = records
                .iter()
                .map(|(opcode, record)| format!("{}: {}", opcode_name(*opcode), record_as_text(record)))
                .collect();
            parts.join("; ")
        }
    }
}

/// A txn as a JSON object.
pub(super) fn txn_as_json(txn: &Txn, offset: u64) -> Value {
    let header = &txn.header;
    let mut value = json!({
        "kind": "txn",
        "offset": offset,
        "time": header.time.0,
        "session": header.session.to_string(),
        "cxid": header.cxid.0,
        "zxid": header.zxid.to_string(),
        "type": opcode_name(header.opcode),
        "digest": txn.digest.map(|digest| format!("0x{:x}", digest.tree_digest)),
    });
    merge(&mut value, record_as_json(&txn.record));
    value
}

fn record_as_json(record: &TxnRecord) -> Value {
    match record {
        TxnRecord::Create(create) => json!({
            "path": create.path,
            "data": create.data.as_deref().map(|data| STANDARD.encode(data)),
            "acl": acl_as_json(&create.acl),
            "ephemeral": create.ephemeral,
            "parent_cversion": create.parent_cversion,
            "ttl": create.ttl,
        }),
        TxnRecord::Delete { path } => json!({ "path": path }),
        TxnRecord::SetData { path, data, version } => {
            json!({ "path": path, "data": data.as_deref().map(|data| STANDARD.encode(data)), "version": version })
        }
        TxnRecord::SetAcl { path, acl, version } => {
            json!({ "path": path, "acl": acl_as_json(acl), "version": version })
        }
        TxnRecord::Check { path, version } => json!({ "path": path, "version": version }),
        TxnRecord::CreateSession { timeout } => json!({ "timeout": timeout }),
        TxnRecord::CloseSession { paths } => json!({ "paths": paths }),
        TxnRecord::Error { err } => json!({ "err": err }),
        TxnRecord::Multi(records) => {
            let ops = records.iter().map(|(opcode, record)| {
                let mut value = json!({ "type": opcode_name(*opcode) });
                merge(&mut value, record_as_json(record));
                value
            });
            json!({ "ops": ops.collect::<Vec<_>>() })
        }
    }
}

fn merge(value: &mut Value, more: Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        fields.extend(more);
    }
}

/// A znode as one line.
pub(super) fn znode_as_text(path: &str, node: &NodeView<'_>) -> String {
    let stat = node.stored();
    let owner = match node.owner() {
        Owner::Persistent => String::new(),
        Owner::Ephemeral(session) => format!(" ephemeral {session}"),
        Owner::Container => " container".to_owned(),
        Owner::Ttl(ttl) => format!(" ttl {}", ttl.0),
    };
    format!(
        "{path} {} {} czxid {} mzxid {} pzxid {} version {} cversion {} aversion {} children {} mtime {}{owner}",
        data_as_text(node.data()),
        acl_as_text(node.acl()),
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        stat.version,
        stat.cversion,
        stat.aversion,
        node.child_count(),
        Civil::from_unix_millis(stat.mtime)
    )
}

/// A znode as a JSON object. `cversion` is the stored one, which counts creations only.
pub(super) fn znode_as_json(path: &str, node: &NodeView<'_>) -> Value {
    let stored = node.stored();
    let mut value = json!({
        "kind": "znode",
        "path": path,
        "data": node.data().map(|data| STANDARD.encode(data)),
        "acl": acl_as_json(node.acl()),
    });
    let owner = stored.ephemeral_owner;
    merge(
        &mut value,
        stat_as_json(&Stat { cversion: stored.cversion, ephemeral_owner: owner, ..node.stat() }),
    );
    value
}

fn data_as_text(data: Option<&[u8]>) -> String {
    let Some(data) = data else { return "null".to_owned() };
    match std::str::from_utf8(data) {
        Ok(text) if !text.chars().any(char::is_control) => {
            let shown: String = text.chars().take(SHOWN_DATA).collect();
            let more =
                if shown.len() < text.len() { format!("…({} bytes)", data.len()) } else { String::new() };
            format!("\"{shown}\"{more}")
        }
        _ => {
            let shown = STANDARD.encode(&data[..data.len().min(SHOWN_DATA * 3 / 4)]);
            format!(
                "base64:{shown}{}({} bytes)",
                if data.len() > SHOWN_DATA * 3 / 4 { "…" } else { "" },
                data.len()
            )
        }
    }
}

/// In the letters of zkCli: `world:anyone:cdrwa`.
fn acl_as_text(acl: &[Acl]) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or("null".to_owned());
    let entries: Vec<String> = acl
        .iter()
        .map(|entry| format!("{}:{}:{}", part(&entry.id.scheme), part(&entry.id.id), letters(entry.perms.0)))
        .collect();
    format!("[{}]", entries.join(","))
}

fn acl_as_json(acl: &[Acl]) -> Value {
    acl.iter()
        .map(|entry| json!({ "scheme": entry.id.scheme, "id": entry.id.id, "perms": entry.perms.0 }))
        .collect()
}

fn letters(perms: i32) -> String {
    let known: String = [(4, 'c'), (8, 'd'), (1, 'r'), (2, 'w'), (16, 'a')]
        .iter()
        .filter(|(bit, _)| perms & bit != 0)
        .map(|(_, l)| l)
        .collect();
    if perms & !31 == 0 { known } else { format!("{known}+0x{:x}", perms & !31) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_legible_or_base64() {
        assert_eq!(data_as_text(None), "null");
        assert_eq!(data_as_text(Some(b"")), "\"\"");
        assert_eq!(data_as_text(Some("é".as_bytes())), "\"é\"");
        assert_eq!(data_as_text(Some(&[0, 1])), "base64:AAE=(2 bytes)");
        assert!(data_as_text(Some(&[b'x'; 500])).ends_with("…(500 bytes)"));
    }

    #[test]
    fn permissions_in_letters() {
        assert_eq!(
            (letters(31), letters(1), letters(33)),
            ("cdrwa".to_owned(), "r".to_owned(), "r+0x20".to_owned())
        );
    }
}
