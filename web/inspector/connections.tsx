/** Connections of tcp and tls tunnels: nobody reads their bytes, so who, how long and how much is all there is. */
import { formatBytes } from '../parts/format.ts'
import { ProblemNotice } from '../parts/problem-notice.tsx'
import type { InspectorApi } from './api.ts'
import { clockText, millisecondsText } from './texts.ts'
import { useLoaded } from './use-live.ts'

const heads = ['Began', 'Tunnel', 'Visitor', 'Lasted', 'In', 'Out', 'End']

export function Connections({ api, revision }: { api: InspectorApi; revision: number }) {
  const { value, failure } = useLoaded('connections', revision, () => api.connections())
  if (failure) return <ProblemNotice failure={failure} />
  const connections = value?.connections ?? []
  return (
    <main class="min-h-0 flex-1 overflow-auto p-4">
      {connections.length === 0 ? (
        <p class="text-muted">
          No connection of a tcp or tls tunnel has come yet. For http tunnels each request is shown.
        </p>
      ) : (
        <table class="w-full text-left text-sm tabular-nums">
          <thead>
            <tr class="border-b border-line text-muted">
              {heads.map((head) => (
                <th key={head} scope="col" class="py-2 pr-4 font-medium">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {connections.map(({ id, at, tunnel, visitor, ms, bytesIn, bytesOut, code }) => (
              <tr key={id} class="border-b border-line">
                <td class="py-1.5 pr-4">{clockText(at)}</td>
                <td class="pr-4">{tunnel}</td>
                <td class="pr-4 font-mono text-xs">{visitor}</td>
                <td class="pr-4">{ms === undefined ? 'open' : millisecondsText(ms)}</td>
                <td class="pr-4">{ms === undefined ? '' : formatBytes(bytesIn)}</td>
                <td class="pr-4">{ms === undefined ? '' : formatBytes(bytesOut)}</td>
                <td class={code === undefined ? 'text-muted' : 'text-danger'}>
                  {code ?? (ms === undefined ? '' : 'in order')}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </main>
  )
}
