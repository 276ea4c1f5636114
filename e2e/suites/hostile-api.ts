/** Hostile requests to the API: each is answered with a code. */
import { describe, expect, test } from 'vitest'
import type { Context } from './context.ts'
import { apiCases } from './hostile-cases.ts'

export function describeHostileApi(context: Context): void {
  describe('hostile input to the API', () => {
    test.each(apiCases)('$name is answered with $status and a code', async ({ request, status }) => {
      const { method = 'GET', path, body, headers = {} } = request
      const answer = await fetch(`${context.service.api}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${context.service.key}`,
          'content-type': 'application/json',
          ...headers,
        },
        ...(body !== undefined && { body }),
      })
      const problem = JSON.parse(await answer.text())
      expect(answer.status).toBe(status)
      expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(problem).toMatchObject({ status, code: expect.stringMatching(/^PT-\d{4}$/) })
    })
  })
}
