/** Notes about people and accounts, and the search for people, as ptunctl has them; the console's are in desk.ts. */
import { z } from 'zod'
import type { Control } from '../control.ts'
import { declareAct } from './act.ts'
import { addNote, describePeople, listNotes, removeNote, searchPeople } from './desk.ts'
import { findPerson } from './people.ts'

const aboutSchema = z.string().trim().min(1).max(254)
const foundMax = 100

export const noteActs = {
  'people.find': declareAct(
    z.strictObject({
      who: z.string().trim().min(1).max(254),
      limit: z.int().min(1).max(foundMax).default(20),
    }),
    async ({ control }, { who, limit }) => {
      const { items } = await searchPeople(control, who, { limit })
      return describePeople(control, items)
    },
  ),
  'notes.list': declareAct(z.strictObject({ about: aboutSchema }), async ({ control }, { about }) =>
    listNotes(control, await idOf(control, about)),
  ),
  'notes.add': declareAct(
    z.strictObject({ about: aboutSchema, text: z.string().trim().min(1).max(2_000) }),
    async ({ control }, { about, text }, by) => {
      const id = await idOf(control, about)
      await addNote(control, by, { about: id, text })
      return listNotes(control, id)
    },
  ),
  'notes.remove': declareAct(z.strictObject({ id: z.string().max(64) }), async ({ control }, { id }, by) => {
    await removeNote(control, by, id)
    return { id, state: 'removed' }
  }),
}

/** People also by their address. @throws operator.missing, operator.ambiguous */
async function idOf(control: Control, about: string): Promise<string> {
  return about.includes('@') ? (await findPerson(control, about)).ref.id : about
}
