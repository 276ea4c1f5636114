/** A key for an agent, made as a person does, by programs that run where the server is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tokensSchema } from '@porttunneler/shared/api/schemas/accounts'
import { z } from 'zod'
import { eventually } from '../harness/events.ts'

const reportSchema = z.object({ account: z.object({ email: z.string(), password: z.string() }) })
const keySchema = z.object({ secret: z.string() })

/**
 * @param data the server's data folder: it writes the first account there once it is up
 * @param run returns what a command prints, there
 */
export async function makeFirstKey(
  data: string,
  run: (...words: string[]) => Promise<string>,
): Promise<string> {
  const post = async (path: string, body: object, ...words: string[]) => {
    const content = ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)]
    return JSON.parse(await run('curl', '-sS', ...content, ...words, `http://127.0.0.1:8400${path}`))
  }
  const readReport = () => reportSchema.parse(JSON.parse(readFileSync(join(data, 'standalone.json'), 'utf8')))
  const { account } = await eventually('the server says who may sign in', readReport, 60_000)
  const { accessToken } = tokensSchema.parse(await post('/v1/auth/login', account))
  const body = { name: 'agent', scopes: ['read', 'tunnels'] }
  return keySchema.parse(await post('/v1/keys', body, '-H', `Authorization: Bearer ${accessToken}`)).secret
}
