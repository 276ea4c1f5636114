#!/usr/bin/env bash
# Makes a fresh VM of Google Compute Engine a relay, and runs at every boot: as the metadata key `startup-script`, or
# from cloud-init. It reads everything from instance metadata (docs/relay.md has the table); values are checked and
# never printed. Running it again changes nothing that is correct. It ends with 0 when all relays are ready.
set -euo pipefail
umask 022

readonly metadata='http://169.254.169.254/computeMetadata/v1'
readonly user=porttunneler
readonly home=/opt/porttunneler
readonly etc=/etc/porttunneler
readonly host_pattern='[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?'
readonly port_pattern='[1-9][0-9]{0,4}'
readonly url_pattern='https?://[A-Za-z0-9._~:/?@%&=+,;-]+'
readonly sha256_pattern='[0-9a-f]{64}'
# An Ed25519 key (RFC 8410) in base64, as "openssl pkey -pubout -outform DER | base64" prints it.
readonly key_pattern='MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}='
readonly version_pattern='[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}'
# Names, ports and sockets of all relays of a VM fit one page of each.
readonly relays_max=16
readonly ready_seconds=60

say() { printf 'porttunneler: %s\n' "$*"; }

die() {
  say "$*" >&2
  exit 1
}

# Calls the metadata server, which is not there in the first moment after a VM boots.
call_metadata() {
  curl --silent --show-error --noproxy '*' --max-time 5 --retry 5 --retry-connrefused \
    --header 'Metadata-Flavor: Google' "$@"
}

# read_metadata PATH PATTERN [DEFAULT]: a value, checked whole. Without a default it is required.
read_metadata() {
  local answer status value
  answer="$(call_metadata --write-out '\n%{http_code}' "$metadata/$1")" || die "The metadata server does not answer"
  status="${answer##*$'\n'}"
  value="${answer%$'\n'*}"
  if [[ $status == 404 ]]; then
    [[ $# -ge 3 ]] || die "The metadata $1 is missing"
    # The default is ours, and may be the word for nothing, which no pattern allows.
    printf '%s' "$3"
    return
  elif [[ $status != 200 ]]; then
    die "The metadata server answers $status to $1"
  fi
  [[ $value =~ ^($2)$ ]] || die "The metadata $1 is not of the form $2"
  printf '%s' "$value"
}

attribute() { read_metadata "instance/attributes/$1" "${@:2}"; }

read_settings() {
  control_url="$(attribute ptun-control-url 'https?://[A-Za-z0-9.:-]+')"
  cell_host="$(attribute ptun-cell-host "$host_pattern")"
  domain="$(attribute ptun-domain "$host_pattern" "$cell_host")"
  identity="$(attribute ptun-identity 'google|enrolled' google)"
  tls_port="$(attribute ptun-tls-port "$port_pattern" 443)"
  http_port="$(attribute ptun-http-port "$port_pattern" 80)"
  tcp_ports="$(attribute ptun-tcp-ports "$port_pattern-$port_pattern" 20000-20999)"
  own_port="$(attribute ptun-own-port "$port_pattern" 8444)"
  admin_port="$(attribute ptun-admin-port "$port_pattern" 8490)"
  relays="$(attribute ptun-relays '[1-9][0-9]?' "$(nproc)")"
  trusted_proxies="$(attribute ptun-trusted-proxies '([0-9a-fA-F.:/]+|cloudflare)( ([0-9a-fA-F.:/]+|cloudflare))*' '')"
  proxy_protocol="$(attribute ptun-proxy-protocol '(http|tls|tcp)( (http|tls|tcp))*' '')"
  subscriptions="$(attribute ptun-subscriptions '[A-Za-z0-9._~+%{} -]*' '')"
  # All VMs of a group share their metadata, and must not share a subscription: each would get a part of the commands.
  [[ $subscriptions != *'{name}'* ]] || subscriptions="${subscriptions//'{name}'/"$(vm_name)"}"
  events_topic="$(attribute ptun-events-topic '[A-Za-z][A-Za-z0-9._~+%-]{2,254}' '')"
  watch_url="$(attribute ptun-watch-url 'https?://[a-z0-9.{}-]+(:[0-9{}a-z]+)?' '')"
  [[ $watch_url != *'{name}'* ]] || watch_url="${watch_url//'{name}'/"$(vm_name)"}"
  certificate_file="$(attribute ptun-certificate-file '/[A-Za-z0-9._/-]+' '')"
  certificate_key_file="$(attribute ptun-certificate-key-file '/[A-Za-z0-9._/-]+' '')"
  pulls_ca_file="$(attribute ptun-origin-pulls-ca-file '/[A-Za-z0-9._/-]+' '')"
  pulls_names="$(attribute ptun-origin-pulls-names '(\*\.)?'"$host_pattern( (\*\.)?$host_pattern)*" '')"
  bundle_url="$(attribute ptun-bundle-url "$url_pattern")"
  bundle_sha256="$(attribute ptun-bundle-sha256 "$sha256_pattern")"
  node_url="$(attribute ptun-node-url "$url_pattern")"
  node_sha256="$(attribute ptun-node-sha256 "$sha256_pattern")"
  release_url="$(attribute ptun-release-url "$url_pattern")"
  release_keys="$(attribute ptun-release-keys "$key_pattern( $key_pattern)?")"
  oldest_release="$(attribute ptun-oldest-release "$version_pattern")"
  project="$(read_metadata project/project-id '[a-z][a-z0-9-]{4,28}[a-z0-9]')"
  instance_id="$(read_metadata instance/id '[0-9]{1,20}')"
  address="$(read_metadata instance/network-interfaces/0/access-configs/0/external-ip '[0-9.]{7,15}')"
  grace_seconds="$(attribute ptun-grace-seconds '[1-9][0-9]{0,3}' "$(platform_grace)")"
  ((relays <= relays_max)) || die "ptun-relays is more than $relays_max"
}

vm_name() { read_metadata instance/name '[a-z]([a-z0-9-]{0,61}[a-z0-9])?'; }

# Compute Engine gives a VM 90 s to shut down, a preemptible or spot one 30 s. Ten of them are for the last report.
platform_grace() {
  case "$(read_metadata instance/scheduling/preemptible 'TRUE|FALSE')" in
    TRUE) echo 20 ;;
    *) echo 75 ;;
  esac
}

make_user() {
  getent passwd "$user" >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/porttunneler --shell /usr/sbin/nologin "$user"
}

# download URL FILE KIB: no more than so many KiB, whatever the server sends.
download() {
  (
    ulimit -f "$3"
    curl --silent --show-error --fail --location --retry 5 --retry-connrefused --max-time 300 --output "$2" "$1"
  )
}

# is_signed FILE: whether FILE.sig is the signature of one of our keys. openssl is there wherever curl trusts certificates.
is_signed() {
  local keys key
  read -r -a keys <<<"$release_keys"
  for key in "${keys[@]}"; do
    base64 --decode <<<"$key" >"$home/release-key.der"
    if openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$home/release-key.der" \
      -in "$1" -sigfile "$1.sig" >/dev/null 2>&1; then
      return 0
    fi
  done
  return 1
}

# fault_of_release FOLDER: why its list is not believed; nothing when it is.
fault_of_release() {
  local list="$1/list" version
  if [[ ! -s $list || ! -s $list.sig ]]; then
    echo 'has no list with a signature'
  elif ! is_signed "$list"; then
    echo 'is not signed by a key of ptun-release-keys'
  else
    version="$(head --lines 1 "$list")"
    version="${version#\# porttunneler }"
    if [[ ! $version =~ ^($version_pattern)$ ]]; then
      echo 'names no version'
    elif ! printf '%s\n' "$oldest_release" "$version" | sort --version-sort --check=quiet; then
      echo "$version is older than $oldest_release, the oldest that may run"
    elif ! grep --quiet --fixed-strings --line-regexp "$bundle_sha256  relay-vm.tar.gz" "$list"; then
      echo "$version has no relay-vm.tar.gz with the SHA-256 of ptun-bundle-sha256"
    elif ! grep --quiet --extended-regexp --line-regexp "$node_sha256  node-[a-z0-9.-]+" "$list"; then
      echo "$version has no archive of Node with the SHA-256 of ptun-node-sha256"
    fi
  fi
}

# The list of a release names its archives by their hashes, with its version in the first line. Only what a signed list
# names is unpacked. It is kept, so a reboot needs nobody, and checked again by the keys that count then.
check_release() {
  local kept="$home/release" draft="$home/release-draft" fault
  [[ -n $(fault_of_release "$kept") ]] || return 0
  rm -rf "$draft"
  mkdir -p "$draft"
  download "$release_url" "$draft/list" 64 || die 'The list of the release cannot be fetched'
  download "$release_url.sig" "$draft/list.sig" 1 || die 'The signature of the release cannot be fetched'
  fault="$(fault_of_release "$draft")"
  [[ -z $fault ]] || die "The release $fault"
  rm -rf "$kept"
  mv "$draft" "$kept"
}

# fetch URL SHA256 LINK: unpacks an archive into a folder named by its hash, and points the link to it at the end. An
# archive that is already unpacked is not fetched again.
fetch() {
  local url="$1" sha256="$2" link="$home/$3" folder="$home/archives/$2" draft="$home/archives/draft"
  if [[ ! -d $folder ]]; then
    rm -rf "$draft"
    mkdir -p "$draft/content"
    download "$url" "$draft/archive" 1048576 || die "The archive of $3 cannot be fetched"
    echo "$sha256  $draft/archive" | sha256sum --check --status || die "The archive of $3 has another SHA-256"
    tar --extract --file "$draft/archive" --directory "$draft/content" --no-same-owner
    mv "$draft/content" "$folder"
    rm -r "$draft"
  fi
  ln --symbolic --force --no-dereference "$folder" "$link.new"
  mv --no-target-directory "$link.new" "$link"
}

# The archives of Node hold one folder.
link_node() {
  fetch "$node_url" "$node_sha256" node-archive
  local folder
  folder="$(dirname "$(dirname "$(find "$home/node-archive/" -path '*/bin/node' -print -quit)")")"
  [[ -x $folder/bin/node ]] || die "The archive of Node holds no bin/node"
  ln --symbolic --force --no-dereference "$folder" "$home/node.new"
  mv --no-target-directory "$home/node.new" "$home/node"
}

set_kernel() {
  local own_last=$((own_port + 2 * relays - 1)) admin_last=$((admin_port + relays - 1))
  cat >/etc/sysctl.d/60-porttunneler.conf <<EOF
# Connections that wait at a stopping relay go to the others.
net.ipv4.tcp_migrate_req = 1
# A flood of SYNs from forged addresses takes no place of an honest one.
net.ipv4.tcp_syncookies = 1
# Handshakes that may be under way: all agents of a relay that went away come at once.
net.ipv4.tcp_max_syn_backlog = 8192
# Connections that may wait to be accepted, for the same moment.
net.core.somaxconn = 8192
# Outgoing connections do not use these ports, which belong to the relays.
net.ipv4.ip_local_reserved_ports = $tcp_ports,$own_port-$own_last,$admin_port-$admin_last
EOF
  sysctl --quiet --load=/etc/sysctl.d/60-porttunneler.conf
}

set_firewall() {
  local own_last=$((own_port + 2 * relays - 1))
  sed -e "s/^define agent_ports = .*/define agent_ports = { $tls_port, $own_port-$own_last }/" \
    -e "s/^define visitor_ports = .*/define visitor_ports = { $http_port, $tcp_ports }/" \
    "$home/relay/nftables.conf" >"$etc/nftables.conf"
  nft --file "$etc/nftables.conf"
}

# json_list WORDS: ["a", "b"]
json_list() {
  [[ -z $1 ]] || printf '"%s"' "${1// /\", \"}"
}

# write_config NUMBER SUBSCRIPTION
write_config() {
  local own=$((own_port + 2 * ($1 - 1))) commands='' events='' watch='' certificate='' pulls='' logs=''
  [[ -z $events_topic ]] || events=", \"events\": \"$events_topic\""
  if [[ -n $2 ]]; then
    commands="\"commands\": { \"pubsub\": { \"project\": \"$project\", \"subscription\": \"$2\"$events } },"
  fi
  # Operators search the lines of relays beside those of the functions.
  [[ $identity != google ]] || logs="\"logs\": { \"google\": { \"project\": \"$project\" } },"
  [[ -z $watch_url ]] || watch=",
    \"watchUrl\": \"${watch_url//'{port}'/$own}\""
  if [[ -n $certificate_file ]]; then
    certificate="\"certificate\": { \"certFile\": \"$certificate_file\", \"keyFile\": \"$certificate_key_file\" },"
  fi
  if [[ -n $pulls_ca_file ]]; then
    [[ -z $pulls_names ]] || pulls=", \"names\": [$(json_list "$pulls_names")]"
    pulls="\"originPulls\": { \"caFile\": \"$pulls_ca_file\"$pulls },"
  fi
  cat >"$etc/relay-$1.json.new" <<EOF
{
  "instance": "r$1-$instance_id",
  "dataDir": "/var/lib/porttunneler/relay-$1",
  "controlUrl": "$control_url",
  "identity": "$identity",
  "listen": {
    "tls": { "port": $tls_port },
    "http": { "port": $http_port },
    "admin": { "port": $((admin_port + $1 - 1)) },
    "siblings": "/run/porttunneler",
    "own": { "tlsPort": $own, "httpPort": $((own + 1)) }
  },
  "public": {
    "agentHost": "$address",
    "agentSni": "r$1-$instance_id.$cell_host",
    "names": ["$address", "r$1-$instance_id.$cell_host"],
    "domain": "$domain"$watch
  },
  $commands
  $certificate
  $pulls
  $logs
  "trustedProxies": [$(json_list "$trusted_proxies")],
  "proxyProtocol": [$(json_list "$proxy_protocol")],
  "graceMs": ${grace_seconds}000
}
EOF
  mv "$etc/relay-$1.json.new" "$etc/relay-$1.json"
}

install_units() {
  local units=/etc/systemd/system
  mkdir -p "$units/porttunneler-relay@.service.d"
  install -m 644 "$home/relay/porttunneler-relay@.service" "$units/"
  printf '[Service]\nTimeoutStopSec=%s\n' $((grace_seconds + 10)) >"$units/porttunneler-relay@.service.d/grace.conf"
  systemctl daemon-reload
}

await_ready() {
  local until=$((SECONDS + ready_seconds)) number port
  for ((number = 1; number <= relays; number++)); do
    port=$((admin_port + number - 1))
    until curl --silent --fail --noproxy '*' --max-time 2 --output /dev/null "http://127.0.0.1:$port/readyz"; do
      ((SECONDS < until)) || die "Relay $number is not ready after $ready_seconds s: journalctl -u porttunneler-relay@$number"
      sleep 0.2
    done
  done
}

# For people who look at the group of VMs. The relays themselves report to the control plane.
report_ready() {
  call_metadata --fail --output /dev/null --request PUT --data "ready $relays" \
    "$metadata/instance/guest-attributes/porttunneler/state" ||
    say 'The guest attribute was not written; it needs enable-guest-attributes=TRUE'
}

main() {
  read_settings
  make_user
  mkdir -p "$etc" "$home" /etc/sysctl.d
  check_release
  fetch "$bundle_url" "$bundle_sha256" relay
  link_node
  set_kernel
  set_firewall
  local number names
  read -r -a names <<<"$subscriptions"
  for ((number = 1; number <= relays; number++)); do write_config "$number" "${names[number - 1]:-}"; done
  install_units
  for ((number = 1; number <= relays; number++)); do systemctl start "porttunneler-relay@$number.service"; done
  await_ready
  report_ready
  say "$relays relays are ready, with $grace_seconds s to drain"
}

main
