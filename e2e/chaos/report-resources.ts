/** Loaded into a program under test by `--import`: at SIGUSR2 it says on stdout what the program holds. */
process.on('SIGUSR2', () => {
  const active = process.getActiveResourcesInfo()
  const count = (type: string) => active.filter((one) => one === type).length
  const line = { event: 'resources', sockets: count('TCPSocketWrap'), timers: count('Timeout') }
  process.stdout.write(`${JSON.stringify(line)}\n`)
})
