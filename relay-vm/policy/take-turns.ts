/** Items that do not fit into one report wait for the next. Owners take turns, so that nobody fills all reports. */

/** @returns up to `max` of `items`: one of each owner in turn, each owner's items in their order */
export function takeTurns<Item>(
  items: readonly Item[],
  ownerOf: (item: Item) => string,
  max: number,
): readonly Item[] {
  return turnsOf(Map.groupBy(items, ownerOf).values(), max)
}

/** The same, when the items of each owner are known. */
export function turnsOf<Item>(owners: Iterable<readonly Item[]>, max: number): readonly Item[] {
  const taken: Item[] = []
  let lines = [...owners]
  for (let turn = 0; lines.length > 0 && taken.length < max; turn++) {
    lines = lines.filter((line) => turn < line.length)
    for (const line of lines.slice(0, max - taken.length)) taken.push(line[turn] as Item)
  }
  return taken
}
