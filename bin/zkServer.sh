#!/usr/bin/env bash
# Starts, stops and asks after a server, with the verbs, variables and texts of ZooKeeper's script
# of this name. Link to it rather than copy it: it looks for the rest beside itself.

ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

usage() {
  echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd} [file]" >&2
}

VERB="$1"
case "$VERB" in
  start | start-foreground | stop | restart | status | print-cmd) ;;
  version)
    "$GREVY" --version
    exit $?
    ;;
  *)
    usage
    exit 1
    ;;
esac

# A name alone is looked up in the configuration directory, a path is taken as it is.
if [ -n "$2" ]; then
  case "$2" in
    */*) ZOOCFG="$2" ;;
    *) ZOOCFG="$ZOOCFGDIR/$2" ;;
  esac
fi
echo "Using config: $ZOOCFG" >&2
if [ ! -r "$ZOOCFG" ]; then
  echo "Error: $ZOOCFG cannot be read." >&2
fi

ZOO_DATADIR="$(cfg_value dataDir "$ZOOCFG")"
ZOO_DATALOGDIR="$(cfg_value dataLogDir "$ZOOCFG")"

# One word an argument, as these variables have always been taken.
# shellcheck disable=SC2206
SERVER_ARGS=($SERVER_JVMFLAGS $JVMFLAGS)

if [ -n "$ZOO_DATADIR_AUTOCREATE_DISABLE" ]; then
  if [ ! -d "$ZOO_DATADIR/version-2" ]; then
    echo "ZooKeeper data directory is missing at $ZOO_DATADIR fix the path or run initialize"
    exit 1
  fi
  if [ -n "$ZOO_DATALOGDIR" ] && [ ! -d "$ZOO_DATALOGDIR/version-2" ]; then
    echo "ZooKeeper txnlog directory is missing at $ZOO_DATALOGDIR fix the path or run initialize"
    exit 1
  fi
  SERVER_ARGS+=("-Dzookeeper.datadir.autocreate=false")
fi

if [ -z "$ZOOPIDFILE" ]; then
  ZOOPIDFILE="$ZOO_DATADIR/zookeeper_server.pid"
  if [ -z "$ZOO_DATADIR" ]; then
    ZOOPIDFILE="$ZOOBINDIR/../zookeeper_server.pid"
  fi
fi
_ZOO_DAEMON_OUT="$ZOO_LOG_DIR/zookeeper-${USER:-$(id -un)}-server-${HOSTNAME:-$(uname -n)}.out"

# The process in the pid file, if it holds a number.
pid_in_file() {
  local pid
  # Before the first start there is none, which is nothing to complain of.
  [ -f "$ZOOPIDFILE" ] || return 1
  pid="$(tr -d '[:space:]' < "$ZOOPIDFILE")"
  case "$pid" in
    '' | *[!0-9]* | 0 | 1) return 1 ;;
  esac
  echo "$pid"
}

# Whether a process runs. One that has ended and waits for somebody to ask after it does not, as
# in a container without an init.
running() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

start() {
  local pid
  echo -n "Starting zookeeper ... "
  if pid="$(pid_in_file)" && running "$pid"; then
    echo "already running as process $pid."
    exit 1
  fi
  if ! mkdir -p "$(dirname "$ZOOPIDFILE")" "$ZOO_LOG_DIR"; then
    echo "SERVER DID NOT START"
    exit 1
  fi
  nohup "$GREVY" server "$ZOOCFG" "${SERVER_ARGS[@]}" > "$_ZOO_DAEMON_OUT" 2>&1 < /dev/null &
  pid=$!
  if ! echo -n "$pid" > "$ZOOPIDFILE"; then
    kill "$pid" 2>/dev/null
    echo "FAILED TO WRITE PID"
    exit 1
  fi
  # A wrong configuration or a taken port ends it within this second.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.1
    if ! running "$pid"; then
      echo "FAILED TO START"
      tail -n 20 "$_ZOO_DAEMON_OUT" >&2
      exit 1
    fi
  done
  echo "STARTED"
}

stop() {
  local pid
  echo -n "Stopping zookeeper ... "
  if [ ! -f "$ZOOPIDFILE" ]; then
    echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
    return 0
  fi
  if ! pid="$(pid_in_file)"; then
    echo "no zookeeper to stop ($ZOOPIDFILE holds no process id)"
    return 1
  fi
  if kill "$pid" 2>/dev/null; then
    # A server hands over and syncs before it goes.
    local waited=0
    while running "$pid"; do
      if [ "$waited" -ge 300 ]; then
        echo "process $pid is still running after 30 seconds"
        return 1
      fi
      sleep 0.1
      waited=$((waited + 1))
    done
  fi
  rm -f "$ZOOPIDFILE"
  echo "STOPPED"
}

# Sets clientPort and clientPortAddress to where clients connect, from the configuration.
find_client_port() {
  isSSL="false"
  clientPortAddress="$(cfg_value clientPortAddress "$ZOOCFG")"
  clientPortAddress="${clientPortAddress:-localhost}"
  clientPort="$(cfg_value clientPort "$ZOOCFG")"
  case "$clientPort" in
    '' | *[!0-9]*) clientPort="" ;;
    *) return 0 ;;
  esac

  local myid line
  myid="$(head -n 1 "$ZOO_DATADIR/myid" 2>/dev/null | tr -d '[:space:]')"
  case "$myid" in
    '' | *[!0-9]*)
      echo "myid could not be determined, will not able to locate clientPort in the server configs."
      ;;
    *)
      line="$(cfg_value "server.$myid" "$ZOOCFG")"
      if [ "${line#*;}" = "$line" ]; then
        echo "Client port not found in static config file. Looking in dynamic config file."
        line="$(cfg_value "server.$myid" "$(cfg_value dynamicConfigFile "$ZOOCFG")")"
      fi
      if [ "${line#*;}" = "$line" ]; then
        echo "Client port not found in the server configs"
      else
        line="${line##*;}"
        clientPort="${line##*:}"
        if [ "$clientPort" != "$line" ]; then
          clientPortAddress="${line%:*}"
          clientPortAddress="${clientPortAddress#[}"
          clientPortAddress="${clientPortAddress%]}"
        fi
      fi
      ;;
  esac
  [ -n "$clientPort" ] && return 0

  echo "Client port not found. Looking for secureClientPort in the static config."
  clientPort="$(cfg_value secureClientPort "$ZOOCFG")"
  if [ -z "$clientPort" ]; then
    echo "Unable to find either secure or unsecure client port in any configs. Terminating."
    exit 1
  fi
  isSSL="true"
  clientPortAddress="$(cfg_value secureClientPortAddress "$ZOOCFG")"
  clientPortAddress="${clientPortAddress:-localhost}"
}

# Asks the server a four-letter word, over a plain connection, for at most five seconds.
four_letter_word() {
  local limit=()
  if command -v timeout > /dev/null; then
    limit=(timeout 5)
  fi
  "${limit[@]}" bash -c '
    exec 3<> "/dev/tcp/$1/$2" && printf %s "$3" >&3 && cat <&3
  ' four_letter_word "$1" "$2" "$3" 2>/dev/null
}

status() {
  local mode=""
  find_client_port
  echo "Client port found: $clientPort. Client address: $clientPortAddress. Client SSL: $isSSL."
  if [ "$isSSL" = "false" ]; then
    mode="$(four_letter_word "$clientPortAddress" "$clientPort" srvr | grep '^Mode')"
  fi
  if [ -z "$mode" ]; then
    echo "Error contacting service. It is probably not running."
    exit 1
  fi
  echo "$mode"
}

case "$VERB" in
  start)
    start
    ;;
  start-foreground)
    if [ -n "$ZOO_NOEXEC" ]; then
      "$GREVY" server "$ZOOCFG" "${SERVER_ARGS[@]}"
    else
      exec "$GREVY" server "$ZOOCFG" "${SERVER_ARGS[@]}"
    fi
    ;;
  stop)
    stop
    ;;
  restart)
    stop || exit 1
    start
    ;;
  status)
    status
    ;;
  print-cmd)
    printf '"%s" server "%s"' "$GREVY" "$ZOOCFG"
    [ "${#SERVER_ARGS[@]}" -gt 0 ] && printf ' %s' "${SERVER_ARGS[@]}"
    printf ' > "%s" 2>&1 < /dev/null\n' "$_ZOO_DAEMON_OUT"
    ;;
esac
