/** Builds the container images into a store of their own, and reads what is in them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { version } from '@porttunneler/packaging/tree'
import { expect } from 'vitest'
import { z } from 'zod'
import { runProgram } from '../harness/programs.ts'

export const tags = {
  base: 'localhost/porttunneler-base:trixie',
  server: `localhost/porttunneler-server:${version}`,
  agent: `localhost/ptun:${version}`,
} as const
type Kind = keyof typeof tags
const buildMs = 600_000

const imageSchema = z.object({
  Docker: z.object({
    config: z.object({
      User: z.string(),
      Env: z.array(z.string()),
      Entrypoint: z.array(z.string()).nullish(),
      Cmd: z.array(z.string()).nullish(),
      Volumes: z.record(z.string(), z.object({})).nullish(),
      ExposedPorts: z.record(z.string(), z.object({})).optional(),
      WorkingDir: z.string(),
      StopSignal: z.string().optional(),
      Healthcheck: z
        .object({ Test: z.array(z.string()), Interval: z.number(), Retries: z.number() })
        .optional(),
      Labels: z.record(z.string(), z.string()),
    }),
    rootfs: z.object({ diff_ids: z.array(z.string()) }),
  }),
})
type Image = {
  readonly config: z.infer<typeof imageSchema>['Docker']['config']
  /** The hash of each layer's files, times and owners. */
  readonly layers: readonly string[]
}

export type Images = {
  /** Variables with which buildah and podman use this store. */
  readonly store: Readonly<Record<string, string>>
  readonly images: Readonly<Record<Kind, Image>>
  readonly bytes: Readonly<Record<Kind, number>>
}

/**
 * As `npm run image -w packaging` does it, in any place: layers are plain copies, and what runs for a build is only
 * shut in by a change of root. The image's own digest is not compared: buildah 1.28 writes a random id into it.
 */
export async function buildImages(folder: string): Promise<Images> {
  const store = openStore(folder)
  const run = async (...[command = '', ...args]: string[]) => {
    const { exit, stdout, stderr } = await runProgram(command, args, { env: store, deadlineMs: buildMs })
    expect(exit.code, `${command} ${args.join(' ')}\n${stderr}`).toBe(0)
    return stdout
  }
  await run('node', 'packaging/image.ts')
  const read = async (kind: Kind) => {
    const text = await run('buildah', 'inspect', '--type', 'image', tags[kind])
    const { config, rootfs } = imageSchema.parse(JSON.parse(text)).Docker
    const bytes = Number(await run('podman', 'image', 'inspect', tags[kind], '--format', '{{.Size}}'))
    return { bytes, image: { config, layers: rootfs.diff_ids } }
  }
  const [base, server, agent] = [await read('base'), await read('server'), await read('agent')]
  return {
    store,
    images: { base: base.image, server: server.image, agent: agent.image },
    bytes: { base: base.bytes, server: server.bytes, agent: agent.bytes },
  }
}

function openStore(folder: string): Readonly<Record<string, string>> {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'storage.conf')
  const [graph, runtime] = [join(folder, 'graph'), join(folder, 'run')]
  writeFileSync(file, `[storage]\ndriver = "vfs"\ngraphroot = "${graph}"\nrunroot = "${runtime}"\n`)
  return { CONTAINERS_STORAGE_CONF: file, BUILDAH_ISOLATION: 'chroot' }
}

/** Deletes it: a gigabyte. */
export function removeStore(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}
