import { describe, expect, test } from 'vitest'
import { ApiFailure } from './failure.ts'
import { makeRefresh } from './firebase-refresh.ts'

const firebase = { apiKey: 'a key', authDomain: 'x', projectId: 'p', providers: [] }
const fresh = { id_token: 'id', refresh_token: 'again', expires_in: '3600', token_type: 'Bearer' }
const config = async () => ({ ...facts, firebase })
const facts = { version: '0', identity: 'firebase', registration: true, consoleUrl: '', docsUrl: '' } as const
const ours = async () => ({ accessToken: 'ours', refreshToken: 'ptr_2', expiresIn: 900 })

describe('refreshing a session', () => {
  const answering = (answer: () => Response) => {
    const asked: Request[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      asked.push(new Request(input, init))
      return answer()
    }
    return { asked, refresh: makeRefresh({ config, refresh: ours }, fetch) }
  }

  test('a token of ours goes to the API and nowhere else', async () => {
    const { asked, refresh } = answering(() => Response.json(fresh))
    expect(await refresh({ refreshToken: 'ptr_1' })).toMatchObject({ accessToken: 'ours' })
    expect(asked).toEqual([])
  })

  test('a token of Firebase is exchanged at Google, in the form that it wants', async () => {
    const { asked, refresh } = answering(() => Response.json(fresh))
    const tokens = await refresh({ refreshToken: 'AMf-token' })
    expect(tokens).toEqual({ accessToken: 'id', refreshToken: 'again', expiresIn: 3_600 })
    const [request] = asked
    expect(request?.url).toBe('https://securetoken.googleapis.com/v1/token?key=a%20key')
    expect(await request?.text()).toBe('grant_type=refresh_token&refresh_token=AMf-token')
    expect(request?.headers.get('content-type')).toContain('application/x-www-form-urlencoded')
  })

  test('a token that Firebase refuses has ended', async () => {
    const { refresh } = answering(() =>
      Response.json({ error: { message: 'TOKEN_EXPIRED' } }, { status: 400 }),
    )
    await expect(refresh({ refreshToken: 'AMf-token' })).rejects.toMatchObject({
      status: 401,
      isPassing: false,
    })
  })

  test.each([
    ['an error', () => Response.json({}, { status: 503 })],
    ['no network', () => Response.error()],
    ['a page of something in between', () => new Response('<html>', { status: 200 })],
  ])('%s ends no session', async (_what, answer) => {
    const { refresh } = answering(answer)
    const failure = await refresh({ refreshToken: 'AMf-token' }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApiFailure)
    expect(failure).toMatchObject({ isPassing: true })
  })
})
