//! Settings that ask for protection — TLS, SASL, enforced authentication, audit — and the admin server's (`operations.md`
//! §2.2, §5, §9–§11).
//!
//! To start without a protection that was asked for would be worse than not to start, so each of these is refused.

use super::{Effect, From, Kind, Refusal, Setting, Value};

const TLS: &str = "TLS is not built yet: clients and peers would talk in plain text";
const SASL: &str = "SASL is not built yet: clients would not be authenticated by it";
const PEER_SASL: &str = "authentication of peers is not built yet: anybody could join";
const NEEDS_TLS: &str = "works with TLS only, which is not built yet";
const NEEDS_SASL: &str = "works with SASL only, which is not built yet";
const NO_ADMIN: &str = "the admin server is not built yet; use four-letter words and /metrics";

/// The rows, by subject.
pub(super) const ROWS: &[Setting] = &[
    // TLS.
    file("secureClientPort", Kind::Port, "")
        .is(Effect::Protects(not_zero, TLS), "port for clients that speak TLS"),
    file("secureClientPortAddress", Kind::Text, "").is(Effect::Inert(NEEDS_TLS), "address of that port"),
    file("sslQuorum", Kind::StrictFlag, "false").is(Effect::Protects(Value::flag, TLS), "peers speak TLS"),
    file("portUnification", Kind::StrictFlag, "false")
        .is(Effect::Protects(Value::flag, TLS), "peers speak TLS or plain text"),
    file("sslQuorumReloadCertFiles", Kind::StrictFlag, "false")
        .is(Effect::Inert(NEEDS_TLS), "certificates are re-read"),
    prefixed("ssl.quorum.*", Kind::Text, "").is(Effect::Protects(always, TLS), "TLS between peers"),
    prefixed("ssl.*", Kind::Text, "").is(Effect::Protects(always, TLS), "TLS with clients"),
    prefixed("client.portUnification", Kind::Flag, "false")
        .is(Effect::Protects(Value::flag, TLS), "clientPort takes TLS too"),
    prefixed("client.certReload", Kind::Flag, "false")
        .is(Effect::Inert(NEEDS_TLS), "certificates are re-read"),
    prefixed("fips-mode", Kind::Flag, "true").is(Effect::Inert(NEEDS_TLS), "TLS as FIPS wants it"),
    file("metricsProvider.httpsPort", Kind::Number(-1, 65_535, ""), "-1")
        .is(Effect::Protects(|port| port.signed() > 0, TLS), "port of /metrics over TLS"),
    file("metricsProvider.ssl.*", Kind::Text, "").is(Effect::Protects(always, TLS), "TLS of /metrics"),
    prefixed("X509AuthenticationProvider.superUser", Kind::Text, "")
        .is(Effect::Inert(NEEDS_TLS), "certificate of the super user"),
    // SASL.
    prefixed("authProvider.*", Kind::Text, "").is(
        Effect::Protects(
            always,
            "further authentication providers are not built yet: their ACLs could not be checked",
        ),
        "class of a further authentication provider",
    ),
    prefixed("sessionRequireClientSASLAuth", Kind::Flag, "false")
        .is(Effect::Protects(Value::flag, SASL), "clients without SASL are turned away"),
    Setting::new("java.security.auth.login.config", From::Bare, Kind::Text, "")
        .is(Effect::Protects(always, SASL), "file with JAAS sections"),
    file("quorum.auth.enableSasl", Kind::StrictFlag, "false")
        .is(Effect::Protects(Value::flag, PEER_SASL), "peers authenticate with SASL"),
    file("quorum.auth.learnerRequireSasl", Kind::StrictFlag, "false")
        .is(Effect::Protects(Value::flag, PEER_SASL), "learners insist on it"),
    file("quorum.auth.serverRequireSasl", Kind::StrictFlag, "false")
        .is(Effect::Protects(Value::flag, PEER_SASL), "leaders insist on it"),
    file("quorum.auth.*", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "details of it"),
    prefixed("allowSaslFailedClients", Kind::Flag, "false")
        .is(Effect::Inert(NEEDS_SASL), "failed clients stay connected"),
    prefixed("letAnySaslUserDoX", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "ACL id of every SASL user"),
    prefixed("sasl.*", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "names of JAAS sections"),
    prefixed("SASLAuthenticationProvider.superPassword", Kind::Text, "")
        .is(Effect::Inert(NEEDS_SASL), "password of the SASL user super"),
    prefixed("superUser", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "SASL super user"),
    prefixed("superUser.*", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "further SASL super users"),
    prefixed("kerberos.*", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "Kerberos"),
    prefixed("security.auth_to_local", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "Kerberos name rules"),
    prefixed("requireKerberosConfig", Kind::Flag, "false")
        .is(Effect::Inert(NEEDS_SASL), "Kerberos must be configured"),
    prefixed("kinit", Kind::Text, "").is(Effect::Inert(NEEDS_SASL), "path of kinit"),
    // Authentication.
    prefixed("enforce.auth.enabled", Kind::Flag, "false").is(
        Effect::Protects(Value::flag, "enforced authentication is not built yet: anybody could write"),
        "clients must have authenticated",
    ),
    prefixed("enforce.auth.schemes", Kind::Text, "").is(
        Effect::Inert("works with enforce.auth.enabled only, which is not built yet"),
        "with one of these schemes",
    ),
    prefixed("ensembleAuthName", Kind::Text, "").is(
        Effect::Protects(
            not_empty,
            "ensemble authentication is not built yet: clients of other ensembles would be served",
        ),
        "names of this ensemble that clients may give",
    ),
    prefixed("DigestAuthenticationProvider.superDigest", Kind::Text, "").is(
        Effect::Checks(|draft, value| {
            let known = value.text().strip_prefix("super:").is_some_and(|digest| !digest.is_empty());
            draft.config.peer.super_digest = known.then(|| value.text().to_owned());
            match known || value.text().is_empty() {
                true => Ok(()),
                false => {
                    Err(Refusal::new("the super digest does not name super")
                        .expected("super:<base64 of SHA-1>"))
                }
            }
        }),
        "who may do everything: super:<base64 of the SHA-1 of super:password>",
    ),
    prefixed("DigestAuthenticationProvider.enabled", Kind::Flag, "true").is(
        Effect::Sets(|draft, value| draft.config.peer.switches.digest_auth = value.flag()),
        "the scheme digest exists",
    ),
    prefixed("DigestAuthenticationProvider.digestAlg", Kind::Text, "SHA1").is(
        Effect::Protects(
            |algorithm| !matches!(algorithm.text(), "SHA1" | "SHA-1"),
            "only SHA1 is built: nobody could prove an identity of another algorithm",
        ),
        "algorithm of the scheme digest",
    ),
    prefixed("IPAuthenticationProvider.usexforwardedfor", Kind::Flag, "false")
        .is(Effect::Inert(NO_ADMIN), "the admin server believes X-Forwarded-For"),
    // Audit.
    prefixed("audit.enable", Kind::Flag, "false").is(
        Effect::Protects(Value::flag, "the audit log is not built yet: nothing would be recorded"),
        "writes are recorded with their user",
    ),
    prefixed("audit.impl.class", Kind::Text, "")
        .is(Effect::Inert("works with audit.enable only"), "class that records"),
    // The admin server.
    prefixed("admin.enableServer", Kind::Flag, "true").is(Effect::Inert(NO_ADMIN), "commands over HTTP"),
    prefixed("admin.serverPort", Kind::Port, "8080").is(Effect::Inert(NO_ADMIN), "port of the admin server"),
    prefixed("admin.*", Kind::Text, "").is(Effect::Inert(NO_ADMIN), "details of the admin server"),
];

const fn file(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting::new(key, From::File, kind, default)
}

const fn prefixed(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting::new(key, From::Prefixed, kind, default)
}

fn always(_: &Value) -> bool {
    true
}

fn not_zero(port: &Value) -> bool {
    port.number() != 0
}

fn not_empty(value: &Value) -> bool {
    !value.text().is_empty()
}
