/** Retention and legal holds, as ptunctl and the console have them. */
import { z } from 'zod'
import type { Control } from '../control.ts'
import { readGone } from '../retention/gone.ts'
import { listHolds, releaseHold, setHold } from '../retention/holds.ts'
import { files, terms } from '../retention/terms.ts'
import { type By, declareAct, reasonSchema } from './act.ts'
import { findPerson } from './people.ts'

const aboutSchema = z.string().trim().min(1).max(254)

export const retentionActs = {
  'retention.show': declareAct(z.strictObject({}), async ({ control }) => readRetention(control)),
  'holds.list': declareAct(z.strictObject({}), ({ control }) => listHolds(control)),
  'holds.set': declareAct(
    z.strictObject({ about: aboutSchema, until: z.int(), reason: reasonSchema }),
    async ({ control }, wish, by) => {
      await placeHold(control, by, wish)
      return listHolds(control)
    },
  ),
  'holds.release': declareAct(
    z.strictObject({ about: aboutSchema, reason: reasonSchema }),
    async ({ control }, { about, reason }, by) => {
      const id = await idOf(control, about)
      await releaseHold(control, { ...by, reason }, id)
      return { about: id, state: 'ending' }
    },
  ),
}

/**
 * Places a legal hold, or changes reason and end of the one that there is.
 * @param wish `about`: an account's id, or a person's id or address; `until`: ms since 1970
 * @throws operator.missing, operator.ambiguous, operator.input
 */
export async function placeHold(
  control: Control,
  by: By,
  { about, until, reason }: { readonly about: string; readonly until: number; readonly reason: string },
): Promise<void> {
  await setHold(control, by, { about: await idOf(control, about), until, reason })
}

/** What is kept how long, and what went in which month. */
export async function readRetention(control: Pick<Control, 'store'>) {
  return {
    kept: [...Object.entries(terms).map(([name, term]) => ({ name, ...term })), ...files],
    gone: await readGone(control),
  }
}

/** People also by their address. @throws operator.missing, operator.ambiguous */
async function idOf(control: Control, about: string): Promise<string> {
  return about.includes('@') ? (await findPerson(control, about)).ref.id : about
}
