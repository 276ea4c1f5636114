import { describe, expect, test } from 'vitest'
import { formatUpstream } from './agent/upstream.ts'
import { chooseTunnels, parseConfig } from './config.ts'
import { portTunnels } from './port-range.ts'

const shown = (upstream: string, port?: string) =>
  portTunnels(upstream, port).map((one) => `${one.port} ${formatUpstream(one.upstream)}`)
const config = (...lines: readonly string[]) =>
  parseConfig(`version: 1\ntunnels:\n${lines.map((line) => `  ${line}\n`).join('')}`, 'ptun.yaml')

describe('port ranges', () => {
  test.each<[upstream: string, port: string | undefined, tunnels: readonly string[]]>([
    ['5432', undefined, ['undefined localhost:5432']],
    ['5432', '20100', ['20100 localhost:5432']],
    [
      '30100-30102',
      '20100-20102',
      ['20100 localhost:30100', '20101 localhost:30101', '20102 localhost:30102'],
    ],
    ['my-host:1-2', '7-8', ['7 my-host:1', '8 my-host:2']],
    ['[::1]:1-2', '7-8', ['7 [::1]:1', '8 [::1]:2']],
    ['db:5432', '7-8', ['7 db:5432', '8 db:5432']],
    ['unix:/run/a-1.sock', '7-8', ['7 unix:/run/a-1.sock', '8 unix:/run/a-1.sock']],
    ['9-9', '7-7', ['7 localhost:9']],
  ])('%s at %s', (upstream, port, tunnels) => {
    expect(shown(upstream, port)).toEqual(tunnels)
  })

  test.each<[upstream: string, port: string | undefined, message: string]>([
    ['1-3', undefined, 'needs a range of public ports'],
    ['1-3', '7-8', '3 upstreams do not fit 2 public ports'],
    ['1-3', '7', '3 upstreams do not fit 1 public ports'],
    ['1', '8-7', 'ends before it begins'],
    ['1', '7-', '"" is not a port'],
    ['1', '7-8-9', 'is not a range'],
    ['1', '0-8', '"0" is not a port'],
    ['1', '65535-65536', '"65536" is not a port'],
    ['1', '1-65535', 'at most 500 tunnels'],
    ['70000-70001', '7-8', '"70000" is not a port'],
    ['1', 'seven', '"seven" is not a port'],
  ])('%s at %s is refused', (upstream, port, message) => {
    expect(() => shown(upstream, port)).toThrow(message)
  })

  test('an entry of ptun.yaml makes a tunnel for each port, and its name means all of them', () => {
    const read = config(
      'ftp: {kind: tcp, upstream: 30100-30101, port: 20100-20101}',
      'web: {kind: http, upstream: 1}',
    )
    expect(read.tunnels.map(({ name, port }) => [name, port])).toEqual([
      ['ftp-20100', 20_100],
      ['ftp-20101', 20_101],
      ['web', undefined],
    ])
    expect(chooseTunnels(read, ['ftp']).map(({ name }) => name)).toEqual(['ftp-20100', 'ftp-20101'])
    expect(chooseTunnels(read, ['ftp-20101']).map(({ name }) => name)).toEqual(['ftp-20101'])
  })

  test.each<[lines: readonly string[], message: string]>([
    [
      ['ftp: {kind: tcp, upstream: 1-3, port: 7-8}'],
      'ptun.yaml:3:30 tunnel ftp, upstream: 3 upstreams do not fit',
    ],
    [['ftp: {kind: tcp, upstream: 1, port: 8-7}'], 'ptun.yaml:3:39 tunnel ftp, port: "8-7" ends before'],
    [
      ['ftp: {kind: tcp, upstream: 1, port: [7]}'],
      'tunnel ftp, port: a port or a range of ports is expected',
    ],
    [
      ['ftp: {kind: tcp, upstream: 1, port: 7-8}', 'ftp-7: {kind: tcp, upstream: 1}'],
      '"ftp-7" is there twice',
    ],
    [[`${'a'.repeat(39)}: {kind: tcp, upstream: 1, port: 7-8}`], 'at most 40'],
    [
      ['a: {kind: tcp, upstream: 1, port: 1-300}', 'b: {kind: tcp, upstream: 1, port: 301-600}'],
      'at most 500',
    ],
    [['web: {kind: http, upstream: 1-3}'], 'tunnel web, upstream'],
  ])('%s is refused with its place', (lines, message) => {
    expect(() => config(...lines)).toThrow(message)
  })
})
