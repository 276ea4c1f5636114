/**
 * Loaded before a program that the supervisor starts and that does not watch its IPC channel itself. When the parent is
 * gone (killed, crashed), the program gets the SIGTERM that the parent can no longer send.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
// Watching must not keep alive a program that has nothing left to do.
process.channel?.unref()
