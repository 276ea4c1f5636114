/** The version of this package, as npm knows it. */
import manifest from './package.json' with { type: 'json' }

export const version: string = manifest.version
