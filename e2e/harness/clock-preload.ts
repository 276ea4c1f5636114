/** Code that `--import` brings into a Node program: by how many ms its Date is wrong is read from the file `offset`. */
export function clockPreload(offset: string): string {
  return `
import { readFileSync } from 'node:fs'
const now = Date.now
let ms = 0
const read = () => { ms = Number(readFileSync(${JSON.stringify(offset)}, 'utf8')) }
read()
setInterval(read, 100).unref()
Date.now = () => now() + ms
`
}
