/**
 * Tests for what providers accept although it is wrong: each rule over every environment, and each rule against
 * its mistakes.
 */
import { describe, expect, test } from 'vitest'
import { Workbench } from './offline/workbench.ts'
import { type EnvironmentName, environments, readEnvironment } from './read-environment.ts'
import { accessPolicies } from './testing/policies-access.ts'
import { dataPolicies } from './testing/policies-data.ts'
import { placePolicies } from './testing/policies-places.ts'
import { projectPolicies } from './testing/policies-project.ts'
import { releasePolicies } from './testing/policies-release.ts'
import { stacksOf } from './testing/policy.ts'

const policies = [
  ...accessPolicies,
  ...dataPolicies,
  ...placePolicies,
  ...projectPolicies,
  ...releasePolicies,
]

function synthesised(name: EnvironmentName) {
  using bench = new Workbench(readEnvironment(name))
  return JSON.stringify(bench.names.map((stack) => bench.read(stack)))
}
const texts = Object.fromEntries(
  (Object.keys(environments) as EnvironmentName[]).map((name) => [name, synthesised(name)]),
)
const fresh = (name: string) => stacksOf(JSON.parse(texts[name] ?? ''))
/** A cell of one VM has no balancer. */
const balanced = /balancer/

describe.each(policies)('$rule', ({ rule, breaches, mistakes }) => {
  test.each(Object.keys(texts).filter((name) => name !== 'dev' || !balanced.test(rule)))(
    'holds in %s',
    (name) => {
      expect(breaches(fresh(name))).toEqual([])
    },
  )

  test.each(mistakes.map((mistake, index) => [index + 1, mistake] as const))(
    'finds mistake %i',
    (_, mistake) => {
      const stacks = fresh('prod')
      mistake(stacks)
      expect(breaches(stacks)).not.toEqual([])
    },
  )
})
