/**
 * The short form of `npm run chaos`: what a network does to a real relay and agent, in namespaces of this machine.
 * `npm test` has what no other test shows, and one more; e2e/network.test.ts, e2e/suites/survival.ts and the models of
 * shared/mux and relay-vm hold the promises of the others.
 */
import { expect, test } from 'vitest'
import { isWhole } from './breadth.ts'
import { runProgram } from './harness/programs.ts'
import { describeWith } from './requirements.ts'

describeWith(['ip', 'nft', 'ss', 'namespaces'], 'chaos, the short form', () => {
  const scenarios = [
    ['address-change', 'open connections go on from another address, whole, after less than 1.5 s'],
    ['black-hole', 'a silence is noticed in 10 s and told, ends within 1 s of healing, and cuts nobody'],
    ['killed-carriers', 'carriers killed each 200 ms lose and double nothing'],
    ['killed-programs', 'after SIGKILL of relay or agent visitors are soon served again'],
    ['usage', 'what the store has of six relays that were killed is what visitors counted'],
    ['firewall', 'the packet filter of a relay machine stops a flood and nobody else'],
  ] as const
  const chosen = scenarios.filter(([name]) => isWhole || name === 'address-change' || name === 'firewall')
  test.each(chosen)('%s: %s', async (name) => {
    const args = ['e2e/chaos/main.ts', '--short', '--only', name]
    const { exit, stdout, stderr } = await runProgram('node', args, { deadlineMs: 220_000 })
    expect(exit.code, `${stdout}\n${stderr}`).toBe(0)
    expect(stdout).toContain(`| ${name} | ok |`)
  })
})
