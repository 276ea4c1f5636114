/**
 * The API does what /v1/openapi.json says: schemathesis makes requests from it, always the same ones, and compares each
 * answer with the description.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { breadthOf, isWhole } from './breadth.ts'
import { serveApi } from './harness/fuzzed-api.ts'
import { findProgram, installOf } from './harness/installed.ts'
import { root, startProgram, textOf } from './harness/programs.ts'

const schemathesis = findProgram('schemathesis')
if (schemathesis === undefined)
  process.stderr.write(
    `left out: fuzzing of the description: schemathesis missing (${installOf('schemathesis')})\n`,
  )

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'shape_is_taken',
]

/** As a key and as a person, who have different rights. */
test.skipIf(schemathesis === undefined).each(breadthOf<'key' | 'token'>(['key', 'token'], ['token']))(
  'requests made from the description are answered as it says, with a %s',
  async (who) => {
    const api = await serveApi()
    const folder = mkdtempSync(join(tmpdir(), 'pt-schemathesis-'))
    const args = [
      ...['run', `${api.url}/v1/openapi.json`, '--url', api.url, '--no-color'],
      ...['--header', `Authorization: Bearer ${api[who]}`],
      // Without these, the person's own sign-in would end and the rest of the run would be refused.
      ...['--exclude-path-regex', '^/v1/auth/(logout|password)$|^/v1/account$'],
      ...['--mode', 'positive', '--phases', isWhole ? 'coverage,fuzzing' : 'coverage', '--max-examples', '5'],
      ...['--seed', '1'],
      ...['--suppress-health-check', 'all', '--warnings', 'off', '--checks', checks.join(',')],
    ]
    const hooks = join(root, 'e2e/schemathesis/contract.py')
    const env = { ...process.env, SCHEMATHESIS_HOOKS: hooks, PYTHONDONTWRITEBYTECODE: '1' }
    try {
      const program = await startProgram(schemathesis ?? '', args, { cwd: folder, env })
      const { code } = await program.exited
      const said = textOf(program, 'stdout')
      expect(code, said.slice(-8_000)).toBe(0)
      expect(said).toMatch(/\d{3,} generated/)
    } finally {
      rmSync(folder, { recursive: true, force: true })
      await api.close()
    }
  },
)
