/**
 * A relay VM from boot to shutdown: the real start-up and shutdown scripts, in a network namespace and a file system of
 * their own, with the deployed archive and the unit that systemd would read. Only systemctl is replaced.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EventLog, eventually } from './harness/events.ts'
import { type Program, root as repository, runProgram, startProgram } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { describeWith } from './requirements.ts'
import { makeRelease } from './vm/archives.ts'
import { controlUrl, type VmEvent, vm } from './vm/vm.ts'
import { layWire, takeWire } from './vm/wire.ts'

/** The VM and its surroundings: two network namespaces with a wire between them. */
const [machine, cloud] = [`ptun-vm-${process.pid}`, `ptun-cloud-${process.pid}`]
const units = [1, 2].map((number) => `porttunneler-relay@${number}.service`)

describeWith(['ip', 'namespaces', 'setpriv', 'curl', 'openssl'], 'relay VM', () => {
  let folder: string
  let root: string
  let surroundings: Program
  const events = new EventLog<VmEvent>()
  let attributes: Record<string, string>

  const runIn = (namespace: string, ...words: string[]) => {
    const [command = '', ...args] = words
    return runProgram(command, args, { namespace })
  }
  const runScript = (name: string) => {
    copyFileSync(join(repository, 'relay-vm/deploy', name), join(root, 'tmp', name))
    const script = join(repository, 'e2e/vm/root.sh')
    return runIn(machine, 'unshare', '--mount', 'bash', script, root, 'bash', `/tmp/${name}`)
  }
  const setAttributes = (changes: Record<string, string>) => {
    attributes = { ...attributes, ...changes }
    writeFileSync(join(folder, 'attributes.json'), JSON.stringify(attributes))
  }
  const unitFile = (name: string) => readFileSync(join(root, 'run/units', name), 'utf8').trim()
  const pids = () => units.map((unit) => unitFile(`${unit}.pid`))
  const count = (kind: VmEvent['kind']) => events.items.filter((event) => event.kind === kind).length

  beforeAll(async () => {
    folder = temporaryFolder('relay-vm')
    root = join(folder, 'root')
    mkdirSync(join(root, 'tmp'), { recursive: true })
    const archives = join(folder, 'archives')
    mkdirSync(archives)
    setAttributes({
      'ptun-control-url': controlUrl,
      'ptun-cell-host': vm.cellHost,
      'ptun-relays': '2',
      'ptun-trusted-proxies': '203.0.113.0/24 2001:db8::1 cloudflare',
      'ptun-proxy-protocol': 'http tcp',
      ...makeRelease(archives, () => `${controlUrl}/archives`),
    })
    layWire(
      { name: machine, addresses: [vm.address] },
      { name: cloud, addresses: ['169.254.169.254', vm.controlAddress] },
    )
    const program = [join(repository, 'e2e/vm/surroundings.ts'), join(folder, 'attributes.json'), archives]
    surroundings = await startProgram('node', program, { namespace: cloud })
    surroundings.lines.subscribe(({ from, text }) => {
      if (from === 'stdout') events.push(JSON.parse(text))
    })
    await events.waitFor(({ kind }) => kind === 'up', { what: 'the surroundings' })
  })
  afterAll(async () => {
    if (existsSync(join(root, 'run/units')))
      for (const file of readdirSync(join(root, 'run/units')).filter((name) => name.endsWith('.pid')))
        if (!existsSync(join(root, 'run/units', file.replace('.pid', '.exit'))))
          process.kill(Number(unitFile(file)), 'SIGKILL')
    await surroundings?.stop('SIGKILL')
    takeWire(machine, cloud)
    rmSync(folder, { recursive: true, force: true })
  })

  test('nothing is unpacked of a release that nobody signed, or whose archive arrives cut', async () => {
    const refused = async () => {
      const { exit, stderr } = await runScript('start-up.sh')
      expect(exit.code).toBe(1)
      expect(existsSync(join(root, 'opt/porttunneler/archives'))).toBe(false)
      return stderr
    }
    const { 'ptun-release-url': url = '' } = attributes
    setAttributes({ 'ptun-release-url': `${controlUrl}/archives/other` })
    expect(await refused()).toContain('The list of the release cannot be fetched')
    setAttributes({ 'ptun-release-url': url })
    const signature = join(folder, 'archives/SHA256SUMS.sig')
    const right = readFileSync(signature)
    writeFileSync(signature, Buffer.alloc(64, 1))
    expect(await refused()).toContain('The release is not signed by a key of ptun-release-keys')
    writeFileSync(signature, right)
    const archive = join(folder, 'archives/relay-vm.tar.gz')
    const whole = readFileSync(archive)
    writeFileSync(archive, whole.subarray(0, whole.length / 2))
    const { stderr } = await runScript('start-up.sh')
    expect(stderr).toContain('The archive of relay has another SHA-256')
    expect(existsSync(join(root, 'opt/porttunneler/relay'))).toBe(false)
    expect(existsSync(join(root, 'run/units'))).toBe(false)
    writeFileSync(archive, whole)
  })

  test('after a boot the relays have registered by the token of their VM, and it reports ready', async () => {
    const startedMs = performance.now()
    const { exit, stdout, stderr } = await runScript('start-up.sh')
    const bootMs = performance.now() - startedMs
    process.stdout.write(
      `relay VM: from the start of its script to ready in ${Math.round(bootMs / 100) / 10} s\n`,
    )
    // The promise is 20 s on a machine that does nothing else.
    expect(bootMs).toBeLessThan(40_000)
    expect(stderr).toBe('')
    expect(stdout).toBe('porttunneler: 2 relays are ready, with 20 s to drain')
    expect(exit.code).toBe(0)
    for (const [index, agentPort] of [8444, 8446].entries())
      await events.waitFor(
        (event) => event.kind === 'sync' && event.state === 'ready' && event.agentPort === agentPort,
        { what: `relay ${index + 1} ready` },
      )
    const token = { kind: 'token', audience: controlUrl, format: 'full' }
    expect(events.items.filter(({ kind }) => kind === 'token')).toEqual([token, token])
    expect(events.items).toContainEqual({ kind: 'guestAttribute', value: 'ready 2' })
    expect(count('refused')).toBe(0)
  })

  test('visitors reach a tunnel at the VM, whichever relay accepts them', async () => {
    await events.waitFor(({ kind }) => kind === 'bound', { what: 'the tunnel' })
    const visits = Array.from({ length: 6 }, () =>
      runIn(cloud, 'curl', '-sS', '-H', `Host: demo.${vm.cellHost}`, `http://${vm.address}/`),
    )
    for (const { stdout } of await Promise.all(visits)) expect(stdout).toBe('from the upstream')
  })

  test('by its token the VM gets the certificate of the cell: tunnels and live figures are trusted by name', async () => {
    const asked = await events.waitFor(
      (event) => event.kind === 'certificates' && event.hosts.includes(vm.cellHost),
      { what: 'a question for the certificate' },
    )
    const rootFile = join(folder, 'root.crt')
    if (asked.kind === 'certificates') writeFileSync(rootFile, asked.root)
    const trusted = async (host: string, port: number, path: string, ...words: string[]) => {
      const address = ['--cacert', rootFile, '--resolve', `${host}:${port}:${vm.address}`]
      return (await runIn(cloud, 'curl', '-sS', ...address, ...words, `https://${host}:${port}${path}`))
        .stdout
    }
    const shop = `demo.${vm.cellHost}`
    const served = async () => (await trusted(shop, 443, '/')) || undefined
    expect(await eventually('the tunnel is trusted', served)).toBe('from the upstream')
    const code = ['-o', '/dev/null', '-w', '%{http_code}']
    for (const [index, port] of [8444, 8446].entries()) {
      const own = `r${index + 1}-${vm.instanceId}.${vm.cellHost}`
      // There is no ticket.
      expect(await trusted(own, port, '/v1/live', ...code)).toBe('401')
    }
    const kept = join(root, 'var/lib/porttunneler/relay-1/certificates.json')
    const { mode, uid } = await eventually('it is kept', () => statSync(kept))
    expect(mode & 0o777).toBe(0o600)
    expect(uid).toBeGreaterThan(0)
  })

  test('kernel and firewall are set for the ports of this VM', async () => {
    const kernel = '/proc/sys/net/ipv4'
    const { stdout } = await runIn(
      machine,
      'cat',
      `${kernel}/tcp_migrate_req`,
      `${kernel}/ip_local_reserved_ports`,
    )
    expect(stdout).toBe('1\n8444-8447,8490-8491,20000-20999')
    const rules = (await runIn(machine, 'nft', 'list', 'chain', 'inet', 'porttunneler', 'arrivals')).stdout
    expect(rules).toContain('{ 443, 8444-8447 }')
    expect(rules).toContain('{ 80, 20000-20999 }')
  })

  test('its relays believe the proxies that its metadata lists, at the ports that it names', () => {
    const text = readFileSync(join(root, 'etc/porttunneler/relay-2.json'), 'utf8')
    expect(JSON.parse(text)).toMatchObject({
      trustedProxies: ['203.0.113.0/24', '2001:db8::1', 'cloudflare'],
      proxyProtocol: ['http', 'tcp'],
    })
  })

  test('each relay runs as a user of its own and may bind low ports, and nothing more', () => {
    for (const pid of pids()) {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      expect(Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])).toBeGreaterThan(0)
      expect(/^CapEff:\s+(\w+)/m.exec(status)?.[1]).toBe('0000000000000400')
    }
  })

  test('a second run, as after a reboot, changes nothing and fetches nothing', async () => {
    const before = { pids: pids(), archives: count('archive') }
    const { exit } = await runScript('start-up.sh')
    expect(exit.code).toBe(0)
    expect({ pids: pids(), archives: count('archive') }).toEqual(before)
  })

  test('the shutdown script drains: relays report it, end with 0 and within the grace of a preemptible VM', async () => {
    const from = events.items.length
    const startedMs = performance.now()
    const { exit } = await runScript('shutdown.sh')
    expect(exit.code).toBe(0)
    expect(performance.now() - startedMs).toBeLessThan(20_000)
    expect(units.map((unit) => unitFile(`${unit}.exit`))).toEqual(['0', '0'])
    const draining = events.items
      .slice(from)
      .flatMap((event) => (event.kind === 'sync' && event.state === 'draining' ? [event] : []))
    expect(new Set(draining.map(({ agentPort }) => agentPort))).toEqual(new Set([8444, 8446]))
    // Consoles that are read by HTTPS find live figures there.
    for (const { watchUrl, agentPort } of draining)
      expect(watchUrl).toMatch(new RegExp(`^https://r[12]-${vm.instanceId}\\.${vm.cellHost}:${agentPort}$`))
  })
})
