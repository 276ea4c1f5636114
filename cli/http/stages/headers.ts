/** Removes, sets and adds header fields as the user wrote them. */
import type { HeaderEdits } from '@porttunneler/shared/protocol/http-edits'
import type { HeadEdit } from '../head-edit.ts'
import type { Stage } from '../pipeline.ts'

/** Changes what the upstream gets. */
export function requestHeaderStage(edits: HeaderEdits): Stage {
  return {
    onRequest: ({ edit }) => {
      applyEdits(edit, edits)
      return undefined
    },
  }
}

/** Changes what visitors get from the upstream; the agent's own answers stay. */
export function answerHeaderStage(edits: HeaderEdits): Stage {
  return {
    onAnswer: ({ edit, isOwn }) => {
      if (!isOwn) applyEdits(edit, edits)
    },
  }
}

function applyEdits(edit: HeadEdit, { remove = [], set = {}, add = {} }: HeaderEdits): void {
  for (const name of remove) edit.remove(name)
  for (const [name, value] of Object.entries(set)) {
    edit.remove(name)
    edit.add(name, value)
  }
  for (const [name, values] of Object.entries(add))
    for (const value of Array.isArray(values) ? values : [values]) edit.add(name, value)
}
