/**
 * Whether the agent of this container serves: exit code 0 when it runs and all its tunnels are online. It asks the
 * agent alone, so it needs neither network nor key.
 */
import process from 'node:process'
import { systemClock } from '@porttunneler/shared/base/clock'
import { readStatuses } from '../cli/agent/status-socket.ts'
import { runtimeFolder } from '../cli/paths.ts'

const agents = await readStatuses(runtimeFolder(process.env), systemClock)
const tunnels = agents.flatMap((agent) => (agent.state === 'running' ? agent.tunnels : []))
process.exitCode = tunnels.length > 0 && tunnels.every(({ state }) => state === 'online') ? 0 : 1
