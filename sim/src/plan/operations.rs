//! Drawing what clients do: paths from a small tree of names, so that clients meet; sometimes what nobody should send.

use super::swarm::{KINDS, Kind, Swarm};
use super::{AclChoice, Data, Operation, Version};
use crate::chooser::Draws;
use quorate_core::jute::OpCode;

pub(super) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const ODD_PATHS: [Option<&str>; 20] = [
    None,
    Some(""),
    Some("/"),
    Some("a"),
    Some("a/b"),
    Some("/a/"),
    Some("//"),
    Some("/a//b"),
    Some("/a/."),
    Some("/a/.."),
    Some("/a/..."),
    Some("/a/\u{0}"),
    Some("/\u{1}"),
    Some("/\u{fffd}"),
    Some("/a/\u{e9}"),
    Some("/zookeeper"),
    Some("/zookeeper/config"),
    Some("/zookeeper/quota"),
    Some("/zookeeper/x"),
    Some("/zookeeper/quota/a"),
];

/// Draws operations of one run.
pub(super) struct Vocabulary<'s, 'd, 'c> {
    swarm: &'s Swarm,
    pub(super) draws: &'d mut Draws<'c>,
}

impl<'s, 'd, 'c> Vocabulary<'s, 'd, 'c> {
    pub(super) fn new(swarm: &'s Swarm, draws: &'d mut Draws<'c>) -> Self {
        Vocabulary { swarm, draws }
    }

    pub(super) fn operation(&mut self) -> Operation {
        match KINDS[self.draws.weighted(&self.swarm.operations)] {
            Kind::Create => self.create(0),
            Kind::Sequential => {
                let flags = self.draws.of(&[2, 3]);
                self.create(flags)
            }
            Kind::Ephemeral => self.ephemeral(),
            Kind::Container => self.create(4),
            Kind::Ttl => {
                let flags = self.draws.of(&[5, 5, 6]);
                self.create(flags)
            }
            Kind::Delete => Operation::Delete { path: self.path(), version: self.version() },
            Kind::SetData => {
                Operation::SetData { path: self.path(), data: self.data(), version: self.version() }
            }
            Kind::SetAcl => Operation::SetAcl { path: self.path(), acl: self.acl(), version: self.version() },
            Kind::Read => self.read(&[OpCode::Exists, OpCode::GetData, OpCode::GetData]),
            Kind::Children => self.read(&[OpCode::GetChildren, OpCode::GetChildren2]),
            Kind::OtherRead => self.other_read(),
            Kind::Multi => self.multi(),
            Kind::MultiRead => {
                let count = self.draws.below(5);
                let ops = (0..count).map(|_| self.read(&[OpCode::GetData, OpCode::GetChildren])).collect();
                Operation::MultiRead(ops)
            }
            Kind::AddWatch => {
                Operation::AddWatch { path: self.path(), mode: self.draws.of(&[0, 0, 1, 1, 1, 2]) }
            }
            Kind::Watches => Operation::Watches {
                remove: self.draws.chance(600),
                path: self.path(),
                kind: self.draws.of(&[1, 2, 3, 4, 5, 6]),
            },
            Kind::Auth => self.auth(),
            Kind::CloseSession => Operation::CloseSession,
            Kind::Quota => self.quota(),
            Kind::Odd => self.odd(),
            Kind::Sync => Operation::Sync { path: self.path() },
        }
    }

    pub(super) fn ephemeral(&mut self) -> Operation {
        self.create(1)
    }

    fn path(&mut self) -> Option<String> {
        if self.draws.chance(self.swarm.odd_paths) {
            return self.draws.of(&ODD_PATHS).map(str::to_string);
        }
        if self.draws.chance(60) {
            return Some("@last".to_string());
        }
        let mut path = String::new();
        for _ in 0..self.draws.of(&[1, 1, 2, 2, 2, 3]) {
            path.push('/');
            path.push_str(NAMES[self.draws.below(self.swarm.breadth) as usize]);
        }
        Some(path)
    }

    fn version(&mut self) -> Version {
        match self.draws.below(10) {
            0..5 => Version::Any,
            5..8 => Version::Seen,
            8 => Version::Exactly(self.draws.below(4) as i32),
            _ => Version::Exactly(self.draws.of(&[-2, i32::MAX, i32::MIN])),
        }
    }

    fn data(&mut self) -> Data {
        let length = match self.draws.below(40) {
            0 => return None,
            1..3 => 0,
            _ if self.draws.chance(25) => self.draws.between(3000, 12_000),
            _ if self.draws.chance(self.swarm.large_data) => self.draws.between(600, 3000),
            _ => self.draws.below(40),
        };
        Some((length as u32, self.draws.below(256) as u8))
    }

    fn acl(&mut self) -> AclChoice {
        if self.draws.chance(850) {
            return AclChoice::Open;
        }
        let perms = self.draws.below(32) as i32;
        self.draws.of(&[
            AclChoice::ReadOnly,
            AclChoice::Creator,
            AclChoice::CreatorAndRead,
            AclChoice::User(0, perms),
            AclChoice::User(1, perms),
            AclChoice::World(perms),
            AclChoice::World(31),
            AclChoice::Loopback,
            AclChoice::Empty,
            AclChoice::Null,
            AclChoice::BadScheme,
            AclChoice::BadWorld,
            AclChoice::NullId,
            AclChoice::Doubled,
        ])
    }

    fn create(&mut self, flags: i32) -> Operation {
        let mut opcode = match flags {
            4 => OpCode::CreateContainer,
            5 | 6 => OpCode::CreateTtl,
            _ => self.draws.of(&[OpCode::Create, OpCode::Create2]),
        }
        .code();
        let mut flags = flags;
        let mut ttl =
            if opcode == OpCode::CreateTtl.code() { self.draws.of(&[1, 500, 3000, 20_000]) } else { -1 };
        if self.draws.chance(self.swarm.odd_paths) {
            opcode = self.draws.of(&[1, 15, 19, 21]);
            flags = self.draws.below(9) as i32 - 1;
            ttl = self.draws.of(&[-1, 0, 1, 0xff_ffff_ffff, 0x100_0000_0000]);
        }
        let mut path = self.path();
        if matches!(flags, 2 | 3 | 6) && self.draws.chance(800) {
            let suffix = self.draws.of(&["/s-", "/s-", "/"]);
            path = path.map(|path| if path == "@last" { "/a/s-".to_string() } else { path + suffix });
        }
        Operation::Create { opcode, path, data: self.data(), acl: self.acl(), flags, ttl }
    }

    fn read(&mut self, opcodes: &[OpCode]) -> Operation {
        let opcode = self.draws.of(opcodes).code();
        let watch = self.draws.chance(self.swarm.watches);
        Operation::Read { opcode, path: self.path(), watch }
    }

    fn other_read(&mut self) -> Operation {
        match self.draws.below(4) {
            0 => Operation::GetAcl { path: self.path() },
            1 => Operation::GetAllChildrenNumber { path: self.path() },
            2 => Operation::GetEphemerals { prefix: self.path() },
            _ => Operation::WhoAmI,
        }
    }

    fn multi(&mut self) -> Operation {
        if self.draws.chance(300) {
            return self.sequential_multi();
        }
        let count = self.draws.between(0, 5);
        let ops = (0..count)
            .map(|_| match self.draws.below(9) {
                0..3 => {
                    let flags = self.draws.of(&[0, 0, 1, 2, 3, 4]);
                    self.create(flags)
                }
                3 | 4 => Operation::Delete { path: self.path(), version: Version::Any },
                5 | 6 => Operation::SetData { path: self.path(), data: self.data(), version: self.version() },
                7 => Operation::Check { path: self.path(), version: self.version() },
                _ if self.draws.chance(20) => self.read(&[OpCode::GetData]),
                _ => Operation::Delete { path: self.path(), version: self.version() },
            })
            .collect();
        Operation::Multi(ops)
    }

    /// One that mostly succeeds, below several parents: a snapshot may fall between them (ZOOKEEPER-3127).
    fn sequential_multi(&mut self) -> Operation {
        let names = self.swarm.breadth;
        let count = self.draws.between(2, 3);
        let ops = (0..count).map(|_| {
            let parent = match self.draws.below(names + 1) {
                0 => String::new(),
                name => format!("/{}", NAMES[name as usize - 1]),
            };
            let path = Some(parent + "/s-");
            let flags = self.draws.of(&[3, 3, 3, 2]);
            let opcode = OpCode::Create.code();
            Operation::Create { opcode, path, data: self.data(), acl: AclChoice::Open, flags, ttl: -1 }
        });
        Operation::Multi(ops.collect())
    }

    fn auth(&mut self) -> Operation {
        let (scheme, credentials) = self.draws.of(&[
            ("digest", "ann:pw"),
            ("digest", "bob:pw"),
            ("digest", "super:secret"),
            ("digest", "nobody"),
            ("ip", ""),
            ("world", "anyone"),
            ("DIGEST", "x:y"),
        ]);
        Operation::Auth { scheme: scheme.to_string(), credentials: credentials.to_string() }
    }

    fn quota(&mut self) -> Operation {
        let path = format!("/{}", NAMES[self.draws.below(self.swarm.breadth) as usize]);
        let limits = self
            .draws
            .of(&[
                "count=3,bytes=-1",
                "count=-1,bytes=-1=;byteHardLimit=300;countHardLimit=-1",
                "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=4",
                "count=5,bytes=1000=;byteHardLimit=2000;countHardLimit=8",
            ])
            .to_string();
        Operation::SetQuota { path, limits, create: self.draws.chance(700) }
    }

    fn odd(&mut self) -> Operation {
        let opcode = self
            .draws
            .of(&[1, 2, 3, 4, 5, 7, 8, 12, 14, 15, 16, 16, 17, 22, 101, 105, 106, 13, 0, -1, 20, 99, -10]);
        // Of reconfig one that can be decoded: it is refused for being switched off.
        let length = if opcode == OpCode::Reconfig.code() { 20 } else { self.draws.below(24) };
        if opcode == OpCode::Reconfig.code() && self.draws.chance(500) {
            return Operation::Raw { opcode, body: vec![0; 20] };
        }
        let body = (0..length).map(|_| self.draws.of(&[0, 0, 0, 0, 1, 4, 47, 255])).collect();
        Operation::Raw { opcode, body }
    }
}
