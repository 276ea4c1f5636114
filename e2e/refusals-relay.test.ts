/**
 * The cells of the refusal table (refusals/table.ts) that need a relay alone: what it does without output, disk, or a
 * right clock, seen at its metrics port and in its log.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { breadthOf } from './breadth.ts'
import { clockPreload } from './harness/clock-preload.ts'
import { eventually } from './harness/events.ts'
import { type Program, startProgram, textOf } from './harness/programs.ts'
import { type RelayPlane, startRelayPlane, writeRelayConfig } from './harness/relay-daemon.ts'
import { temporaryFolder } from './harness/standalone.ts'
import { fillUp } from './refusals/take-away.ts'
import { describeWith } from './requirements.ts'

const year = 365 * 86_400_000
/** Nobody of any passwd file. */
const stranger = 54_323

describeWith(['mounts'], 'refusals of a relay alone', () => {
  const folder = temporaryFolder('relay-alone')
  let plane: RelayPlane
  let relay: Program | undefined
  let admin: string

  beforeAll(async () => {
    plane = await startRelayPlane()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder])
    chmodSync(folder, 0o755)
  })
  afterEach(async () => {
    await relay?.stop()
  })
  afterAll(() => {
    plane?.close()
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(
    command: string,
    options: { uid?: number; gid?: number; env?: Record<string, string> } = {},
  ) {
    const [port = 0] = await freePorts(1)
    const host = '127.0.0.1'
    admin = `http://${host}:${port}`
    const listen = { tls: { host, port: 0 }, http: { host, port: 0 }, tcpHost: host, admin: { host, port } }
    const config = writeRelayConfig(plane, folder, { listen, limits: { usageMs: 1_000 } })
    const env = { PTUN_ENROLMENT_KEY: 'pte_test', ...options.env }
    relay = await startProgram('bash', ['-c', `exec ${command}`, 'relay', config], { ...options, env })
    return relay
  }
  const command = 'node relay-vm/main.ts "$1"'
  const isReady = () =>
    eventually('it is ready', async () => (await fetch(`${admin}/readyz`)).ok || undefined)
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (.*)$`, 'm').exec(await (await fetch(`${admin}/metrics`)).text())?.[1])

  test.each(breadthOf(['> /dev/full 2>&1', '> >(head -c 1) 2>&1', '>&- 2>&-'], ['>&- 2>&-']))(
    'refusals: output relay: it serves with %s',
    async (output) => {
      const { pid } = await start(`${command} ${output}`)
      await isReady()
      expect((await fetch(`${admin}/metrics`)).ok).toBe(true)
      expect(
        execFileSync('ps', ['-o', 'pid=', '-p', String(pid)])
          .toString()
          .trim(),
      ).toBe(String(pid))
      expect((await relay?.stop())?.signal).toBeNull()
    },
  )

  test('refusals: disk relay: it serves and says so, and writes what it kept when there is room', async () => {
    const program = await start(command)
    await isReady()
    const fill = join(folder, 'fill')
    fillUp(fill)
    await eventually(
      'it has noticed',
      async () => (await metric('ptun_disk_failing')) === 1 || undefined,
      60_000,
    )
    await isReady()
    expect(textOf(program, 'stdout')).toContain('PT-5010')
    rmSync(fill)
    await eventually(
      'it writes again',
      async () => (await metric('ptun_disk_failing')) === 0 || undefined,
      60_000,
    )
  })

  test('refusals: state relay: a folder that it may not write to ends the start, with the code', async () => {
    const closed = join(folder, 'closed')
    mkdirSync(closed)
    writeRelayConfig(plane, closed)
    chmodSync(closed, 0o555)
    relay = await startProgram('node', ['relay-vm/main.ts', join(closed, 'relay.json')], {
      uid: stranger,
      gid: stranger,
      env: { PTUN_ENROLMENT_KEY: 'pte_test' },
    })
    expect((await relay.exited).code).not.toBe(0)
    expect(textOf(relay, 'stdout')).toContain('PT-5003')
  })

  test.each(breadthOf([20, -20], [-20]))(
    'refusals: clock relay: %d years off it says so, and serves',
    async (years) => {
      const offset = join(folder, 'offset')
      writeFileSync(offset, String(years * year))
      const preload = join(folder, 'clock.mjs')
      writeFileSync(preload, clockPreload(offset))
      const program = await start(command, { env: { NODE_OPTIONS: `--import file://${preload}` } })
      await isReady()
      await program.lines.waitFor(({ text }) => text.includes('PT-5022'), { what: 'that its clock is wrong' })
      expect(Math.abs(await metric('ptun_clock_ahead_seconds')) / (year / 1_000)).toBeCloseTo(20, 1)
    },
  )
})
