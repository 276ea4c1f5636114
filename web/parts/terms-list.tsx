/** Documents of the operator as a list of links, each with its version. */
import type { OwnTerms, TermsDocument } from '@porttunneler/shared/api/schemas/terms'
import { termsNames } from '@porttunneler/shared/base/terms-kinds'
import { TimeText } from './time-text.tsx'

type Item = Pick<TermsDocument, 'kind' | 'version' | 'url'> & Pick<OwnTerms['items'][number], 'accepted'>

export function TermsList({ items }: { items: readonly Item[] }) {
  return (
    <ul aria-label="Documents" class="divide-y divide-line">
      {items.map((item) => (
        <li key={item.kind} class="py-2.5">
          <TermsLink item={item} />
          <p class="text-sm break-words text-muted">
            Version {item.version}
            <AcceptedText {...item} />
          </p>
        </li>
      ))}
    </ul>
  )
}

/** It opens beside the console: nobody loses the page on which they accept it. */
export function TermsLink({ item: { kind, url } }: { item: Pick<Item, 'kind' | 'url'> }) {
  return (
    <a href={url} target="_blank" rel="noopener noreferrer" class="font-medium underline underline-offset-4">
      {termsNames[kind]}
    </a>
  )
}

function AcceptedText({ version, accepted }: Item) {
  if (!accepted) return null
  const at = <TimeText at={accepted.at} isExact />
  return accepted.version === version ? (
    <>, accepted on {at}</>
  ) : (
    <>
      . You accepted version {accepted.version} on {at}
    </>
  )
}
