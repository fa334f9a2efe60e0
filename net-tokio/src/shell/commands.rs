//! The commands: their names, what they take, and what does them.

use super::failure::{Failure, Result};
use super::line::Word;
use super::{Shell, builtins, quota, read, watching, write};

/// A command that there is.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    /// What zkCli's usage says of its words.
    pub(super) takes: &'static str,
    /// What Quorate's takes besides, or that it is Quorate's own.
    pub(super) own: Option<&'static str>,
}

const fn zk(name: &'static str, takes: &'static str) -> Command {
    Command { name, takes, own: None }
}

const fn more(name: &'static str, takes: &'static str, own: &'static str) -> Command {
    Command { name, takes, own: Some(own) }
}

/// All of them, in the order in which they are listed.
pub(super) const COMMANDS: [Command; 31] = [
    zk(
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE",
    ),
    zk("addauth", "scheme auth"),
    zk("close", ""),
    zk("config", "[-c] [-w] [-s]"),
    zk("connect", "host:port"),
    more(
        "create",
        "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        "--file FILE instead of data; - is standard input",
    ),
    more("delete", "[-v version] path", "-R deletes what is below it too"),
    zk("deleteall", "path [-b batch size]"),
    zk("delquota", "[-n|-b|-N|-B] path"),
    more(
        "get",
        "[-s] [-w] [-b] [-x] path",
        "-R prints every node's path, a tab and its data; --out FILE writes the bytes there",
    ),
    zk("getAcl", "[-s] path"),
    zk("getAllChildrenNumber", "path"),
    zk("getEphemerals", "path"),
    zk("history", ""),
    zk("listquota", "path"),
    zk("ls", "[-s] [-w] [-R] path"),
    zk("printwatches", "on|off"),
    zk("quit", ""),
    zk(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add \
         serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
    ),
    zk("redo", "cmdno"),
    zk("removewatches", "path [-c|-d|-a] [-l]"),
    more("set", "path data [-s] [-v version] [-b]", "--file FILE instead of data; - is standard input"),
    zk("setAcl", "[-s] [-v version] [-R] path acl"),
    zk("setquota", "-n|-b|-N|-B val path"),
    zk("stat", "[-w] path"),
    zk("sync", "path"),
    zk("version", ""),
    zk("whoami", ""),
    more("exit", "", "ends it, as quit does"),
    more("help", "", "prints this"),
    more(
        "watch",
        "[-d] [-n count] path",
        "prints each change of the node and of all below it; -d with the data",
    ),
];

/// The command of this name.
pub(super) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl Command {
    /// Whether zkCli has it too.
    pub(super) fn is_of_zk_cli(&self) -> bool {
        !matches!(self.name, "exit" | "help" | "watch")
    }
}

/// zkCli's list of what it takes, and what Quorate's takes besides.
pub(super) fn usage() -> String {
    let mut usage = "ZooKeeper -server host:port -client-configuration properties-file cmd args\n".to_owned();
    for command in COMMANDS.iter().filter(|command| command.is_of_zk_cli()) {
        usage += &format!("\t{} {}\n", command.name, command.takes);
    }
    usage += "Quorate's own:\n";
    for command in &COMMANDS {
        if let Some(own) = command.own {
            let takes = if command.is_of_zk_cli() { "" } else { command.takes };
            usage +=
                &format!("\t{} {takes}{}{own}\n", command.name, if takes.is_empty() { "" } else { " # " });
        }
    }
    usage
}

/// Does a command that needs a session which has not ended.
pub(super) async fn run(shell: &mut Shell, name: &str, words: &[Word]) -> Result<()> {
    match name {
        "addWatch" => watching::add(shell, words).await,
        "addauth" => write::add_auth(shell, words).await,
        "close" => builtins::close(shell).await,
        "config" => read::config(shell, words).await,
        "create" => write::create(shell, words).await,
        "delete" => write::delete(shell, words).await,
        "deleteall" => write::delete_all(shell, words).await,
        "delquota" => quota::delete(shell, words).await,
        "get" => read::get(shell, words).await,
        "getAcl" => read::get_acl(shell, words).await,
        "getAllChildrenNumber" => read::get_all_children_number(shell, words).await,
        "getEphemerals" => read::get_ephemerals(shell, words).await,
        "listquota" => quota::list(shell, words).await,
        "ls" => read::ls(shell, words).await,
        "reconfig" => Err(Failure::new("reconfig is not built yet: nothing was sent")),
        "removewatches" => watching::remove(shell, words).await,
        "set" => write::set(shell, words).await,
        "setAcl" => write::set_acl(shell, words).await,
        "setquota" => quota::set(shell, words).await,
        "stat" => read::stat(shell, words).await,
        "sync" => write::sync(shell, words).await,
        "version" => builtins::version(shell, words),
        "watch" => watching::follow(shell, words).await,
        "whoami" => read::whoami(shell, words).await,
        // What the shell has done by itself.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_begins_as_zk_clis_and_names_each_command_once() {
        let usage = usage();
        assert!(usage.starts_with(
            "ZooKeeper -server host:port -client-configuration properties-file cmd args\n\taddWatch "
        ));
        let mut names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
        let zk: Vec<_> = COMMANDS.iter().filter(|command| command.is_of_zk_cli()).map(|c| c.name).collect();
        assert!(zk.is_sorted() && zk.len() == 28, "{zk:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), COMMANDS.len());
    }
}
