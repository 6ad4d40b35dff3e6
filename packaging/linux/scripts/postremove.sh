#!/bin/sh
# Debian: "remove" keeps the settings, "purge" keeps nothing. RPM: "0", which keeps settings that were changed as .rpmsave.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ "$1" = purge ] || exit 0
rm -rf /etc/signet /var/lib/signet-broker /var/lib/private/signet-broker
for user in signet signet-broker; do
  ! getent passwd "$user" > /dev/null || userdel "$user"
  ! getent group "$user" > /dev/null || groupdel "$user"
done
