/** What images and compose files promise: no root, nothing to write but the volume, health, an orderly end. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { commandOf, readDockerfile, valuesOf } from './testing/dockerfile.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, 'docker', name), 'utf8')

const known = [
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'RUN',
  'STOPSIGNAL',
].concat(['USER', 'VOLUME', 'WORKDIR'])

describe.each(['server', 'agent'])('the image of the %s', (kind) => {
  const instructions = readDockerfile(kind)
  const all = (name: string) => valuesOf(instructions, name)
  const home = kind === 'server' ? '/usr/lib/porttunneler/' : '/usr/lib/ptun/'

  test('has instructions that Docker knows, and stands on the base that the builder names', () => {
    expect(instructions.filter(({ name }) => !known.includes(name))).toEqual([])
    expect(instructions.slice(0, 2)).toEqual([
      { name: 'ARG', value: 'BASE' },
      { name: 'FROM', value: '$' + '{BASE}' },
    ])
  })

  test('runs and fetches nothing while it is built, so its base needs no program', () => {
    expect(all('RUN')).toEqual([])
    expect(all('COPY')).toEqual([`${kind}/ ${home}`, '--chown=10001:10001 data/ /data/'])
    expect(all('ADD')).toEqual([])
  })

  test('runs as a user by number, who cannot change the programs', () => {
    const user = instructions.findIndex(({ name }) => name === 'USER')
    expect(instructions[user]?.value).toBe('10001:10001')
    expect(all('USER')).toHaveLength(1)
    expect(instructions.findLastIndex(({ name }) => name === 'COPY')).toBeLessThan(user)
  })

  test('gets signals itself, without a shell between, and tells its health', () => {
    expect(commandOf(instructions, 'ENTRYPOINT')[0]).toBe(`${home}node/bin/node`)
    expect(all('STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(commandOf(instructions, 'HEALTHCHECK').every((word) => word.startsWith(home))).toBe(true)
    expect(all('HEALTHCHECK')[0]).toMatch(/^--interval=10s --timeout=5s .* CMD \[/)
  })
})

const grace = z.string().regex(/^\d+s$/)
/** No key but these: a mistyped one would be a wall less. */
const serviceSchema = z.strictObject({
  image: z.string(),
  restart: z.enum(['unless-stopped', 'on-failure']),
  environment: z.record(z.string(), z.string().nullable()).optional(),
  env_file: z.array(z.string()).optional(),
  ports: z.array(z.string().regex(/^([\d-]+):\1$/)).optional(),
  volumes: z.array(z.string()).min(1),
  user: z.literal('10001:10001'),
  read_only: z.literal(true),
  tmpfs: z.array(z.string().regex(/^\/tmp:.*size=\d+m,noexec,nosuid,nodev$/)).length(1),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  pids_limit: z.int().positive(),
  ulimits: z.object({ nofile: z.strictObject({ soft: z.int(), hard: z.int() }) }).optional(),
  stop_grace_period: grace,
})
const composeSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
})

describe.each(['server', 'agent'])('the compose file of the %s', (kind) => {
  const { services, volumes } = composeSchema.parse(parse(read(`compose.${kind}.yaml`)))
  const service = services[kind]
  const [exposed = ''] = valuesOf(readDockerfile(kind), 'EXPOSE')

  test('has one service, whose image nobody guesses', () => {
    expect(Object.keys(services)).toEqual([kind])
    expect(service?.image).toMatch(/^\$\{\w+:\?.*digest\}$/)
  })

  test('keeps its data in a volume that it declares', () => {
    const named = (service?.volumes ?? [])
      .map((volume) => volume.split(':'))
      .filter(([from]) => !from?.startsWith('.'))
    expect(named).toEqual(Object.keys(volumes).map((name) => [name, '/data']))
  })

  test('publishes ports that the image exposes, and leases no others', () => {
    const ports = (service?.ports ?? []).map((port) => port.split(':')[0] ?? '')
    const singles = ports.filter((port) => !port.includes('-'))
    expect(singles).toEqual(exposed.split(' ').filter((port) => port !== '' && !port.includes('-')))
    expect(ports.filter((port) => port.includes('-'))).toEqual(
      [service?.environment?.PORTTUNNELER_TCP_PORTS].filter((range) => range !== undefined),
    )
  })
})
