/**
 * Code that `--import` brings into a Node program: by how many ms its Date is wrong is read from the file `offset`.
 * Every way to read the time is wrong by as much: libraries compute a deadline by one and compare it by another, as
 * Google's do, where a clock that only `Date.now` has makes every call late before it is sent.
 */
export function clockPreload(offset: string): string {
  return `
import { readFileSync } from 'node:fs'
let ms = 0
const read = () => { ms = Number(readFileSync(${JSON.stringify(offset)}, 'utf8')) }
read()
setInterval(read, 100).unref()
${wrongDate('ms')}
`
}

/** Code for any JavaScript engine that sets its Date wrong. @param ms an expression: by how many ms at that moment */
export function wrongDate(ms: string): string {
  return `{
  const right = Date
  const now = () => right.now() + (${ms})
  globalThis.Date = new Proxy(right, {
    construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
    apply: (target) => new target(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
}`
}
