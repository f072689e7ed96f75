#!/bin/sh
# Print what changed in NGINX's configuration, or behind its certificate links, after the service last started or reloaded.
# Only while it runs: otherwise the start reads everything.
set -eu
[ -d /etc/nginx ] || exit 0
systemctl is-active --quiet nginx || exit 0
since=$(systemctl show --timestamp=us+utc --property=StateChangeTimestamp --value nginx)
find -L /etc/nginx -newermt "$since"
