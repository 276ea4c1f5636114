/**
 * The Debian packages from installation to purge, on a machine like this one in a network of its own. Only systemctl is
 * replaced: it runs what the unit says, as its user.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from './harness/events.ts'
import { childrenOf, type Program, root as repository, runProgram, startProgram } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { describeWith } from './requirements.ts'
import { makeFirstKey } from './vm/first-key.ts'

const network = `ptun-deb-${process.pid}`
const [server, agent] = ['porttunneler.service', 'ptun.service']

describeWith(['ip', 'mounts', 'namespaces', 'setpriv', 'curl', 'nsenter', 'dpkg'], 'Debian packages', () => {
  const folder = temporaryFolder('deb')
  const debs = join(folder, 'debs')
  const machine = join(folder, 'root/machine')
  let holder: Program

  /** Runs in the machine, as root. */
  const run = async (...words: string[]) => {
    const into = ['--target', String(holder.pid), '--mount', '--net', 'chroot', machine, '/usr/bin/env', '-i']
    const env = ['PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive']
    return runProgram('nsenter', [...into, ...env, ...words], { deadlineMs: 60_000 })
  }
  const succeed = async (...words: string[]) => {
    const { exit, stdout, stderr } = await run(...words)
    expect(exit.code, `${words.join(' ')}\n${stdout}\n${stderr}`).toBe(0)
    return stdout
  }
  /** The machine is in a mount namespace of its own; its files are there for those who go through its process. */
  const place = (...names: string[]) => join(`/proc/${holder.pid}/root`, machine, ...names)
  const unitFile = (unit: string, kind: 'pid' | 'exit') =>
    readFileSync(place('run/units', `${unit}.${kind}`), 'utf8').trim()
  const relayOf = () => {
    const children = childrenOf(Number(unitFile(server, 'pid'))).flatMap(({ pid }) => childrenOf(pid))
    return children.find(({ command }) => command.includes('relay.cjs'))?.pid
  }
  const visit = (name: string) =>
    run(
      'curl',
      '-sS',
      '--max-time',
      '10',
      '--resolve',
      `${name}.localhost:8480:127.0.0.1`,
      `http://${name}.localhost:8480/`,
    )
  const isUp = async () =>
    (await run('curl', '-sSf', 'http://127.0.0.1:8400/v1/health')).exit.code === 0 || undefined

  beforeAll(async () => {
    mkdirSync(join(folder, 'root'))
    execFileSync('npm', ['run', '--silent', 'deb', '-w', 'packaging', '--', '--quick', '--out', debs], {
      cwd: repository,
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    execFileSync('ip', ['netns', 'add', network])
    execFileSync('ip', ['-n', network, 'link', 'set', 'lo', 'up'])
    const script = join(repository, 'e2e/vm/machine.sh')
    holder = await startProgram('unshare', ['--mount', 'bash', script, join(folder, 'root')], {
      namespace: network,
    })
    await holder.lines.waitFor(({ text }) => text === 'ready', { what: 'the machine' })
    for (const file of readdirSync(debs)) writeFileSync(place('tmp', file), readFileSync(join(debs, file)))
  })
  afterAll(async () => {
    for (const unit of [agent, server])
      if (
        holder &&
        existsSync(place('run/units', `${unit}.pid`)) &&
        !existsSync(place('run/units', `${unit}.exit`))
      )
        process.kill(Number(unitFile(unit, 'pid')), 'SIGKILL')
    await holder?.stop('SIGKILL')
    spawnSync('ip', ['netns', 'del', network], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  })

  const fileOf = (name: string) => `/tmp/${readdirSync(debs).find((file) => file.startsWith(`${name}_`))}`

  test('installed, the server runs as a user of its own, enabled, and closed to others', async () => {
    await succeed('dpkg', '--install', fileOf('porttunneler-server'))
    await eventually('the API answers', isUp, 60_000)
    const pid = unitFile(server, 'pid')
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    expect(uid).toBeGreaterThan(0)
    expect(/^CapEff:\s+(\w+)/m.exec(status)?.[1]).toBe('0000000000000400')
    const data = statSync(place('var/lib/porttunneler'))
    expect({ mode: data.mode & 0o777, uid: data.uid }).toEqual({ mode: 0o700, uid })
    expect(await succeed('systemctl', 'is-enabled', server)).toBe('enabled')
    // Nothing of it can be changed by its own user.
    expect(
      await succeed(
        'find',
        '/usr/lib/porttunneler',
        '!',
        '-user',
        'root',
        '-o',
        '-perm',
        '/022',
        '!',
        '-type',
        'l',
      ),
    ).toBe('')
    expect(await succeed('dpkg', '--verify', 'porttunneler-server')).toBe('')
  })

  test('ptunctl works on it, and says what it cannot do', async () => {
    const cells = JSON.parse(await succeed('ptunctl', '--json', 'cells', 'list'))
    expect(JSON.stringify(cells)).toContain('localhost')
    // The operator is root, who leaves no file of root's.
    expect(await succeed('find', '/var/lib/porttunneler', '-user', 'root')).toBe('')
    const cloud = await run('env', 'GOOGLE_CLOUD_PROJECT=x', 'ptunctl', '--json', 'cells', 'list')
    expect(cloud.exit.code).toBe(2)
    expect(cloud.stdout).toContain('for a project at Google, start it from a checkout')
  })

  test('the agent waits for its settings, and then its tunnel is there', async () => {
    await succeed('dpkg', '--install', fileOf('ptun'))
    expect(existsSync(place('run/units', `${agent}.pid`))).toBe(false)
    const secret = await makeFirstKey(place('var/lib/porttunneler'), succeed)
    writeFileSync(place('etc/ptun/environment'), `PTUN_SERVER=http://127.0.0.1:8400\nPTUN_KEY=${secret}\n`, {
      mode: 0o600,
    })
    const yaml =
      'version: 1\ntunnels:\n  web:\n    kind: http\n    upstream: 127.0.0.1:8400\n    hostHeader: rewrite\n'
    writeFileSync(place('etc/ptun/ptun.yaml'), yaml)
    await succeed('systemctl', 'start', agent)
    const page = async () => {
      const { stdout } = await visit('web')
      return /<title>/.test(stdout) ? stdout : undefined
    }
    await eventually('the tunnel', page, 60_000)
    expect(
      /^CapEff:\s+(\w+)/m.exec(readFileSync(`/proc/${unitFile(agent, 'pid')}/status`, 'utf8'))?.[1],
    ).toBe('0'.repeat(16))
  })

  test('an upgrade takes the new version in without refusing a visitor, and keeps changed settings', async () => {
    const settings = place('etc/default/porttunneler')
    const changed = `${readFileSync(settings, 'utf8')}PORTTUNNELER_EMAIL=admin@example.com\n`
    writeFileSync(settings, changed)
    const next = await repack('porttunneler-server')
    const [start, relay] = [unitFile(server, 'pid'), relayOf()]
    let isDone = false
    const isReplaced = () => relayOf() !== undefined && relayOf() !== relay
    const upgrade = succeed('dpkg', '--install', '--force-confold', next)
      .then(() => eventually('another relay serves alone', () => isReplaced() || undefined, 60_000))
      .finally(() => {
        isDone = true
      })
    const visits: (number | null)[] = []
    while (!isDone && visits.length < 1_000) visits.push((await visit('web')).exit.code)
    await upgrade
    expect(new Set(visits)).toEqual(new Set([0]))
    expect(unitFile(server, 'pid')).toBe(start)
    expect(readFileSync(settings, 'utf8')).toBe(changed)
  })

  /** The same package with a higher version. */
  async function repack(name: string): Promise<string> {
    const [content, file] = ['/tmp/content', '/tmp/next.deb']
    await succeed('dpkg-deb', '--raw-extract', fileOf(name), content)
    await succeed('sed', '-i', 's/^Version: .*/Version: 99.0.0/', `${content}/DEBIAN/control`)
    await succeed('dpkg-deb', '-Zzstd', '-z1', '--build', content, file)
    return file
  }

  test('removed, it has ended in order and left its data; purged, nothing is left', async () => {
    await succeed('dpkg', '--remove', 'ptun', 'porttunneler-server')
    expect([server, agent].map((unit) => unitFile(unit, 'exit'))).toEqual(['0', '0'])
    expect(existsSync(place('var/lib/porttunneler/store.db'))).toBe(true)
    expect(existsSync(place('etc/default/porttunneler'))).toBe(true)
    await succeed('dpkg', '--purge', 'ptun', 'porttunneler-server')
    const left = [
      '/etc',
      '/usr/lib',
      '/var/lib',
      '/var/cache',
      '/etc/default',
      '/etc/systemd/system',
      '/usr/bin',
    ]
    expect(
      await succeed(
        'find',
        ...left,
        '-maxdepth',
        '2',
        // Other tests make network namespaces meanwhile.
        '!',
        '-path',
        '/etc/netns/*',
        '(',
        '-name',
        '*porttunneler*',
        '-o',
        '-name',
        'ptun*',
        ')',
      ),
    ).toBe('')
    const users = await run('getent', 'passwd', 'porttunneler', 'ptun')
    expect(users.stdout).toBe('')
  })
})
