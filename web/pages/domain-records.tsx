/** The DNS records of a domain, each with copy buttons: for visitors, and for certificates without port 80. */
import type { Domain } from '@porttunneler/shared/api/schemas/domains'
import { isWildcard } from '@porttunneler/shared/base/wildcards'
import { Fragment } from 'preact'
import { CopyButton } from '../parts/copy-button.tsx'

/** Either the record that does both, or the others; the other way stands below it. */
export function Records({
  domain: { host, records, certificateRecord, provider, zone },
}: {
  domain: Domain
}) {
  const both = records.filter(({ does }) => does === 'both')
  const others = records.filter(({ does }) => does !== 'both')
  return (
    <div class="mt-4 space-y-3 text-sm">
      <p>
        {both.length > 0 ? 'Make this record' : 'Make these records'}
        {zone && ` in the zone ${zone}`}
        {provider && ` at ${provider.name}`}:
      </p>
      {(both.length > 0 ? both : others).map((record) => (
        <RecordRow key={record.type} record={record} />
      ))}
      {both.length === 0 && (
        <p class="text-muted">
          @ is the domain itself. Some providers call an ALIAS record ANAME or CNAME flattening.
        </p>
      )}
      {provider && <p class="text-muted">{provider.hint}</p>}
      {both.length > 0 && others.length > 0 && (
        <details>
          <summary class="cursor-pointer text-muted">A CNAME is not possible there?</summary>
          <div class="mt-3 space-y-3">
            <p>
              Make this record, and an ALIAS with the name and value above. Some providers call it ANAME or
              CNAME flattening.
            </p>
            {others.map((record) => (
              <RecordRow key={record.type} record={record} />
            ))}
          </div>
        </details>
      )}
      {certificateRecord && (
        <details open={isWildcard(host)}>
          <summary class="cursor-pointer text-muted">
            {isWildcard(host) ? 'Certificate of the wildcard' : 'Certificate without port 80?'}
          </summary>
          <div class="mt-3 space-y-3">
            <p>
              {isWildcard(host)
                ? 'Certificate authorities prove wildcards in the DNS alone. Make this record too, and leave it there for renewals.'
                : 'Where a certificate authority cannot reach port 80 of the host, because of a proxy or a firewall, make this record too, and leave it there for renewals.'}
            </p>
            <RecordRow record={certificateRecord} />
          </div>
        </details>
      )}
    </div>
  )
}

function RecordRow({
  record: { type, shortName, value },
}: {
  record: Pick<Domain['records'][number], 'type' | 'shortName' | 'value'>
}) {
  const cells = [
    ['Name', shortName],
    ['Value', value],
  ] as const
  return (
    <dl class="grid grid-cols-[auto_1fr_auto] items-center gap-x-4 gap-y-1 rounded-md border border-line bg-raised p-3">
      <dt class="text-muted">Type</dt>
      <dd class="col-span-2 font-semibold">{type}</dd>
      {cells.map(([label, text]) => (
        <Fragment key={label}>
          <dt class="text-muted">{label}</dt>
          <dd class="font-mono break-all">{text}</dd>
          <dd>
            <CopyButton text={text} what={label.toLowerCase()} />
          </dd>
        </Fragment>
      ))}
    </dl>
  )
}
