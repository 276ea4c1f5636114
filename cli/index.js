// `import { forward } from 'porttunneler'`. In the repository it runs the TypeScript as it is; in the published package
// there is only dist/, which is CommonJS.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const source = new URL('main.ts', import.meta.url)
const ptun = existsSync(source)
  ? await import(source.href)
  : createRequire(import.meta.url)('./dist/main.cjs')

/** @type {typeof import('./index.d.ts').forward} */
export const forward = (target, options) => ptun.forward(target, options)
