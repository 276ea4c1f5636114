/**
 * Builds the page of the agent's inspector into web/inspector/dist, from which it goes into the package of ptun
 * (cli/build.ts). It shares parts and tokens with the console. `vite -c inspector/vite.config.ts` hands /api on to an
 * inspector that runs.
 */
import { join } from 'node:path'
import preact from '@preact/preset-vite'
import tailwind from '@tailwindcss/vite'
import { defineConfig, type Plugin } from 'vite'
import { noticesOf } from '../../packaging/materials.ts'

const isBuild = process.argv.includes('build')
if (isBuild) process.env.NODE_ENV = 'production'

/** The notices of what is inside, as its licences want. */
function notices(): Plugin {
  return {
    name: 'notices',
    apply: 'build',
    generateBundle(_options, bundle) {
      const chunks = Object.values(bundle).filter((file) => file.type === 'chunk')
      const source = noticesOf(chunks.flatMap(({ moduleIds }) => moduleIds))
      this.emitFile({ type: 'asset', fileName: 'third-party.txt', source })
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  publicDir: join(import.meta.dirname, '../public'),
  logLevel: isBuild ? 'warn' : 'info',
  plugins: [preact(), tailwind(), notices()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    target: 'es2023',
  },
  server: { proxy: { '/api': process.env.PTUN_INSPECTOR ?? 'http://127.0.0.1:4040' } },
})
