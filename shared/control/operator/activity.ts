/**
 * How accounts come and stay, once a day: who was active, how far new accounts have got, and which came back. The job
 * that makes the service's figures (figures.ts) asks this for each account that it walks, so nothing is written when
 * somebody is active, and no outside service learns of it. Two more reads for each account and day, and two to four
 * more in its first 13 weeks.
 */
import { readHours } from '../books/hours.ts'
import type { Control } from '../control.ts'
import { type AccountDoc, users } from '../documents.ts'
import type { Snapshot } from '../platform.ts'
import { queries } from '../query-table.ts'
import type { ActivityFigures, CohortFigures } from './figure-documents.ts'

const dayMs = 24 * 3_600_000
const weekMs = 7 * dayMs
/** Four whole weeks, which are alike. */
const monthMs = 4 * weekMs
/** Those who came longer ago are in no week of their own. */
export const cohortWeeks = 13
/** 1970-01-05 was a Monday. */
const mondayMs = 4 * dayMs

export const noActivity: ActivityFigures = { accounts: 0, day: 0, week: 0, month: 0, cohorts: {} }

/** The Monday, UTC, of the week that a time is in. */
function weekOf(atMs: number): number {
  return Math.floor((atMs - mondayMs) / weekMs) * weekMs + mondayMs
}

/** What else the walk knows of the account. */
type Known = {
  readonly day: number
  /** Connections that visitors opened on the day. */
  readonly opened: number
  readonly tunnels: number
  readonly isPaying: boolean
}

/** One account's part of the day's figures. An account is active when a visitor reaches one of its tunnels. */
export async function activityOf(
  control: Control,
  { ref: { id: account }, data: { createdAt } }: Snapshot<AccountDoc>,
  { day, opened, tunnels, isPaying }: Known,
): Promise<ActivityFigures> {
  const week = weekOf(createdAt)
  const isYoung = weekOf(day) - week < cohortWeeks * weekMs
  const last = opened > 0 ? day : await lastVisited(control, { account, day, isYoung })
  const isWithin = (spanMs: number) => (last !== undefined && last > day - spanMs ? 1 : 0)
  const active = { day: isWithin(dayMs), week: isWithin(weekMs), month: isWithin(monthMs) }
  // It came after the day that is counted.
  if (createdAt >= day + dayMs) return noActivity
  if (!isYoung) return { accounts: 1, ...active, cohorts: {} }
  const cohort = {
    accounts: 1,
    proven: (await isProven(control, account)) ? 1 : 0,
    tunnel: tunnels > 0 || last !== undefined ? 1 : 0,
    visitor: last === undefined ? 0 : 1,
    paying: isPaying ? 1 : 0,
    active: active.week,
  }
  return { accounts: 1, ...active, cohorts: { [textOf(week)]: cohort } }
}

/** The last day that a visitor came, of four weeks, or of all weeks of a young account. */
async function lastVisited(
  { store }: Pick<Control, 'store'>,
  { account, day, isYoung }: { readonly account: string; readonly day: number; readonly isYoung: boolean },
): Promise<number | undefined> {
  const { items } = await store.query(queries.periodsOfAccount, {
    where: { account },
    to: day + dayMs - 1,
    // A period has a month.
    limit: isYoung ? 4 : 2,
  })
  for (const { data } of items) {
    // From a release up to 0.1, until it is converted.
    if (data.state === undefined) continue
    const { start, lateHours } = data
    const hours = readHours(lateHours === '' ? data : { ...data, hours: lateHours }, start)
    const visited = [...hours].filter(([hour, { opened }]) => opened > 0 && hour < day + dayMs)
    if (visited.length > 0) return Math.floor(Math.max(...visited.map(([hour]) => hour)) / dayMs) * dayMs
  }
  return undefined
}

/** Whether the first person of the account has proven their mail address. */
async function isProven({ store }: Pick<Control, 'store'>, account: string): Promise<boolean> {
  const { items } = await store.query(queries.membersOfAccount, { where: { account }, limit: 1 })
  const [first] = items
  return first !== undefined && (await store.get(users.ref(first.data.user)))?.data.emailVerified === true
}

export function addActivity(a: ActivityFigures, b: ActivityFigures): ActivityFigures {
  const cohorts: Record<string, CohortFigures> = { ...a.cohorts }
  for (const [week, more] of Object.entries(b.cohorts)) {
    const known = cohorts[week]
    cohorts[week] = known ? addCohort(known, more) : more
  }
  const [accounts, day] = [a.accounts + b.accounts, a.day + b.day]
  return { accounts, day, week: a.week + b.week, month: a.month + b.month, cohorts }
}

function addCohort(a: CohortFigures, b: CohortFigures): CohortFigures {
  return {
    accounts: a.accounts + b.accounts,
    proven: a.proven + b.proven,
    tunnel: a.tunnel + b.tunnel,
    visitor: a.visitor + b.visitor,
    paying: a.paying + b.paying,
    active: a.active + b.active,
  }
}

export function textOf(day: number): string {
  return new Date(day).toISOString().slice(0, 10)
}
