/**
 * A GitHub server as its documents describe it: the pages of OAuth 2 without OpenID Connect, errors of the
 * token endpoint with status 200, and the parts of the API that say who somebody is.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readText } from '@porttunneler/shared/base/read-text'
import { Secret } from '@porttunneler/shared/base/secret'
import type { ProviderSettings } from '../platform/oidc/settings.ts'

export type GitHubPerson = {
  readonly id: number
  readonly login: string
  readonly emails: readonly {
    readonly email: string
    readonly primary: boolean
    readonly verified: boolean
  }[]
}

type Grant = { readonly challenge: string; readonly redirectUri: string; readonly person: GitHubPerson }

export async function startGitHub(redirectUri: string) {
  const clientId = 'Iv1.0123456789abcdef'
  const clientSecret = 'the secret of the application'
  const codes = new Map<string, Grant>()
  const tokens = new Map<string, GitHubPerson>()
  let person: GitHubPerson = {
    id: 583_231,
    login: 'octocat',
    emails: [
      { email: 'octocat@users.noreply.github.com', primary: false, verified: true },
      { email: 'ada@example.com', primary: true, verified: true },
    ],
  }

  const authorize = (asked: URLSearchParams): string => {
    if (asked.get('client_id') !== clientId || asked.get('redirect_uri') !== redirectUri)
      throw new Error('not the application that was registered')
    const code = randomUUID()
    const challenge = asked.get('code_challenge_method') === 'S256' ? (asked.get('code_challenge') ?? '') : ''
    codes.set(code, { challenge, redirectUri, person })
    const back = new URL(redirectUri)
    back.searchParams.set('code', code)
    back.searchParams.set('state', asked.get('state') ?? '')
    return back.href
  }

  const exchange = (form: URLSearchParams): object => {
    if (form.get('client_id') !== clientId || form.get('client_secret') !== clientSecret)
      return { error: 'incorrect_client_credentials', error_description: 'The client_id is not right.' }
    const grant = codes.get(form.get('code') ?? '')
    const proof = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    codes.delete(form.get('code') ?? '')
    if (!grant || grant.challenge !== proof || form.get('redirect_uri') !== grant.redirectUri)
      return { error: 'bad_verification_code', error_description: 'The code is incorrect or expired.' }
    const token = `gho_${randomUUID()}`
    tokens.set(token, grant.person)
    return { access_token: token, token_type: 'bearer', scope: 'user:email' }
  }

  const server = createServer(async (request, answer) => {
    const url = new URL(request.url ?? '/', 'http://github')
    const json = (body: unknown, status = 200) => {
      answer.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
      answer.end(JSON.stringify(body))
    }
    if (url.pathname === '/login/oauth/authorize') {
      answer.writeHead(302, { location: authorize(url.searchParams) }).end()
      return
    }
    if (url.pathname === '/login/oauth/access_token' && request.method === 'POST') {
      const form = new URLSearchParams(await readText(request, 65_536))
      const said = exchange(form)
      if (request.headers.accept === 'application/json') return json(said)
      // Without that header GitHub answers as a form.
      answer.writeHead(200, { 'content-type': 'application/x-www-form-urlencoded' })
      answer.end(new URLSearchParams(said as Record<string, string>).toString())
      return
    }
    if (request.headers['user-agent'] === undefined) return json({ message: 'User agent required' }, 403)
    const whose = tokens.get(/^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '')
    if (!whose) return json({ message: 'Bad credentials' }, 401)
    if (url.pathname === '/api/v3/user') return json({ id: whose.id, login: whose.login, email: null })
    if (url.pathname === '/api/v3/user/emails') return json(whose.emails)
    return json({ message: 'Not Found' }, 404)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const settings: ProviderSettings = {
    ...{ id: 'github', kind: 'github', name: 'GitHub', issuer, clientId },
    secret: new Secret(clientSecret),
  }
  return {
    settings,
    be(somebody: GitHubPerson) {
      person = somebody
    },
    /** Goes where the person is sent, and comes back with the parameters. */
    async visit(url: string): Promise<{ readonly code: string; readonly state: string }> {
      const answer = await fetch(url, { redirect: 'manual' })
      const { searchParams } = new URL(answer.headers.get('location') ?? '')
      return { code: searchParams.get('code') ?? '', state: searchParams.get('state') ?? '' }
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
