#!/usr/bin/env bash
# Installs what the interoperability tests need on a bare Debian 12, as root. Running it again is quick.
#
# What it provides:
#   - Java ZooKeeper 3.8.0, the C client library and zkCli.sh, from Debian (no service is started);
#   - Java ZooKeeper 3.9.5 with its dependencies, its command line's among them, and Curator, taken out of PyPI's pyspark source package
#     (logging comes from Debian's slf4j, for both versions);
#   - a Python environment with kazoo, and kazoo's source package for its own test suite.
# Everything that is not a Debian package lives under $QUORATE_INTEROP_CACHE (default ~/.cache/quorate-interop).
set -euo pipefail

cache=${QUORATE_INTEROP_CACHE:-$HOME/.cache/quorate-interop}
kazoo_version=2.11.0
pyspark_version=4.2.1
zookeeper_version=3.9.5
mkdir -p "$cache"

say() { echo "interop setup: $*"; }

debian_packages() {
  local package missing=()
  for package in zookeeper libzookeeper-java libslf4j-java libzookeeper-mt-dev gcc libc6-dev; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
  done
  command -v javac >/dev/null || missing+=(openjdk-17-jdk-headless)
  command -v python3 >/dev/null || missing+=(python3)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  python3 -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' \
    2>/dev/null || missing+=(python3-dev)
  [ ${#missing[@]} = 0 ] && return
  say "apt: ${missing[*]}"
  apt-get update -qq
  # policy-rc.d would start nothing in a container; the zookeeper package itself starts no service.
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

python_environment() {
  local stamp="$cache/venv/.ready-$kazoo_version-1"
  [ -e "$stamp" ] && return
  say "python environment"
  python3 -m venv "$cache/venv"
  # eventlet and gevent are for kazoo's handler tests; pyOpenSSL still has what kazoo's harness calls up to 24.2.
  "$cache/venv/bin/pip" install -q --disable-pip-version-check "kazoo==$kazoo_version" \
    pytest pytest-timeout objgraph gevent eventlet pyjks 'pyopenssl==24.2.1' setuptools wheel
  touch "$stamp"
}

kazoo_sources() {
  [ -e "$cache/kazoo-$kazoo_version/kazoo/tests/test_client.py" ] && return
  say "kazoo $kazoo_version sources"
  mkdir -p "$cache/download"
  "$cache/venv/bin/pip" download -q --disable-pip-version-check --no-binary :all: --no-deps \
    -d "$cache/download" "kazoo==$kazoo_version"
  tar xzf "$cache/download/kazoo-$kazoo_version.tar.gz" -C "$cache"
}

zookeeper_jars() {
  local jars="$cache/zookeeper-$zookeeper_version" archive
  [ -e "$jars/.ready-2" ] && return
  say "ZooKeeper $zookeeper_version (about 450 MB to download, 20 MB kept)"
  mkdir -p "$cache/download" "$jars"
  archive="$cache/download/pyspark-$pyspark_version.tar.gz"
  [ -e "$archive" ] || "$cache/venv/bin/pip" download -q --disable-pip-version-check --no-binary :all: --no-deps \
    -d "$cache/download" "pyspark==$pyspark_version"
  tar xzf "$archive" -C "$jars" --strip-components=3 --wildcards \
    '*/jars/zookeeper-*.jar' '*/jars/curator-*.jar' '*/jars/netty-*4.*.Final.jar' '*/jars/metrics-core-*.jar' \
    '*/jars/snappy-java-*.jar' '*/jars/commons-io-*.jar' '*/jars/commons-cli-*.jar' '*/jars/jackson-core-*.jar' \
    '*/jars/jackson-databind-*.jar' '*/jars/jackson-annotations-*.jar' '*/jars/guava-*.jar' \
    '*/jars/failureaccess-*.jar' '*/jars/jline-3*.jar'
  [ -e "$jars/zookeeper-$zookeeper_version.jar" ] || { say "pyspark $pyspark_version has no ZooKeeper $zookeeper_version"; exit 1; }
  rm -f "$archive"
  touch "$jars/.ready-2"
}

debian_packages
python_environment
kazoo_sources
zookeeper_jars
