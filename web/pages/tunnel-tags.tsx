/** Tags of tunnels: shown in the list, typed in a form, added to and removed from several at once. */
import type { Tunnel } from '@porttunneler/shared/api/schemas/tunnels'
import { useTagTunnels } from '../api/tunnel-list.ts'
import { useAnnounce } from '../parts/announcer.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { TextField } from '../parts/field.tsx'
import { FormOf, useApiForm } from '../parts/form.tsx'
import { formatCount, formatCounted } from '../parts/format.ts'

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

/** The tags that all of them will have, and those that none will. */
export function TagsDialog({ tunnels, onClose }: { tunnels: readonly Tunnel[]; onClose: () => void }) {
  const announce = useAnnounce()
  const there = [...new Set(tunnels.flatMap(({ tags = [] }) => tags))].sort()
  const change = useTagTunnels()
  const [failed] = change.data?.failures ?? []
  const form = useApiForm({
    initial: { tags: '', removed: [] as readonly string[] },
    act: {
      isPending: change.isPending,
      error: change.error ?? failed ?? null,
      reset: change.reset,
      mutate: (wish: Parameters<typeof change.mutate>[0]) =>
        change.mutate(wish, {
          onSuccess: ({ done, failures }) => {
            if (failures.length > 0) return
            announce(`Tags changed: ${formatCount(done)}`)
            onClose()
          },
        }),
    },
    toWish: ({ tags, removed }) => ({ tunnels, add: toTags(tags), remove: new Set(removed) }),
    refused: ({ tags }, issues) => {
      const text = refusedTags(tags, issues)
      return text === undefined ? {} : { tags: text }
    },
  })
  const count = formatCounted(tunnels.length, 'tunnel')
  return (
    <Dialog title={`Tags of ${count}`} onClose={onClose}>
      <FormOf form={form} action="Save tags" onCancel={onClose} isDisabled={!form.isDirty}>
        <TextField
          label="Add"
          hint="With spaces between."
          autofocus
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          {...form.text('tags')}
        />
        {there.length > 0 && (
          <Removable
            there={there}
            removed={new Set(form.values.removed)}
            onChange={(removed) => form.set({ removed: [...removed] })}
          />
        )}
      </FormOf>
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
