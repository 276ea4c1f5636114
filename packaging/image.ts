/**
 * Builds the container images: `npm run image -w packaging`, with docker, podman or buildah, whichever is there. Their
 * base is made of Debian's packages (base.ts, as root on Debian or Ubuntu), unless `--base` names another one: by its
 * digest, so that the image is made of what was looked at; one of your own below localhost/ may go by its name.
 * `--only server` or `agent` builds one, `--context` names a folder that stays, `--suite` another release of Debian.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { buildBase } from './base.ts'
import { type Builder, buildImage, findBuilder } from './image-builder.ts'
import { makeAgentTree, makeServerTree, settle, version } from './tree.ts'

const images = { server: 'porttunneler-server', agent: 'ptun' } as const
const makers = { server: makeServerTree, agent: makeAgentTree } as const
const kinds = ['server', 'agent'] as const

const optionsSchema = z.object({
  base: z
    .string()
    .regex(/^(localhost\/\S+|\S+@sha256:[0-9a-f]{64})$/, 'an image with its digest: name@sha256:…')
    .optional(),
  suite: z
    .string()
    .regex(/^[a-z]+$/)
    .default('trixie'),
  only: z.enum(kinds).optional(),
  context: z.string().optional(),
})
const words = ['base', 'suite', 'only', 'context']
const options = Object.fromEntries(words.map((name) => [name, { type: 'string' as const }]))
const { base: named, suite, only, context } = optionsSchema.parse(parseArgs({ options }).values)

const builder = findBuilder()
const folder = context ?? mkdtempSync(join(tmpdir(), 'pt-image-'))
try {
  mkdirSync(folder, { recursive: true })
  const base = named ?? makeBase(builder)
  for (const kind of kinds.filter((one) => only === undefined || only === one)) {
    await makers[kind](join(folder, kind))
    // What the volume is before anybody writes into it: empty, and the user's.
    mkdirSync(join(folder, 'data'), { recursive: true })
    const file = join(folder, `${kind}.Dockerfile`)
    copyFileSync(join(import.meta.dirname, 'docker', `${kind}.Dockerfile`), file)
    settle(folder)
    const tag = `${images[kind]}:${version}`
    buildImage(builder, { file, context: folder, tag, base })
    process.stdout.write(`${tag}\n`)
  }
} finally {
  if (context === undefined) rmSync(folder, { recursive: true, force: true })
}

function makeBase(by: Builder): string {
  const place = mkdtempSync(join(tmpdir(), 'pt-base-'))
  try {
    const { tag, packages } = buildBase(by, suite, place)
    process.stdout.write(`${tag}: ${packages.join(', ')}\n`)
    return tag
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}
