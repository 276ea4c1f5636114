/**
 * Builds the container images: `npm run image -w packaging -- --base debian:12-slim@sha256:…`, with docker, podman or
 * buildah, whichever is there. The base is named by its digest, so that the image is made of what was looked at;
 * one of your own below localhost/ may go by its name. `--only server` or `agent` builds one, `--context` names a
 * folder that stays.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { makeAgentTree, makeServerTree, settle, version } from './tree.ts'

/** 1980, the first year of every format. */
const timestamp = '315532800'
const images = { server: 'porttunneler-server', agent: 'ptun' } as const
const makers = { server: makeServerTree, agent: makeAgentTree } as const
const kinds = ['server', 'agent'] as const

const buildArgs = {
  buildah: ['build', '--format', 'docker', '--timestamp', timestamp],
  podman: ['build', '--format', 'docker', '--timestamp', timestamp],
  docker: ['build', '--build-arg', `SOURCE_DATE_EPOCH=${timestamp}`],
} as const
const builders = Object.keys(buildArgs) as readonly (keyof typeof buildArgs)[]

const optionsSchema = z.object({
  base: z
    .string()
    .regex(/^(localhost\/\S+|\S+@sha256:[0-9a-f]{64})$/, 'an image with its digest: name@sha256:…'),
  only: z.enum(kinds).optional(),
  context: z.string().optional(),
})
const options = { base: { type: 'string' }, only: { type: 'string' }, context: { type: 'string' } } as const
const { base, only, context } = optionsSchema.parse(parseArgs({ options }).values)

const builder = builders.find((name) => spawnSync(name, ['--version']).status === 0)
if (builder === undefined) throw new Error(`None of these is installed: ${builders.join(', ')}`)

const folder = context ?? mkdtempSync(join(tmpdir(), 'pt-image-'))
try {
  mkdirSync(folder, { recursive: true })
  for (const kind of kinds.filter((one) => only === undefined || only === one)) {
    await makers[kind](join(folder, kind))
    const file = join(folder, `${kind}.Dockerfile`)
    copyFileSync(join(import.meta.dirname, 'docker', `${kind}.Dockerfile`), file)
    settle(folder)
    const tag = `${images[kind]}:${version}`
    const args = [...buildArgs[builder], '--build-arg', `BASE=${base}`, '--file', file, '--tag', tag, folder]
    execFileSync(builder, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    process.stdout.write(`${tag}\n`)
  }
} finally {
  if (context === undefined) rmSync(folder, { recursive: true, force: true })
}
