/**
 * Members of any account: an operator adds and removes them where the owners cannot, because one is lost or asks for
 * it.
 */
import { z } from 'zod'
import { permissionsOf, roles } from '../../api/schemas/access.ts'
import type { Caller } from '../caller.ts'
import { type Control, controlOf } from '../control.ts'
import { addMember, changeRole, emailOf, listMembers, removeMember } from '../members.ts'
import { limitsOf } from '../plans.ts'
import { find } from './accounts.ts'
import { type By, declareAct } from './act.ts'
import { findPerson } from './people.ts'

/** `who` is an e-mail address, `usr_…` or `svc_…`. */
const memberSchema = z.strictObject({ account: z.string().max(64), who: z.string().trim().min(1).max(254) })
const roleSchema = memberSchema.extend({ role: z.enum(roles) })

export const memberActs = {
  'members.add': declareAct(roleSchema, async ({ control }, { account, who, role }, by) => {
    await find(control, account)
    const user = (await findPerson(control, who)).ref.id
    await addMember(controlOf(control, account), { user, role, actor: by.actor })
    return listMembers(control, account)
  }),
  'members.remove': declareAct(memberSchema, async ({ control }, { account, who }, by) => {
    const caller = await callerOf(control, account, by)
    const id = await idOf(control, who)
    await removeMember(controlOf(control, account), caller, { id, email: await emailOf(control, id) })
    return listMembers(control, account)
  }),
  'members.role': declareAct(roleSchema, async ({ control }, { account, who, role }, by) => {
    const caller = await callerOf(control, account, by)
    await changeRole(controlOf(control, account), caller, { member: await idOf(control, who), role })
    return listMembers(control, account)
  }),
}

async function idOf(control: Control, who: string): Promise<string> {
  return who.includes('@') ? (await findPerson(control, who)).ref.id : who
}

/** A caller with an owner's rights who is a member of nothing. */
async function callerOf(control: Control, account: string, { actor, from }: By): Promise<Caller> {
  const doc = await find(control, account)
  const { name: accountName, plan } = doc
  const rights = { role: 'owner', permissions: permissionsOf('owner'), scopes: [] } as const
  return { account, accountName, plan, limits: limitsOf(doc), ...rights, actor, member: '', from }
}
