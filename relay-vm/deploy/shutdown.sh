#!/usr/bin/env bash
# Drains the relays of a VM that shuts down: the metadata key `shutdown-script`. Compute Engine waits 90 s for it, on
# preemptible and spot VMs 30 s; start-up.sh has chosen a grace that fits, after which open streams are cut. All relays
# drain at the same time, and this returns when the last one has ended.
set -euo pipefail

systemctl stop 'porttunneler-relay@*.service'
echo 'porttunneler: the relays are stopped'
