#!/usr/bin/env bash
# Prepares empty data directories, as a server wants them that runs with
# zookeeper.datadir.autocreate=false or zookeeper.db.autocreate=false.

ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

usage() {
  cat << END
usage: $0 <parameters>
  Optional parameters:
     -h, --help           Display this message
     --configfile=FILE    ZooKeeper config file (default: $ZOOCFG)
     --myid=#             Set the myid to be used, if any (1-255)
     --force              Force creation of the data/txnlog dirs, deleting what they hold
END
  exit 1
}

MYID=""
FORCE=""
while [ -n "$1" ]; do
  case "$1" in
    --configfile=?*) ZOOCFG="${1#*=}" ;;
    --myid=?*) MYID="${1#*=}" ;;
    --configfile | --myid)
      [ -n "$2" ] || usage
      if [ "$1" = --myid ]; then MYID="$2"; else ZOOCFG="$2"; fi
      shift
      ;;
    --force) FORCE=1 ;;
    -h | --help) usage ;;
    *)
      echo "Unknown option: $1"
      usage
      ;;
  esac
  shift
done

case "$MYID" in
  *[!0-9]*)
    echo "myid $MYID is not a number"
    exit 1
    ;;
esac
if [ ! -e "$ZOOCFG" ]; then
  echo "Unable to find config file at $ZOOCFG"
  exit 1
fi
ZOO_DATADIR="$(cfg_value dataDir "$ZOOCFG")"
ZOO_DATALOGDIR="$(cfg_value dataLogDir "$ZOOCFG")"
if [ -z "$ZOO_DATADIR" ]; then
  echo "Unable to determine dataDir from $ZOOCFG"
  exit 1
fi

if [ -n "$FORCE" ]; then
  echo "Force enabled, data/txnlog directories will be re-initialized"
else
  # Only the directory below holds data; its parent may well be there already.
  if [ -d "$ZOO_DATADIR/version-2" ]; then
    echo "ZooKeeper data directory already exists at $ZOO_DATADIR (or use --force to force re-initialization)"
    exit 1
  fi
  if [ -n "$ZOO_DATALOGDIR" ] && [ -d "$ZOO_DATALOGDIR/version-2" ]; then
    echo "ZooKeeper txnlog directory already exists at $ZOO_DATALOGDIR (or use --force to force re-initialization)"
    exit 1
  fi
fi

for directory in "$ZOO_DATADIR" "$ZOO_DATALOGDIR"; do
  [ -n "$directory" ] || continue
  rm -rf "${directory:?}/myid" "${directory:?}/version-2"
  mkdir -p "$directory/version-2" || exit 1
done

if [ -n "$MYID" ]; then
  echo "Using myid of $MYID"
  echo "$MYID" > "$ZOO_DATADIR/myid" || exit 1
else
  echo "No myid provided, be sure to specify it in $ZOO_DATADIR/myid if using non-standalone"
fi

# The marker that lets a server without data begin with an empty tree. Servers look for it beside
# the transaction log.
touch "${ZOO_DATALOGDIR:-$ZOO_DATADIR}/initialize"
