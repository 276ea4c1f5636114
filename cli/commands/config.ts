/** `ptun config check` and `ptun config schema`. */
import { settingsOf } from '../agent/settings.ts'
import { formatUpstream } from '../agent/upstream.ts'
import { configName, readConfig } from '../config.ts'
import { configJsonSchema } from '../config-schema.ts'
import { type Context, paintOf, say, tell } from '../context.ts'
import { formatTable } from '../output/format.ts'

/** @throws config.* with every problem of the file */
export async function checkConfig(context: Context, path: string = configName): Promise<number> {
  const { tunnels } = await readConfig(path, context.env)
  const paint = paintOf(context)
  const rows = tunnels.map(({ name = '', kind, upstream, port, proxyProtocol, ...parts }) => [
    `  ${name}`,
    kind,
    paint('dim', '->'),
    formatUpstream(upstream),
    port === undefined ? '' : `public port ${port}`,
    proxyProtocol === undefined ? '' : `PROXY ${proxyProtocol}`,
    settingsOf(parts).join(', '),
  ])
  say(context, `${path} is fine: ${tunnels.length === 1 ? '1 tunnel' : `${tunnels.length} tunnels`}`)
  say(context, ...formatTable(rows))
  tell(context, { event: 'config.checked', path, tunnels: tunnels.length })
  return 0
}

/** Always JSON: it is a file for an editor. */
export async function printSchema(context: Context): Promise<number> {
  context.stdout.write(configJsonSchema())
  return 0
}
