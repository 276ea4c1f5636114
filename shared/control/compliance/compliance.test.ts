/** The report has what is stored, its extract verifies without the service, and its page runs nothing. */
import { expect, test } from 'vitest'
import { makeTestApi } from '../../../standalone/testing/api.ts'
import { checkExport } from '../audit/export-check.ts'
import { runAct } from '../operator/acts.ts'
import { complianceHtml } from './page.ts'
import { makeExtract, makeReport } from './report.ts'

const dayMs = 24 * 3_600_000

test('rights that nobody uses, holds, terms and sub-processors are in the report, and its page is plain', async () => {
  const t = await makeTestApi()
  const order = (act: string, input: object) =>
    runAct({ control: t.control, enrolment: t.relayIdentity }, { act, input, operator: 'ada' })
  try {
    const from = t.clock.now() - dayMs
    await order('operators.add', { who: 'ada@example.com' })
    t.clock.advance(20 * dayMs)
    const until = t.clock.now() + 400 * dayMs
    await order('holds.set', { about: t.owner.account, until, reason: '<script>alert(1)</script>' })
    t.clock.advance(80 * dayMs)
    await t.runJobs()
    const to = t.clock.now()
    const report = await makeReport(t.control, { from, to })
    expect(report.access.operators).toMatchObject([{ email: 'ada@example.com', hasSecondFactor: false }])
    expect(report.access.unusedKeys.count).toBe(3)
    expect(report.access.peopleWithoutFactor.count).toBe(1)
    expect(report.audit.seals.problems).toEqual([])
    expect(report.audit.entries.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['operator.added', 'hold.set']),
    )
    expect(report.holds).toHaveLength(1)
    expect(report.dataMap.length).toBeGreaterThan(70)
    const html = complianceHtml(report)
    expect(html).not.toMatch(/<script|onload|src=/)
    expect(html).toContain('&lt;script&gt;')

    const lines = await makeExtract(t.control, { account: '', from, to })
    const checked = await checkExport(lines, new Map())
    expect(checked).toMatchObject({ problems: [], unsealed: 0 })
    expect(checked.intact).toBe(checked.entries)
    expect(checked.intact).toBeGreaterThan(1)
    const changed = lines.map((line) => line.replace('operator.added', 'operator.adder'))
    expect((await checkExport(changed, new Map())).problems.length).toBeGreaterThan(0)
  } finally {
    await t.close()
  }
})
