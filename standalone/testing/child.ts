/** A child for the supervisor's tests: it does what its first argument says. */
const behaviour = process.argv[2]
const say = (message: object) => process.send?.(message)

if (behaviour === 'crash') {
  process.stderr.write('no luck\n')
  process.exitCode = 3
} else if (behaviour === 'refuse') {
  process.exitCode = 2
} else if (behaviour === 'busy') {
  setInterval(() => undefined, 60_000)
  say({ ready: process.pid })
} else {
  process.on('message', (message) => say({ echo: message }))
  process.on('SIGTERM', () => {
    if (behaviour === 'stubborn') say({ heard: 'SIGTERM' })
    else process.disconnect()
  })
  process.stdout.write('serving\n')
  say({ ready: process.pid, variable: process.env.PT_TEST_VARIABLE })
}
