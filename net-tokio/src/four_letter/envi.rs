//! `envi` (`operations.md` §4.6): what the process runs in. Where ZooKeeper names its Java there is none.

use super::Facts;
use crate::server::user_name;
use crate::server::version::FULL_VERSION;

/// One key a line.
pub(super) fn envi(_: &Facts<'_>) -> String {
    let system = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "<NA>".to_owned());
    let missing = || "<NA>".to_owned();
    let lines = [
        ("zookeeper.version", FULL_VERSION.to_owned()),
        ("host.name", text(system.nodename())),
        ("java.version", missing()),
        ("java.vendor", missing()),
        ("java.home", missing()),
        ("java.class.path", missing()),
        ("java.library.path", missing()),
        ("java.io.tmpdir", std::env::temp_dir().display().to_string()),
        ("java.compiler", missing()),
        ("os.name", text(system.sysname())),
        ("os.arch", java_architecture().to_owned()),
        ("os.version", text(system.release())),
        ("user.name", user_name(rustix::process::getuid().as_raw()).unwrap_or_else(missing)),
        ("user.home", variable("HOME")),
        ("user.dir", std::env::current_dir().map_or_else(|_| missing(), |path| path.display().to_string())),
        ("os.memory.free", memory("MemAvailable")),
        ("os.memory.max", memory("MemTotal")),
        ("os.memory.total", memory("MemTotal")),
    ];
    let lines = lines.map(|(key, value)| format!("{key}={value}\n"));
    format!("Environment:\n{}", lines.concat())
}

fn java_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        other => other,
    }
}

/// A line of `/proc/meminfo`, in whole MB.
fn memory(key: &str) -> String {
    let kilobytes = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    });
    kilobytes.map_or_else(|| "<NA>".to_owned(), |kilobytes| format!("{}MB", kilobytes / 1024))
}
