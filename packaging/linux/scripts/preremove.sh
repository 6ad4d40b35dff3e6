#!/bin/sh
# Before the last version goes: nothing of it runs, or begins at the next boot. Debian: "remove". RPM: "0".
set -e
case "$1" in remove | 0) ;; *) exit 0 ;; esac
units='signet-sidecar.service signet-sidecar@.service signet-broker.service'
if [ -d /run/systemd/system ]; then
  systemctl stop 'signet-sidecar*.service' signet-broker.service
fi
systemctl --quiet disable $units
