/** Tags of tunnels: shown in the list, typed in a form, added to and removed from several at once. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useState } from 'preact/hooks'
import type { ApiFailure } from '../api/failure.ts'
import { useTagTunnels } from '../api/tunnel-list.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { formatCount } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'

/** A row has room for two; the others are counted. */
const shownMax = 2

export function Tags({
  tags = [],
  onTag,
}: {
  tags?: readonly string[] | undefined
  onTag: (tag: string) => void
}) {
  const more = tags.length - shownMax
  return (
    <>
      {tags.slice(0, shownMax).map((tag) => (
        <button
          key={tag}
          type="button"
          aria-label={`Only tunnels with the tag ${tag}`}
          class="hidden max-w-24 shrink-[99] truncate rounded-md min-[90rem]:inline-block border border-line px-1.5 text-xs text-muted hover:border-accent hover:text-accent"
          onClick={() => onTag(tag)}
        >
          {tag}
        </button>
      ))}
      {more > 0 && (
        <span
          class="hidden shrink-0 text-xs text-muted min-[90rem]:inline"
          title={tags.slice(shownMax).join(', ')}
        >
          +{more}
        </span>
      )}
    </>
  )
}

/** With spaces or commas between; case does not matter. */
export function toTags(text: string): string[] {
  const words = text.toLowerCase().split(/[\s,;]+/)
  return [...new Set(words.filter((word) => word !== ''))].sort()
}

/** What the API refused of typed tags, in words for under their field; undefined when it took them. */
export function refusedTags(
  text: string,
  issues: readonly { readonly path: string }[] = [],
): string | undefined {
  const tags = toTags(text)
  const refused = issues.flatMap(({ path }) => {
    const [, index] = /^tags(?:\.(\d+))?$/.exec(path) ?? []
    return path === 'tags' ? ['too many'] : index === undefined ? [] : [tags[Number(index)] ?? '']
  })
  if (refused.length === 0) return undefined
  return refused.includes('too many')
    ? 'A tunnel has at most 8 tags.'
    : `Tags have lower-case letters, digits, dots, colons and hyphens, at most 32. These do not: ${refused.join(', ')}`
}

/** The field of a form that makes a tunnel. */
export function TagsField({
  tags,
  failure,
  onChange,
}: {
  tags: string
  failure: ApiFailure | undefined
  onChange: (tags: string) => void
}) {
  return (
    <TextField
      label="Tags"
      hint="Words that sort it, with spaces between. At most 8."
      error={refusedTags(tags, failure?.problem.issues)}
      autocomplete="off"
      autocapitalize="none"
      spellcheck={false}
      placeholder="prod team:web"
      value={tags}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  )
}

/** The tags that all of them will have, and those that none will. */
export function TagsDialog({ tunnels, onClose }: { tunnels: readonly Tunnel[]; onClose: () => void }) {
  const announce = useAnnounce()
  const [added, setAdded] = useState('')
  const [removed, setRemoved] = useState<ReadonlySet<string>>(new Set())
  const change = useTagTunnels()
  const there = [...new Set(tunnels.flatMap(({ tags = [] }) => tags))].sort()
  const count = tunnels.length === 1 ? '1 tunnel' : `${formatCount(tunnels.length)} tunnels`
  const [failure] = change.data?.failures ?? []
  const refused = refusedTags(added, failure?.problem.issues)
  const save = () =>
    change.mutate(
      { tunnels, add: toTags(added), remove: removed },
      {
        onSuccess: ({ done, failures }) => {
          if (failures.length > 0) return
          announce(`Tags changed: ${formatCount(done)}`)
          onClose()
        },
      },
    )
  return (
    <Dialog title={`Tags of ${count}`} onClose={onClose}>
      <form
        class="mt-4 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          save()
        }}
      >
        <TextField
          label="Add"
          hint="With spaces between."
          error={refused}
          autofocus
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          value={added}
          onInput={(event) => setAdded(event.currentTarget.value)}
        />
        {there.length > 0 && <Removable {...{ there, removed }} onChange={setRemoved} />}
        {failure && !refused && <ProblemNotice failure={failure} />}
        <div class="flex justify-end gap-3">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            type="submit"
            look="accent"
            isBusy={change.isPending}
            disabled={toTags(added).length === 0 && removed.size === 0}
          >
            Save tags
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function Removable({
  there,
  removed,
  onChange,
}: {
  there: readonly string[]
  removed: ReadonlySet<string>
  onChange: (removed: ReadonlySet<string>) => void
}) {
  return (
    <fieldset>
      <legend class="text-sm font-semibold">Keep</legend>
      <div class="mt-1.5 flex flex-wrap gap-x-4 gap-y-2">
        {there.map((tag) => (
          <label key={tag} class="inline-flex items-center gap-2">
            <input
              type="checkbox"
              class="size-4 accent-accent"
              checked={!removed.has(tag)}
              onChange={({ currentTarget }) =>
                onChange(
                  currentTarget.checked
                    ? new Set([...removed].filter((one) => one !== tag))
                    : new Set([...removed, tag]),
                )
              }
            />
            {tag}
          </label>
        ))}
      </div>
    </fieldset>
  )
}
