/** The names of all collections that source texts declare, for tests that walk them. */

export function collectionsIn(sources: readonly string[]): readonly string[] {
  const found = sources.flatMap((text) => [...text.matchAll(/ollection(?:<[^>]*>+)?\('(\w+)'\)/g)])
  return [...new Set(found.map(([, name = '']) => name))].toSorted()
}
