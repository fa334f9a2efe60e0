//! Tables of ids, ACLs and what they allow.

use super::{
    AuthConfig, Identities, authenticate, check_acl, fix_acl, generate_digest, java_address, mask_acl,
    who_am_i,
};
use crate::jute::{Acl, AuthPacket, Id, Permissions};
use crate::vocabulary::{ErrorCode, Millis, PeerConfig};
use bytes::Bytes;
use std::fmt::Write;
use std::net::IpAddr;

fn config() -> AuthConfig {
    AuthConfig::from(&PeerConfig::standalone(Millis(2000)))
}

fn from(address: &str) -> Identities {
    Identities::new(address.parse().expect("an address"))
}

fn packet(scheme: Option<&str>, auth: Option<&str>) -> AuthPacket {
    AuthPacket {
        kind: 0,
        scheme: scheme.map(str::to_owned),
        auth: auth.map(|auth| Bytes::copy_from_slice(auth.as_bytes())),
    }
}

fn known_as(credentials: &[&str]) -> Identities {
    let mut identities = from("10.1.2.3");
    for credentials in credentials {
        authenticate(&mut identities, &packet(Some("digest"), Some(credentials)), &config())
            .expect("digest proves itself");
    }
    identities
}

/// `perms scheme:id`, where `~` is null.
fn entry(text: &str) -> Acl {
    let (perms, id) = text.split_once(' ').expect("perms and id");
    let (scheme, id) = id.split_once(':').expect("scheme:id");
    let part = |text: &str| (text != "~").then(|| text.to_owned());
    let perms = Permissions(perms.parse().expect("perms"));
    Acl { perms, id: Id { scheme: part(scheme), id: part(id) } }
}

fn fix(config: &AuthConfig, identities: &Identities, acl: Option<&[Acl]>) -> Result<Vec<Acl>, ErrorCode> {
    let mut room = usize::MAX;
    fix_acl(config, identities, acl, &mut room)
}

fn show(acl: &[Acl]) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "~".to_owned());
    let entries = acl.iter().map(|a| format!("{} {}:{}", a.perms.0, part(&a.id.scheme), part(&a.id.id)));
    entries.collect::<Vec<_>>().join(", ")
}

#[test]
fn digests_are_zookeepers() {
    let vectors = [
        ("super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
        ("user:pass", "user:smGaoVKd/cQkjm7b88GyorAUz20="),
        ("bob:", "bob:tK1fpNO1hB0F++FhHpSq0Fa4tv0="),
        ("joe:pw", "joe:VAXy9ajBTglP5dEFbkRFkF33wJ4="),
    ];
    for (credentials, expected) in vectors {
        assert_eq!(generate_digest(credentials), expected);
    }
    assert!(generate_digest("nocolon").starts_with("nocolon:"));
}

#[test]
fn addresses_are_written_as_java_writes_them() {
    let table = [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("2001:db8::a00:1", "2001:db8:0:0:0:0:a00:1"),
        ("::ffff:10.0.0.9", "10.0.0.9"),
    ];
    for (address, expected) in table {
        assert_eq!(java_address(address.parse::<IpAddr>().expect("an address")), expected);
    }
}

#[test]
fn an_acl_is_matched_entry_by_entry() {
    let user = "digest:user:smGaoVKd/cQkjm7b88GyorAUz20=";
    let joe = "digest:joe:VAXy9ajBTglP5dEFbkRFkF33wJ4=";
    let identities = known_as(&["user:pass"]);
    let rows = [
        (vec!["1 world:anyone".to_owned()], 1, true),
        (vec!["1 world:anyone".to_owned()], 2, false),
        // Any overlapping bit is enough.
        (vec!["3 world:anyone".to_owned()], 18, true),
        (vec!["0 world:anyone".to_owned()], 1, false),
        (vec!["31 world:somebody".to_owned()], 1, false),
        (vec![format!("31 {user}")], 16, true),
        (vec![format!("31 {joe}")], 1, false),
        (vec![format!("1 {joe}"), format!("2 {user}")], 2, true),
        (vec![format!("1 {joe}"), format!("2 {user}")], 1, false),
        // The scheme's name is part of the identity; so is its case.
        (vec!["31 ip:user:smGaoVKd/cQkjm7b88GyorAUz20=".to_owned()], 1, false),
        (vec!["31 DIGEST:user:smGaoVKd/cQkjm7b88GyorAUz20=".to_owned()], 1, false),
        (vec!["31 ip:10.1.2.3".to_owned()], 1, true),
        (vec!["31 sasl:user".to_owned(), "31 ~:~".to_owned(), "31 digest:~".to_owned()], 1, false),
        (vec![], 16, true),
    ];
    for (acl, wanted, expected) in rows {
        let acl: Vec<Acl> = acl.iter().map(|text| entry(text)).collect();
        let allowed = check_acl(&config(), &identities, &acl, Permissions(wanted));
        assert_eq!(allowed, expected, "{wanted} under {}", show(&acl));
    }
}

#[test]
fn ip_entries_match_by_prefix_within_a_family() {
    let rows = [
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.2.3", "10.1.0.0/16", true),
        ("10.1.2.3", "10.2.0.0/16", false),
        ("10.1.2.3", "10.1.2.2/31", true),
        ("10.1.2.3", "10.1.2.4/30", false),
        ("10.1.2.3", "0.0.0.0/0", true),
        ("10.1.2.3", "::/0", false),
        ("::1", "0.0.0.0/0", false),
        ("::1", "::1", true),
        ("::1", "0:0:0:0:0:0:0:1", true),
        ("2001:db8::5", "2001:db8::/32", true),
        ("2001:db9::5", "2001:db8::/32", false),
        ("2001:db8::5", "::/0", true),
        ("::ffff:10.1.2.3", "10.1.2.0/24", true),
        ("10.1.2.3", "10.1.2.3/33", false),
    ];
    for (address, id, expected) in rows {
        let acl = [entry(&format!("1 ip:{id}"))];
        let allowed = check_acl(&config(), &from(address), &acl, Permissions::READ);
        assert_eq!(allowed, expected, "{address} under {id}");
    }
}

#[test]
fn the_switches_open_and_close_doors() {
    let closed = [entry("31 digest:nobody:x")];
    let identities = known_as(&["user:pass"]);
    assert!(!check_acl(&config(), &identities, &closed, Permissions::READ));
    assert!(check_acl(&AuthConfig { skip_acl: true, ..config() }, &identities, &closed, Permissions::READ));
    assert!(check_acl(&config(), Identities::server(), &closed, Permissions::ADMIN));

    let own = [entry("31 digest:user:smGaoVKd/cQkjm7b88GyorAUz20=")];
    assert!(check_acl(&config(), &identities, &own, Permissions::READ));
    let without_digest = AuthConfig { digest_auth: false, ..config() };
    assert!(!check_acl(&without_digest, &identities, &own, Permissions::READ));
    assert_eq!(fix(&without_digest, &identities, Some(&own)), Err(ErrorCode::InvalidAcl));
}

#[test]
fn the_super_digest_makes_a_super_user_who_keeps_the_digest() {
    let config = AuthConfig { super_digest: Some(generate_digest("super:test")), ..config() };
    let mut identities = from("10.1.2.3");
    authenticate(&mut identities, &packet(Some("digest"), Some("super:wrong")), &config)
        .expect("digest proves itself");
    assert!(!identities.is_super());
    authenticate(&mut identities, &packet(Some("digest"), Some("super:test")), &config)
        .expect("digest proves itself");
    assert!(identities.is_super());
    let told: Vec<_> =
        who_am_i(&identities, &config).into_iter().map(|info| (info.scheme, info.user)).collect();
    let expected = [("digest", "super"), ("digest", "super"), ("ip", "10.1.2.3"), ("super", "")];
    assert_eq!(told, expected.map(|(scheme, user)| (scheme.to_owned(), user.to_owned())));
}

#[test]
fn auth_packets_prove_what_their_scheme_can() {
    let cases = [
        (Some("digest"), Some("user:pass"), true),
        (Some("digest"), Some(""), true),
        (Some("ip"), Some("whatever"), true),
        (Some("digest"), None, false),
        (None, Some("user:pass"), false),
        (Some(""), Some("x"), false),
        (Some("world"), Some("anyone"), false),
        (Some("auth"), Some(""), false),
        (Some("super"), Some(""), false),
        (Some("DIGEST"), Some("user:pass"), false),
        (Some("sasl"), Some("x"), false),
    ];
    for (scheme, auth, expected) in cases {
        let mut identities = from("10.1.2.3");
        let result = authenticate(&mut identities, &packet(scheme, auth), &config());
        let expected = if expected { Ok(()) } else { Err(ErrorCode::AuthFailed) };
        assert_eq!(result, expected, "{scheme:?} {auth:?}");
    }
}

#[test]
fn identities_are_a_set_with_a_limit() {
    let mut identities = known_as(&["b:1", "a:1", "b:1"]);
    let names: Vec<_> = who_am_i(&identities, &config()).into_iter().map(|info| info.user).collect();
    assert_eq!(names, ["a", "b", "10.1.2.3"]);
    let refused = (0..2000).find(|n| {
        let credentials = format!("user{n}:x");
        authenticate(&mut identities, &packet(Some("digest"), Some(&credentials)), &config()).is_err()
    });
    assert_eq!(refused, Some(997));
}

/// Each row: an ACL as asked for, and what is stored of it or the error's code.
#[test]
fn acls_are_fixed_up_before_they_are_stored() {
    let rows: [&[&str]; 47] = [
        &[],
        &["31 world:anyone"],
        &["31 world:anyone", "1 world:anyone", "31 world:anyone"],
        &["0 world:anyone", "-1 world:anyone"],
        &["31 world:nobody"],
        &["31 world:~"],
        &["31 ~:anyone"],
        &["31 ~:~"],
        &["31 digest:~"],
        &["31 ip:~"],
        &["31 auth:~"],
        &["31 auth:"],
        &["1 auth:x", "2 auth:x"],
        &["1 auth:x", "1 digest:user:smGaoVKd/cQkjm7b88GyorAUz20="],
        &["31 nosuch:~"],
        &["31 nosuch:x"],
        &["31 super:"],
        &["31 AUTH:"],
        &["31 sasl:joe"],
        &["31 digest:a:b"],
        &["31 digest:a:"],
        &["31 digest:a:b:c"],
        &["31 digest::b"],
        &["31 digest:a:b:"],
        &["31 digest::"],
        &["31 digest:"],
        &["31 ip:10.0.0.0/8", "1 ip:010.000.0.1"],
        &["31 ip:10.0.0"],
        &["31 ip:10.0.0.256"],
        &["31 ip:10.0.0.1/33"],
        &["31 ip:2001:db8::/32", "31 ip:::1/128"],
        &["31 ip:::1/129"],
        &["31 world:anyone", "31 world:~", "31 nosuch:x"],
        &["31 world:anyone", "31 nosuch:x", "31 world:~"],
        // Nulls that a comparison meets, and those that none does.
        &["31 world:anyone", "31 ~:x"],
        &["31 ~:x", "31 world:anyone"],
        &["31 ~:x", "31 ~:x"],
        &["31 world:anyone", "1 ~:~"],
        &["31 auth:~", "31 auth:~"],
        &["31 auth:~", "1 auth:~"],
        &["31 world:anyone", "31 auth:~"],
        &["31 digest:~", "31 digest:a:b"],
        &["31 digest:a:b", "31 digest:~"],
        // No IPv4 address inside an IPv6 one.
        &["31 ip:::ffff:1.2.3.4"],
        &["31 ip:::1.2.3.4"],
        &["31 ip:1:2:3:4:5:6:1.2.3.4"],
        &["31 ip:::ffff:1.2.3.4/96"],
    ];
    let identities = known_as(&["user:pass", "joe:pw"]);
    let mut out = String::new();
    for row in rows {
        let acl: Vec<Acl> = row.iter().map(|text| entry(text)).collect();
        let fixed = fix(&config(), &identities, Some(&acl));
        let fixed = fixed.map_or_else(|error| format!("{} {error:?}", error.code()), |acl| show(&acl));
        writeln!(out, "[{}]\n  {fixed}", row.join(", ")).expect("a string takes all");
    }
    insta::assert_snapshot!(out);
    assert_eq!(fix(&config(), &identities, None), Err(ErrorCode::InvalidAcl));
    let nobody = from("10.1.2.3");
    assert_eq!(fix(&config(), &nobody, Some(&[entry("31 auth:")])), Err(ErrorCode::InvalidAcl));
}

#[test]
fn an_enormous_acl_is_fixed_up_in_reasonable_time() {
    let acl: Vec<Acl> = (0..50_000).map(|n| entry(&format!("{n} ip:10.0.0.1"))).collect();
    assert_eq!(fix(&config(), &from("10.1.2.3"), Some(&acl)).map(|fixed| fixed.len()), Ok(50_000));
}

#[test]
fn a_few_words_get_no_more_identities_than_there_is_room_for() {
    let mut identities = from("10.1.2.3");
    (0..990).for_each(|n| identities.add(Id::new("digest", format!("user{n}:smGaoVKd/cQkjm7b88GyorAUz20="))));
    let bomb: Vec<Acl> = (1..=65_000).map(|perms| entry(&format!("{perms} auth:"))).collect();
    let mut room = 2 << 20;
    let refused = fix_acl(&config(), &identities, Some(&bomb), &mut room);
    assert_eq!(refused, Err(ErrorCode::MarshallingError));
    // What one ACL takes is not there for the next.
    let mut room = 100_000;
    let once = fix_acl(&config(), &identities, Some(&bomb[..1]), &mut room).expect("there is room for one");
    assert_eq!(once.len(), 990);
    let twice = fix_acl(&config(), &identities, Some(&bomb[..1]), &mut room);
    assert_eq!(twice, Err(ErrorCode::MarshallingError));
}

#[test]
fn hashes_are_hidden_from_those_who_may_not_administrate() {
    let acl =
        [entry("31 digest:user:secret"), entry("1 world:anyone"), entry("1 ip:::1"), entry("1 digest:a:b:c")];
    assert_eq!(show(&mask_acl(&acl)), "31 digest:user:x, 1 world:anyone, 1 ip:::1, 1 digest:a:x");
    // As far as their line goes.
    for (id, masked) in [
        ("a:b\nc", "a:x\nc"),
        ("a:b\r\nc:d", "a:x\r\nc:x"),
        ("a", "a"),
        ("a:", "a:x"),
        (":b\u{85}", ":x\u{85}"),
    ] {
        let acl = [Acl { perms: Permissions::ALL, id: Id::new("digest", id) }];
        assert_eq!(mask_acl(&acl)[0].id.id.as_deref(), Some(masked), "{id:?}");
    }
}
