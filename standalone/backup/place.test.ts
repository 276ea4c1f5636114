import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { placeDraft } from './place.ts'

let folder: string
let draft: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pt-place-'))
  draft = join(folder, 'draft')
  file = join(folder, 'file')
  writeFileSync(draft, 'whole')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const withoutLinks = () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' }))

test.each([
  ['with links', undefined],
  ['without links', withoutLinks],
])('a draft gets a free name and leaves a taken one alone, on a disk %s', async (_, makeLink) => {
  await placeDraft(draft, file, makeLink)
  expect(readFileSync(file, 'utf8')).toBe('whole')
  // With links the draft is the same file still.
  rmSync(draft, { force: true })
  writeFileSync(draft, 'another')
  await expect(placeDraft(draft, file, makeLink)).rejects.toMatchObject({ key: 'backup.occupied' })
  expect(readFileSync(file, 'utf8')).toBe('whole')
  expect(existsSync(draft)).toBe(true)
})
