/**
 * Builds the console into web/dist: one page, one script, one style sheet with its font, and the chart library as a
 * chunk of its own that only the tunnel page asks for. `vite` (npm run dev) hands /v1 on to a server named by
 * PORTTUNNELER_API.
 */
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import preact from '@preact/preset-vite'
import tailwind from '@tailwindcss/vite'
import { defineConfig, type Plugin } from 'vite'
import { noticesOf, packagesOf } from '../packaging/materials.ts'
import { sbomOf } from '../packaging/sbom.ts'
import manifest from './package.json' with { type: 'json' }

const isBuild = process.argv.includes('build')
// A build is for users also when a test asks for it: NODE_ENV=test would give larger code with paths of this machine.
if (isBuild) process.env.NODE_ENV = 'production'

const api = process.env.PORTTUNNELER_API ?? 'http://localhost:8400'

const { resolve } = createRequire(import.meta.url)
/** What comes by the style sheet, in which a bundler sees one module of ours: Tailwind's own rules, and the font. */
const styles = ['tailwindcss', '@fontsource-variable/geist'].map((name) => resolve(`${name}/package.json`))

/** Writes what is inside: the notices beside the pages, and the bill of materials where nobody serves it. */
function materials(): Plugin {
  return {
    name: 'materials',
    apply: 'build',
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
      const modules = [...styles, ...chunks.flatMap(({ moduleIds }) => moduleIds)]
      this.emitFile({ type: 'asset', fileName: 'third-party.txt', source: noticesOf(modules) })
      const own = { name: 'porttunneler-console', version: manifest.version }
      writeFileSync(join(import.meta.dirname, 'sbom.cdx.json'), sbomOf(own, packagesOf(modules)))
    },
  }
}

/** The style sheet alone would ask for the font only when it has been read: too late for the first paint. */
function preloadFont(): Plugin {
  return {
    name: 'preload-font',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (_html, { bundle = {} }) =>
        Object.keys(bundle)
          .filter((file) => file.endsWith('.woff2'))
          .map((file) => ({
            tag: 'link',
            attrs: { rel: 'preload', href: `/${file}`, as: 'font', type: 'font/woff2', crossorigin: true },
            injectTo: 'head-prepend',
          })),
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  logLevel: isBuild ? 'warn' : 'info',
  plugins: [preact(), tailwind(), materials(), preloadFont()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // The one chunk loaded later needs no other: the helper that preloads would be dead weight.
    modulePreload: false,
    target: 'es2023',
  },
  server: { proxy: { '/v1': api } },
})
