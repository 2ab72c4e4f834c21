#!/usr/bin/env bash
# Deletes old snapshots and the logs they make unnecessary, in the directories that the
# configuration names:
#   zkCleanup.sh [--config DIR] -n count

ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

ZOODATADIR="$(cfg_value dataDir "$ZOOCFG")"
ZOODATALOGDIR="$(cfg_value dataLogDir "$ZOOCFG")"
if [ -z "$ZOODATADIR" ]; then
  echo "Unable to determine dataDir from $ZOOCFG" >&2
  exit 1
fi

if [ -z "$ZOODATALOGDIR" ]; then
  exec "$GREVY" purge "$ZOODATADIR" "$@"
else
  exec "$GREVY" purge "$ZOODATALOGDIR" "$ZOODATADIR" "$@"
fi
