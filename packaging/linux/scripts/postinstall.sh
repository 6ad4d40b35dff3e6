#!/bin/sh
# The users of the units; and what runs goes on as what was installed.
# Debian: "configure", and the version that was there before, if one was. RPM: how many versions are there now.
set -e
systemd-sysusers signet.conf
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
case "$1:$2" in configure:?* | [2-9]:) ;; *) exit 0 ;; esac

processes() {
  group=$(systemctl show --property=ControlGroup --value "$1")
  for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ ! -r "$root$group/cgroup.procs" ] || { grep -c . "$root$group/cgroup.procs"; return; }
  done
  echo 0
}

# Of several processes one after the other is replaced, and no request is lost; a single one drains and is started again.
# Nothing waits: a broker that is out of reach must not hold up an installation.
for unit in $(systemctl list-units --plain --no-legend --state=active,activating 'signet-sidecar*.service' signet-broker.service | cut -d' ' -f1); do
  if [ "$unit" != signet-broker.service ] && [ "$(processes "$unit")" -gt 1 ]; then
    systemctl kill --kill-who=main --signal=USR2 "$unit"
  else
    systemctl try-restart --no-block "$unit"
  fi
done
