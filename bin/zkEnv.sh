#!/usr/bin/env bash
# Sourced by the other scripts: where the configuration is and which program runs.
#
#   --config DIR, ZOOCFGDIR   the configuration directory, else ../conf, else ../etc/zookeeper
#   ZOOCFG                    the file in it, else zoo.cfg
#   ZOO_LOG_DIR               for the output of a server in the background, else ../logs
#   GREVY                     the program, else beside this script, else a build in
#                             ../target/release, else from PATH
#   SERVER_JVMFLAGS, JVMFLAGS arguments for the server, such as -Djute.maxbuffer=4194304
#
# The directory may hold zookeeper-env.sh and java.env, which set such variables.

ZOOBINDIR="${ZOOBINDIR:-/usr/bin}"
ZOOKEEPER_PREFIX="${ZOOBINDIR}/.."

if [ "$#" -gt 1 ] && [ "$1" = "--config" ]; then
  ZOOCFGDIR="$2"
  shift 2
fi

if [ -z "$ZOOCFGDIR" ]; then
  if [ -e "$ZOOKEEPER_PREFIX/conf" ]; then
    ZOOCFGDIR="$ZOOBINDIR/../conf"
  else
    ZOOCFGDIR="$ZOOBINDIR/../etc/zookeeper"
  fi
fi

if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then
  . "$ZOOCFGDIR/zookeeper-env.sh"
fi

ZOOCFG="$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}"

if [ -f "$ZOOCFGDIR/java.env" ]; then
  . "$ZOOCFGDIR/java.env"
fi

ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOOKEEPER_PREFIX/logs}"

if [ -z "$GREVY" ]; then
  for candidate in "$ZOOBINDIR/grevy" "$ZOOKEEPER_PREFIX/target/release/grevy"; do
    if [ -x "$candidate" ] && [ ! -d "$candidate" ]; then
      GREVY="$candidate"
      break
    fi
  done
fi
if [ -z "$GREVY" ]; then
  GREVY="$(command -v grevy)"
fi
if [ -z "$GREVY" ]; then
  echo "Error: GREVY is not set and grevy could not be found beside $ZOOBINDIR or in PATH." >&2
  echo "Build it with: cargo build --release" >&2
  exit 1
fi

# The value of a key in a properties file; the last one, as the server takes it.
cfg_value() {
  local key="${1//./\\.}"
  sed -n -E "s/^[[:space:]]*${key}([[:space:]]*[=:][[:space:]]*|[[:space:]]+)(.*)$/\2/p" "$2" 2>/dev/null \
    | tail -n 1 | sed -e 's/[[:space:]]*$//'
}
