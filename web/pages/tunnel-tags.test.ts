/** Tags as people type them, and what is said of those that the API refuses. */
import { tagsSchema } from '@porttunneler/shared/api/schemas/common'
import { expect, test } from 'vitest'
import { refusedTags, toTags } from './tunnel-tags.tsx'

test('tags: typed with spaces or commas, in any case and order, each counts once', () => {
  expect(toTags(' Prod, team:web  prod\n')).toEqual(['prod', 'team:web'])
  expect(toTags('')).toEqual([])
})

test('tags: what the API refuses is told by the word that was typed', () => {
  const typed = 'ok über -no'
  const { error } = tagsSchema.safeParse(toTags(typed))
  const issues = error?.issues.map(({ path }) => ({ path: ['tags', ...path].join('.') }))
  const said = refusedTags(typed, issues)
  expect(said).toContain('-no, über')
  expect(said).not.toContain('ok')
  const many = tagsSchema.safeParse(toTags('a b c d e f g h i')).error?.issues
  expect(
    refusedTags(
      '',
      many?.map(({ path }) => ({ path: ['tags', ...path].join('.') })),
    ),
  ).toContain('at most 8')
  expect(refusedTags(typed, [{ path: 'name' }])).toBeUndefined()
})
