/**
 * Whether the server of this container serves: exit code 0 when its API answers and its relay takes visitors. It is not
 * healthy while it starts and from the moment that it is told to stop.
 */
import process from 'node:process'

const { PORTTUNNELER_CONSOLE_PORT: console = '8400', PORTTUNNELER_METRICS_PORT: metrics = '8490' } =
  process.env
const timeoutMs = 4_000

async function isUp(url: string): Promise<boolean> {
  try {
    // A server with certificates sends plain HTTP to HTTPS, which is an answer too.
    const { status } = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
    return status < 400
  } catch {
    return false
  }
}

const answers = await Promise.all([
  isUp(`http://127.0.0.1:${console}/v1/health`),
  isUp(`http://127.0.0.1:${metrics}/readyz`),
])
process.exitCode = answers.every((answer) => answer) ? 0 : 1
