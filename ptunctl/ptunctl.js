#!/usr/bin/env node
/* Starts ptunctl from a checkout, with the exit code of what it did. */
import module from 'node:module'
import process from 'node:process'

module.enableCompileCache()
const { outliveOutputOf } = await import('@porttunneler/shared/base/outlive-output')
const { run } = await import('./main.ts')
outliveOutputOf(process)
process.exitCode = await run(process.argv.slice(2), process)
