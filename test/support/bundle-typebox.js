// Bundles typebox into dist/node_modules/, where the compiled tests find it before node_modules/.
//
// typebox consists of 700 small modules, whose loading takes 0.4 s of CPU, and the tests start some 400 processes.
// Nothing else uses the bundle: the package is built without it, and the tests of the package load typebox itself.

import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { projectRoot } from './project-root.js'

/** The modules of typebox that lib/, types/ and test/ import. */
const modules = ['index', 'compile', 'value']

/** Bundles typebox anew. */
export async function bundleTypebox () {
  const folder = new URL('dist/node_modules/typebox/', projectRoot)
  mkdirSync(folder, { recursive: true })
  await build({
    absWorkingDir: fileURLToPath(projectRoot),
    entryPoints: Object.fromEntries(modules.map((name) => [name, `typebox${subpath(name)}`])),
    outdir: fileURLToPath(folder),
    bundle: true,
    // The modules share settings and registries
    splitting: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'warning'
  })
  for (const name of modules) {
    const types = `../../../node_modules/typebox/build${subpath(name)}/index.d.mts`
    writeFileSync(new URL(`${name}.d.ts`, folder), `export * from '${types}'\nexport { default } from '${types}'\n`)
  }
  const exports = Object.fromEntries(modules.map((name) =>
    [`.${subpath(name)}`, { types: `./${name}.d.ts`, default: `./${name}.js` }]))
  writeFileSync(new URL('package.json', folder), JSON.stringify({ name: 'typebox', type: 'module', exports }, null, 2))
}

/** @param {string} name */
function subpath (name) {
  return name === 'index' ? '' : `/${name}`
}
