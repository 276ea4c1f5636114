/** What a release tries before it goes on: a tunnel as users have it, from outside. */
import { describe, expect, test } from 'vitest'
import { runProgram } from '../harness/programs.ts'
import type { Context } from './context.ts'

export function describeReleaseSmoke(context: Context): void {
  const smoke = (key: string) =>
    runProgram('node', ['release/smoke.ts', '--server', context.service.api], {
      env: { PTUN_KEY: key },
      deadlineMs: 90_000,
    })

  describe('the smoke test of a release', () => {
    test('passes where tunnels work, and again when an earlier one left its tunnel behind', async () => {
      for (const _ of [1, 2]) {
        const { exit, stdout, stderr } = await smoke(context.service.key)
        expect(stderr).toBe('')
        expect(stdout).toMatch(/^3 visits of http\S+ got through$/)
        expect(exit.code).toBe(0)
      }
    })

    test('fails with the reason where none can be opened', async () => {
      const { exit, stderr } = await smoke('ptk_none')
      expect(stderr).toMatch(/PT-\d{4}/)
      expect(exit.code).toBe(1)
    })
  })
}
