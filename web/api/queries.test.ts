import { describe, expect, test } from 'vitest'
import { ApiFailure } from './failure.ts'
import { makeQueryClient } from './queries.ts'

const refusal = (code: string) =>
  new ApiFailure({ title: 'Refused', status: 403, code, detail: '', cure: '' })

describe('who is signed in is read again', () => {
  const afterRefusal = async (code: string, kind: 'query' | 'mutation') => {
    const client = makeQueryClient()
    client.setQueryData(['me'], { user: 'usr_1' })
    const refused = Promise.reject(refusal(code))
    const call =
      kind === 'query'
        ? client.fetchQuery({ queryKey: ['tunnels'], queryFn: () => refused })
        : client
            .getMutationCache()
            .build(client, { mutationFn: () => refused })
            .execute(undefined)
    await expect(call).rejects.toThrow(code)
    return client.getQueryState(['me'])?.isInvalidated
  }

  test.each(['PT-1015', 'PT-1130', 'PT-1131', 'PT-1201', 'PT-1202'])(
    'when a call says that the person lacks what everything needs: %s',
    async (code) => {
      expect(await afterRefusal(code, 'query')).toBe(true)
      expect(await afterRefusal(code, 'mutation')).toBe(true)
    },
  )

  test('not when a call is refused for itself', async () => {
    expect(await afterRefusal('PT-1101', 'query')).toBe(false)
  })
})
