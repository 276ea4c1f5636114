/** Loaded into a program under test by `--import`: at SIGUSR2 it prints the resources of the program on stdout. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { heldSlabs } from '@porttunneler/shared/mux/slab'

const delay = monitorEventLoopDelay()
delay.enable()

process.on('SIGUSR2', () => {
  const active = process.getActiveResourcesInfo()
  const count = (type: string) => active.filter((one) => one === type).length
  const line = {
    event: 'resources',
    sockets: count('TCPSocketWrap'),
    timers: count('Timeout'),
    /** For a program that runs from its source; in a bundle they differ. */
    slabs: heldSlabs(),
    /** Since the last report; includes the 10 ms that the measuring itself waits. */
    delayP99Ms: delay.percentile(99) / 1e6,
  }
  delay.reset()
  process.stdout.write(`${JSON.stringify(line)}\n`)
})
