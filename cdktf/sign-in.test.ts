/** Services to sign in with, and terms: the environment names them once, for Google and for the functions. */
import { expect, test } from 'vitest'
import { readSettings } from '../functions/settings.ts'
import { environmentSchema } from './environment.ts'
import { prod } from './environments/prod.ts'
import { functionVariables } from './function-variables.ts'
import { Workbench } from './offline/workbench.ts'
import { stacksOf } from './testing/policy.ts'

const issuer = 'https://login.example.com'
const work = { id: 'work', name: 'Example, Ltd', issuer, clientId: 'tunnels' }

test('an issuer of the environment is set up without a secret, and the console shows it', () => {
  const environment = environmentSchema.parse({ ...prod, signInIssuers: [work] })
  using bench = new Workbench(environment)
  const made = stacksOf([bench.read('identity')]).of('google_identity_platform_oauth_idp_config')
  expect(made.map(([, settings]) => settings)).toMatchObject([
    { name: 'oidc.work', display_name: 'Example, Ltd', issuer, client_id: 'tunnels', enabled: true },
  ])
  expect(JSON.stringify(made)).not.toContain('client_secret')
  const { control } = readSettings(functionVariables(environment))
  expect(control.firebase?.issuers).toEqual([{ id: 'oidc.work', name: 'Example, Ltd' }])
})

test('documents that people accept reach the functions, with the end of their last day', () => {
  const document = { kind: 'terms', version: '2026-11', url: 'https://example.com/terms' }
  const environment = environmentSchema.parse({ ...prod, terms: [{ ...document, by: '2026-12-15' }] })
  const { control } = readSettings(functionVariables(environment))
  expect(control.terms).toEqual([{ ...document, by: Date.parse('2026-12-16') }])
  expect(functionVariables(environmentSchema.parse(prod))).not.toHaveProperty('PORTTUNNELER_TERMS')
})
