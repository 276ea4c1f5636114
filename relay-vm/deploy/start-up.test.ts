/**
 * What start-up.sh makes of a VM's metadata. The test runs the script's own functions with a metadata server made of
 * shell functions.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseConfig } from '../config.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-start-up-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const always: Readonly<Record<string, string>> = {
  'instance/attributes/ptun-control-url': 'https://tunnels.example.com',
  'instance/attributes/ptun-cell-host': 'eu.example.com',
  'instance/attributes/ptun-bundle-url': 'https://archives.example.com/relay.tar.gz',
  'instance/attributes/ptun-bundle-sha256': '0'.repeat(64),
  'instance/attributes/ptun-node-url': 'https://archives.example.com/node.tar',
  'instance/attributes/ptun-node-sha256': '0'.repeat(64),
  'instance/attributes/ptun-release-url': 'https://archives.example.com/SHA256SUMS',
  'instance/attributes/ptun-release-keys': `MCowBQYDK2VwAyEA${'A'.repeat(43)}=`,
  'instance/attributes/ptun-oldest-release': '0.1.0',
  'instance/attributes/ptun-relays': '2',
  'project/project-id': 'tunnels-prod',
  'instance/id': '4711',
  'instance/name': 'relay-eu-a',
  'instance/network-interfaces/0/access-configs/0/external-ip': '192.0.2.7',
  'instance/scheduling/preemptible': 'FALSE',
}

/** Runs everything but `main` as it is. */
const script = `
set -euo pipefail
source <(sed -e '$d' -e "s,^readonly etc=.*,readonly etc='$folder'," "$startUp")
call_metadata() {
  local path="\${!#}"; path="\${path#"$metadata"/}"
  local value="$(grep -F "$path=" "$folder/metadata" || true)"
  if [[ -n $value ]]; then printf '%s\\n200' "\${value#*=}"; else printf '\\n404'; fi
}
read_settings
read -r -a names <<<"$subscriptions"
for number in 1 2; do write_config "$number" "\${names[number - 1]:-}"; done
`

function boot(attributes: Readonly<Record<string, string>>) {
  const own = Object.entries(attributes).map(([key, value]) => [`instance/attributes/${key}`, value])
  const lines = [...Object.entries(always), ...own].map(([key, value]) => `${key}=${value}\n`)
  const startUp = join(import.meta.dirname, 'start-up.sh')
  const env = { ...process.env, folder, startUp }
  execFileSync('bash', ['-c', `cat >"$folder/metadata"; ${script}`], { env, input: lines.join('') })
  return [1, 2].map((number) => parseConfig(readFileSync(join(folder, `relay-${number}.json`), 'utf8'), {}))
}

test('start-up: a VM with minimal metadata has relays that get commands by sync and show their own address', () => {
  const [config] = boot({})
  expect(config).toMatchObject({
    instance: 'r1-4711',
    public: { agentHost: '192.0.2.7', domain: 'eu.example.com' },
  })
  expect(config?.commands).toBeUndefined()
  expect(config?.certificate).toBeUndefined()
  expect(config?.public.watchUrl).toBeUndefined()
})

test('start-up: VMs of one group with the same metadata have subscriptions and live figures of their own', () => {
  const configs = boot({
    'ptun-subscriptions': 'ptun.commands.eu.{name}.1 ptun.commands.eu.{name}.2',
    'ptun-events-topic': 'ptun.events',
    'ptun-watch-url': 'https://{name}.eu.example.com:{port}',
    'ptun-certificate-file': '/etc/tls/chain.pem',
    'ptun-certificate-key-file': '/etc/tls/key.pem',
    'ptun-origin-pulls-ca-file': '/etc/tls/cloudflare.pem',
    'ptun-origin-pulls-names': '*.eu.example.com app.example.com',
  })
  const pubsub = { project: 'tunnels-prod', events: 'ptun.events' }
  expect(configs.map(({ commands }) => commands?.pubsub)).toEqual([
    { ...pubsub, subscription: 'ptun.commands.eu.relay-eu-a.1' },
    { ...pubsub, subscription: 'ptun.commands.eu.relay-eu-a.2' },
  ])
  expect(configs.map((config) => config.public.watchUrl)).toEqual([
    'https://relay-eu-a.eu.example.com:8444',
    'https://relay-eu-a.eu.example.com:8446',
  ])
  expect(configs[1]?.certificate).toEqual({ certFile: '/etc/tls/chain.pem', keyFile: '/etc/tls/key.pem' })
  expect(configs[1]?.originPulls).toEqual({
    caFile: '/etc/tls/cloudflare.pem',
    names: ['*.eu.example.com', 'app.example.com'],
  })
})

test('start-up: each setting of the kernel says why, there and in the documents', () => {
  const read = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8')
  const script = read('start-up.sh').split('\n')
  const set = script.flatMap((line, index) => {
    const [, name] = /^([a-z_0-9.]+) = /.exec(line) ?? []
    return name === undefined ? [] : [{ name, because: script[index - 1] }]
  })
  const rows = [...read('../../docs/relay.md').matchAll(/^\| `(net\.[a-z_0-9.]+)` \| .+ \| .+ \|$/gm)]
  expect(set.map(({ name }) => name)).toEqual(rows.map(([, name]) => name))
  for (const { name, because } of set) expect(because, name).toMatch(/^# /)
})
