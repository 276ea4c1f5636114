/**
 * The least a proxy in Node can be: no tunnel, no encryption, Node's own `pipe`. Arguments: pairs of ports, from and
 * to. What two of these in a row cost is what Node alone asks of a tunnel that is written in it.
 */
import { connect, createServer } from 'node:net'
import { host } from '../path.ts'

const ports = process.argv.slice(2).map(Number)
for (let i = 0; i < ports.length; i += 2) {
  const [from, to] = [ports[i], ports[i + 1] ?? 0]
  createServer({ allowHalfOpen: true, noDelay: true }, (visitor) => {
    const upstream = connect({ host, port: to, allowHalfOpen: true, noDelay: true })
    visitor.on('error', () => upstream.destroy())
    upstream.on('error', () => visitor.destroy())
    visitor.pipe(upstream).pipe(visitor)
  }).listen(from, host)
}
