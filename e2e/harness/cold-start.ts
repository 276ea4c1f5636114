/** The cost of a new instance of a function before its first request: imports the bundle in a fresh process. */
import { join } from 'node:path'
import { z } from 'zod'
import { root, runProgram } from './programs.ts'

/** A project for emulators, which no instance calls while it starts. */
export const functionEnv = {
  GOOGLE_CLOUD_PROJECT: 'demo-cold',
  METADATA_SERVER_DETECTION: 'none',
  FIRESTORE_EMULATOR_HOST: '127.0.0.1:9',
  PUBSUB_EMULATOR_HOST: '127.0.0.1:9',
  PORTTUNNELER_URL: 'http://localhost:8500',
  PORTTUNNELER_KMS_KEY: 'projects/demo-cold/locations/eu/keyRings/ring/cryptoKeys/signing',
  PORTTUNNELER_EMULATED_GOOGLE: 'http://127.0.0.1:9',
  FIREBASE_API_KEY: 'public',
  STRIPE_WEBHOOK_SECRET: 'whsec_cold',
}
export const functionTargets = ['api', 'onRelayEvent', 'onSchedule', 'stripeWebhook'] as const
export const functionBundle = join(root, 'functions/dist')

const measuredSchema = z.object({ importMs: z.number(), rssBytes: z.int() })
export type ColdStart = z.infer<typeof measuredSchema>

/** As the framework does: it loads its own code, then the function's. */
const script = `
  await import('@google-cloud/functions-framework')
  const startedMs = performance.now()
  await import(process.env.PT_BUNDLE)
  const importMs = performance.now() - startedMs
  process.stdout.write(JSON.stringify({ importMs, rssBytes: process.memoryUsage.rss() }) + '\\n')
  process.exit()
`

export async function measureColdStart(target: string): Promise<ColdStart> {
  const { exit, stdout, stderr } = await runProgram('node', ['--input-type=module', '--eval', script], {
    env: { ...functionEnv, FUNCTION_TARGET: target, PT_BUNDLE: join(functionBundle, 'main.js') },
    cwd: join(root, 'functions'),
  })
  if (exit.code !== 0) throw new Error(`${target}: ${stderr}`)
  return measuredSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
}
