/** The console at Firebase Hosting, which keeps earlier versions and can serve one again at once. */
import { z } from 'zod'
import { ask, type Command, curlFlags } from '../command.ts'
import type { Release, Step } from '../release.ts'

const api = 'https://firebasehosting.googleapis.com/v1beta1'
const channelSchema = z.looseObject({
  release: z.looseObject({ version: z.looseObject({ name: z.string() }) }).optional(),
})
const releaseSchema = z.looseObject({ name: z.string() })

/** The token is in curl's configuration on stdin: other users of a machine see command lines. */
async function hostingCall(
  { run, environment }: Release,
  { path, why, method }: { readonly path: string; readonly why: string; readonly method?: 'POST' },
): Promise<Command> {
  const token = await run({
    program: 'gcloud',
    args: ['auth', 'print-access-token'],
    printsSecrets: true,
    why: 'signs in at Firebase Hosting',
  })
  const verb = method === undefined ? [] : ['--request', method]
  return {
    program: 'curl',
    args: [...curlFlags, ...verb, '--config', '-', `${api}/${path}`],
    input: `header = "Authorization: Bearer ${token.trim()}"\nheader = "X-Goog-User-Project: ${environment.project}"\n`,
    why,
  }
}

/** Hosting's name of what it serves; undefined before the first deployment. */
export async function readWebVersion(release: Release): Promise<string | undefined> {
  const path = `sites/${release.environment.project}/channels/live`
  const { release: live } = await ask(
    release.run,
    channelSchema,
    await hostingCall(release, { path, why: 'which version of the console is served' }),
  )
  return live?.version.name
}

export async function serveWebVersion(release: Release, version: string): Promise<void> {
  const path = `sites/${release.environment.project}/releases?versionName=${encodeURIComponent(version)}`
  const call = await hostingCall(release, {
    path,
    method: 'POST',
    why: `serves the console as ${version} again`,
  })
  await ask(release.run, releaseSchema, call)
}

export const web: Step = {
  name: 'web',
  title: 'The console is served',
  async run(release) {
    const { run, environment, note } = release
    await run({
      program: 'node',
      args: [
        'functions/hosting.ts',
        '--region',
        environment.region,
        // Live figures are at port 8444 and above; without a port a page may call 443 alone.
        ...environment.cells.flatMap(({ host }) => ['--relays', `https://*.${host}:*`]),
      ],
      why: 'pages may call these relays alone',
    })
    try {
      await run({
        program: 'firebase',
        args: ['deploy', '--only', 'hosting', '--project', environment.project, '--non-interactive'],
        why: 'the console',
        minutes: 15,
      })
    } finally {
      await run({ program: 'git', args: ['restore', 'firebase.json'], why: 'the checkout is clean again' })
    }
    const version = await readWebVersion(release)
    if (version !== undefined) await note({ web: version })
  },
}
