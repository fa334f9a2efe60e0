#!/usr/bin/env bash
# java_server.sh 3.8|3.9 ZOO_CFG [JVM flags…]: runs a Java ZooKeeper in the foreground (stop it by its process id).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case ${1:?version 3.8 or 3.9} in 3.8*) kind=java38 ;; 3.9*) kind=java39 ;; *) echo "version 3.8 or 3.9, not $1" >&2; exit 2 ;; esac
config=${2:?a zoo.cfg}
shift 2
path=$(cd "$here" && python3 -c 'import servers, sys; print(servers.java_class_path(sys.argv[1]))' "$kind")
exec java -Xmx512m -XX:+UseSerialGC -Dfile.encoding=UTF-8 "$@" -cp "$path" \
  org.apache.zookeeper.server.quorum.QuorumPeerMain "$config"
