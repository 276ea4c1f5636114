/** The metrics of a relay in a namespace. */
import { inNamespace, type Network } from './network.ts'
import { relayPorts } from './world.ts'

/** Reads them once. @returns the value of a series by its name, labels included; 0 for a missing one */
export function relayMetrics(network: Network): (series: string) => number {
  const fetching = `fetch('http://127.0.0.1:${relayPorts.metrics}/metrics').then((a) => a.text()).then(console.log)`
  const lines = inNamespace(network.at('relay'), process.execPath, '-e', fetching).split('\n')
  return (series) =>
    Number(lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1) ?? 0)
}
