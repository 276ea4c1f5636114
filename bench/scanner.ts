/** Requests a second that the head scanner and rewriter alone get through on one core: `node bench/scanner.ts`. */

import { HeadRewriter } from '@porttunneler/shared/http/rewrite'
import { RequestScanner } from '@porttunneler/shared/http/scanner'

const browser = Buffer.from(
  [
    'GET /assets/app.js?v=3 HTTP/1.1',
    'Host: demo.localhost:8080',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Accept-Language: en-GB,en;q=0.7,de;q=0.3',
    'Accept-Encoding: gzip, deflate, br, zstd',
    'Connection: keep-alive',
    'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
    'If-None-Match: "5f3c-18a7"',
    'Sec-Fetch-Dest: script',
    'Sec-Fetch-Mode: no-cors',
    'Sec-Fetch-Site: same-origin',
    'Priority: u=2',
    '\r\n',
  ].join('\r\n'),
)
const small = Buffer.from('GET / HTTP/1.1\r\nHost: demo.localhost:8080\r\nConnection: keep-alive\r\n\r\n')
const rounds = 300_000

for (const [name, request] of Object.entries({ small, browser })) {
  const rewriter = new HeadRewriter({ address: '192.0.2.1', proto: 'http' })
  const scanner = new RequestScanner()
  const run = () => {
    let bytes = 0
    for (let i = 0; i < rounds; i++) {
      scanner.push(request)
      const head = scanner.next()
      if (head?.kind !== 'head') throw new Error('the scanner refused the request')
      bytes += rewriter.rewrite(head).length
    }
    return bytes
  }
  run()
  const start = performance.now()
  run()
  const perSecond = Math.round((rounds / (performance.now() - start)) * 1000)
  process.stdout.write(`${name} (${request.length} bytes): ${perSecond.toLocaleString('en')} requests/s\n`)
}
