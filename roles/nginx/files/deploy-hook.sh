#!/bin/sh
# Certbot runs this after each renewal.
set -eu
nginx -t -q
systemctl reload nginx
