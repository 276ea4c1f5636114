import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { loadConfig, parseConfig } from './config.ts'

const good = {
  instance: 'r1',
  dataDir: 'data',
  controlUrl: 'http://127.0.0.1:8080',
  enrolmentKey: 'pte_from-the-file',
  listen: { tls: { port: 0 }, http: { port: 0 } },
  public: { agentHost: '127.0.0.1', agentSni: 'r1.relay.localhost', names: ['relay.localhost', '127.0.0.1'] },
}
const parse = (value: unknown) => parseConfig(JSON.stringify(value), {})

describe('relay config', () => {
  test('a minimal file gets every default', () => {
    expect(parse(good)).toMatchObject({
      graceMs: 30_000,
      limits: { visitorsMax: 50_000, exempt: ['127.0.0.0/8', '::1'] },
      listen: { tls: { host: '0.0.0.0' }, admin: { host: '127.0.0.1', port: 0 } },
    })
  })

  test('a secret never shows, and the environment can supply it', () => {
    const config = parseConfig(JSON.stringify(good), { PTUN_ENROLMENT_KEY: 'pte_from-outside' })
    expect(config.enrolmentKey?.reveal()).toBe('pte_from-outside')
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toContain('pte_')
    expect(parse(good).enrolmentKey?.reveal()).toBe('pte_from-the-file')
  })

  test.each([
    ['no JSON', '{', 'not JSON'],
    ['an unknown field', JSON.stringify({ ...good, colour: 1 }), 'colour'],
    ['an unknown inner field', JSON.stringify({ ...good, limits: { visitorMax: 1 } }), 'limits'],
    ['a missing field', JSON.stringify({ ...good, instance: undefined }), 'instance'],
    [
      'a port beyond range',
      JSON.stringify({ ...good, listen: { ...good.listen, tls: { port: 70_000 } } }),
      'listen.tls.port',
    ],
    ['a control URL of another scheme', JSON.stringify({ ...good, controlUrl: 'file:///etc' }), 'controlUrl'],
    ['an instance with a slash', JSON.stringify({ ...good, instance: '../r1' }), 'instance'],
  ])('%s is refused, and the field is named', (_title, text, named) => {
    expect(() => parseConfig(text, {})).toThrow(expect.objectContaining({ key: 'relay.config' }))
    expect(() => parseConfig(text, {})).toThrow(named)
  })

  test('a missing file is a config error', async () => {
    await expect(loadConfig('nowhere/relay.json', {})).rejects.toMatchObject({ key: 'relay.config' })
  })

  test('commands come by Pub/Sub only with valid names of a project and a subscription', () => {
    expect(parse(good).commands).toBeUndefined()
    const pubsub = { project: 'my-project-1', subscription: 'ptun.commands.home.r1' }
    expect(parse({ ...good, commands: { pubsub } }).commands).toEqual({ pubsub })
    for (const wrong of [{}, { ...pubsub, project: 'X' }, { ...pubsub, subscription: 'a/b' }])
      expect(() => parse({ ...good, commands: { pubsub: wrong } })).toThrow(/commands\.pubsub/)
  })
})
