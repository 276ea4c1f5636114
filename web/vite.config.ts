/**
 * Builds the console into web/dist: one page, one script, one style sheet, and the chart library as a chunk of its own
 * that only the tunnel page asks for. `vite` (npm run dev) hands /v1 on to a server named by PORTTUNNELER_API.
 */
import preact from '@preact/preset-vite'
import tailwind from '@tailwindcss/vite'
import { defineConfig } from 'vite'

const isBuild = process.argv.includes('build')
// A build is for users also when a test asks for it: NODE_ENV=test would give larger code with paths of this machine.
if (isBuild) process.env.NODE_ENV = 'production'

const api = process.env.PORTTUNNELER_API ?? 'http://localhost:8400'

export default defineConfig({
  root: import.meta.dirname,
  logLevel: isBuild ? 'warn' : 'info',
  plugins: [preact(), tailwind()],
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
