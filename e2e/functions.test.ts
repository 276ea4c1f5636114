/** The functions as they are deployed: functions/dist alone, started by Google's framework. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { faultsOf } from '@porttunneler/packaging/testing/sbom-faults'
import { freePorts } from '@porttunneler/shared/testing/ports'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { buildWhatIsStale } from './cloud-local/builds.ts'
import { functionBundle, functionEnv, functionTargets, measureColdStart } from './harness/cold-start.ts'
import { eventually } from './harness/events.ts'
import { type Program, root, runProgram, startProgram } from './harness/programs.ts'
import { temporaryFolder } from './harness/standalone.ts'

/** Four times the duration on a quiet machine; `npm run cold-start` measures there. */
const importMsMax = 2_000
const rssBytesMax = 200e6

describe('functions as deployed', () => {
  const folder = temporaryFolder('functions')
  let api: Program
  let url: string

  beforeAll(async () => {
    await buildWhatIsStale(() => undefined)
    cpSync(functionBundle, folder, { recursive: true })
    // The result of `npm ci` with its package.json.
    mkdirSync(join(folder, 'node_modules/@google-cloud'), { recursive: true })
    const framework = '@google-cloud/functions-framework'
    symlinkSync(join(root, 'node_modules', framework), join(folder, 'node_modules', framework))
    const [port] = await freePorts(1)
    url = `http://127.0.0.1:${port}`
    api = await startProgram(
      'functions-framework',
      [`--source=${folder}`, '--target=api', `--port=${port}`],
      { env: { ...functionEnv, NODE_ENV: 'production' }, cwd: folder },
    )
    await eventually('the function answers', async () => (await fetch(`${url}/v1/health`)).ok || undefined)
  })
  afterAll(async () => {
    await api?.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  test('the bundle needs no package but the framework, whose own are locked', () => {
    const lockSchema = z.object({
      packages: z.record(z.string(), z.object({ integrity: z.string().optional() })),
    })
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    expect(Object.keys(manifest.dependencies)).toEqual(['@google-cloud/functions-framework'])
    const { packages } = lockSchema.parse(JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')))
    expect(packages).toHaveProperty('node_modules/express')
    for (const [path, { integrity }] of Object.entries(packages))
      if (path) expect(integrity, path).toMatch(/^sha512-/)
  })

  test('its bill of materials has what is bundled, and what Google installs beside', async () => {
    const text = readFileSync(join(folder, 'sbom.cdx.json'), 'utf8')
    expect(await faultsOf(text)).toBeNull()
    const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
    const installed = Object.keys(packages).flatMap(
      (path) => /(?<=node_modules\/)(?!.*node_modules\/).+$/.exec(path) ?? [],
    )
    const purls = JSON.parse(text).components.map(({ purl }: { purl: string }) => purl)
    const named = new Set(
      purls.map((purl: string) => decodeURIComponent(/^pkg:npm\/(.+)@/.exec(purl)?.[1] ?? purl)),
    )
    expect(installed.length).toBeGreaterThan(50)
    for (const name of [...installed, 'hono', 'stripe', '@google-cloud/firestore', 'firebase-admin'])
      expect(named.has(name), name).toBe(true)
    const notices = readFileSync(join(folder, 'third-party.txt'), 'utf8')
    expect(notices).toMatch(/^stripe \d+\.\d+\.\d+$/m)
  })

  test('it answers requests that need no database', async () => {
    const config = await (await fetch(`${url}/v1/config`)).json()
    expect(config).toMatchObject({ identity: 'firebase', firebase: { projectId: 'demo-cold' } })
  })

  test('a body that is no JSON and a path with an invalid encoding get a code', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answers = [
      await fetch(`${url}/v1/relays/enrol`, {
        method: 'POST',
        body: '{"key":',
        headers: { 'content-type': 'application/json' },
      }),
      await fetch(`${url}/v1/device/token`, { method: 'POST', body: '{', headers }),
      await fetch(`${url}/v1/tunnels/%E0%A4%A`),
    ]
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.headers.get('content-type')).toMatch(/^application\/(problem\+)?json/)
    }
  })

  test.each(functionTargets)('%s starts fast and small', async (target) => {
    const { importMs, rssBytes } = await measureColdStart(target)
    expect(importMs).toBeLessThan(importMsMax)
    expect(rssBytes).toBeLessThan(rssBytesMax)
  })

  test.each([
    ['a variable that is missing', { PORTTUNNELER_KMS_KEY: undefined }, 'PT-5201', 'PORTTUNNELER_KMS_KEY'],
    [
      'an emulator in a real project',
      { GOOGLE_CLOUD_PROJECT: 'tunnels-prod' },
      'PT-5202',
      'FIRESTORE_EMULATOR_HOST',
    ],
  ])('%s stops the start, and the last word says which', async (_name, changes, code, said) => {
    const { exit, stdout } = await runProgram(
      'functions-framework',
      [`--source=${folder}`, '--target=api', '--port=0'],
      { env: { ...functionEnv, ...changes }, cwd: folder },
    )
    expect(exit.code).toBe(1)
    const line = JSON.parse(
      stdout
        .trim()
        .split('\n')
        .find((text) => text.startsWith('{')) ?? '{}',
    )
    expect(line).toMatchObject({ severity: 'ERROR', code, message: expect.stringContaining(said) })
  })
})
