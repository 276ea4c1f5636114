/**
 * A body as text, a table or a picture. Nothing of it becomes markup: text goes into text nodes, and pictures come from
 * the agent, which looks at their first bytes.
 */
import type { InspectedBody, InspectedMessage } from '@porttunneler/shared/api/schemas/inspection'
import { formatBytes } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi, Side } from './api.ts'
import { formPairs, hexRows, partsOf, prettyJson } from './body-text.ts'
import { useLoaded } from './use-live.ts'

const text = 'max-h-[32rem] overflow-auto p-4 font-mono text-xs break-all whitespace-pre-wrap'

export function BodyView({
  api,
  id,
  of,
  message,
}: {
  api: InspectorApi
  id: number
  of: Side
  message: InspectedMessage
}) {
  const { value, failure } = useLoaded(`body ${of} ${id}`, message.bytes, () => api.body(id, of))
  if (failure) return <ProblemNotice failure={failure} />
  if (!value) return <p class="p-4 text-sm text-muted">Loading the body</p>
  return (
    <div>
      <p class="flex flex-wrap gap-x-3 border-b border-line/60 px-4 py-2 text-xs text-muted">
        <span>{value.kind === 'binary' ? 'bytes' : value.kind}</span>
        {value.codings.length > 0 && (
          <span>
            unpacked ({value.codings.join(', ')}) to {formatBytes(value.bytes)}
          </span>
        )}
        {value.isBroken && <span class="text-danger">not packed as its header says</span>}
        {value.isCut && <span>only the beginning is shown</span>}
        {message.keptBytes < message.bytes && (
          <span>the first {formatBytes(message.keptBytes)} are kept</span>
        )}
        <a class="text-accent underline" href={api.address(`/api/requests/${id}/raw?of=${of}`)} download>
          Save
        </a>
      </p>
      <Content body={value} picture={api.address(`/api/requests/${id}/picture?of=${of}`)} />
    </div>
  )
}

function Content({ body, picture }: { body: InspectedBody; picture: string }) {
  switch (body.kind) {
    case 'empty':
      return null
    case 'image':
      return <img src={picture} alt="Body of the message" class="max-h-96 max-w-full p-4" />
    case 'json':
      return <pre class={text}>{prettyJson(body.text)}</pre>
    case 'form':
      return <Pairs pairs={formPairs(body.text)} />
    case 'multipart':
      return <Parts body={body} />
    case 'binary':
      return <pre class={text}>{hexRows(body.text)}</pre>
    default:
      return <pre class={text}>{body.text}</pre>
  }
}

function Pairs({ pairs }: { pairs: readonly (readonly [string, string])[] }) {
  return (
    <table class="w-full text-sm">
      <tbody>
        {pairs.map(([name, value], at) => (
          <tr key={at} class="border-b border-line/60 align-top">
            <th scope="row" class="w-1/4 px-4 py-1 text-left font-medium text-muted">
              {name}
            </th>
            <td class="py-1 pr-4 font-mono text-xs break-all whitespace-pre-wrap">{value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Parts({ body }: { body: InspectedBody }) {
  const parts = partsOf(body.text, body.type)
  if (!parts) return <pre class={text}>{body.text}</pre>
  return (
    <ul>
      {parts.map(({ name, head, text: content }, at) => (
        <li key={at} class="border-b border-line/60">
          <p class="px-4 pt-2 text-sm font-medium">{name}</p>
          <p class="px-4 text-xs text-muted">{head}</p>
          <pre class={text}>{content}</pre>
        </li>
      ))}
    </ul>
  )
}
