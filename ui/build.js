// @ts-check
// node ui/build.js
//
// Bundles the admin page into dist/ui/: script, style and icon under names with a hash of their contents, each also
// compressed, and files.json, which tells the library their names.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = new URL('../', import.meta.url)
const output = new URL('dist/ui/', root)

const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(root),
  entryPoints: { page: 'ui/src/main.ts', style: 'ui/style/page.css' },
  outdir: 'dist/ui',
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  tsconfig: 'ui/tsconfig.json',
  // package.json says that the modules of the library have no side effects; those of the page define elements
  ignoreAnnotations: true,
  legalComments: 'eof',
  logLevel: 'warning'
})

mkdirSync(output, { recursive: true })
// The folder also has compiled sources that tests import
for (const file of readdirSync(output, { withFileTypes: true })) {
  if (file.isFile()) rmSync(new URL(file.name, output))
}

/**
 * @param {string} ending
 * @returns {Uint8Array}
 */
function built (ending) {
  const file = outputFiles.find(({ path }) => path.endsWith(ending))
  if (file === undefined) throw new Error(`esbuild made no ${ending} file`)
  return file.contents
}

/**
 * @param {string} name
 * @param {string} contentType
 * @param {Uint8Array} contents
 */
function publish (name, contentType, contents) {
  const hash = createHash('sha256').update(contents).digest('base64url').slice(0, 12)
  const hashed = name.replace('.', `-${hash}.`)
  const brotli = brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  writeFileSync(new URL(hashed, output), contents)
  writeFileSync(new URL(`${hashed}.br`, output), brotli)
  writeFileSync(new URL(`${hashed}.gz`, output), gzipSync(contents, { level: 9 }))
  return { name: hashed, contentType }
}

writeFileSync(new URL('files.json', output), JSON.stringify({
  script: publish('page.js', 'text/javascript; charset=utf-8', built('.js')),
  style: publish('page.css', 'text/css; charset=utf-8', built('.css')),
  icon: publish('icon.svg', 'image/svg+xml', readFileSync(new URL('ui/icon.svg', root)))
}))
