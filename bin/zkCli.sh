#!/usr/bin/env bash
# The shell for a server's tree, with the commands of ZooKeeper's script of this name:
#   zkCli.sh [-server host:port[,…][/chroot]] [-timeout ms] [-r] [command …]

ZOOBINDIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

"$GREVY" zkcli "$@"
status=$?
# ZooKeeper's script tells a request that failed from nothing else.
case $status in
  [3-8]) exit 1 ;;
  *) exit "$status" ;;
esac
