#!/bin/sh
# In Compose: runs Caddy, and as soon as every service answers behind it, prints where they are, which ends `docker compose up`.
(
    for service in $(env | sed -n 's/.*_UPSTREAM=\([a-z-]*\) .*/\1/p'); do
        until wget -q -O /dev/null "http://127.0.0.1:8080/$service/healthcheck" 2>/dev/null; do sleep 1; done
    done
    printf '\nTessera is running:\n%s' "$ADDRESSES"
) &
exec caddy run --config /srv/gateway/compose.Caddyfile --adapter caddyfile
