#!/usr/bin/env node
/* Starts ptunctl from a checkout, with the exit code of what it did. */
import module from 'node:module'
import process from 'node:process'

module.enableCompileCache()
const { run } = await import('./main.ts')
process.exitCode = await run(process.argv.slice(2), process)
