import { Compile } from 'typebox/compile'
import { SnapshotInvalid } from '../errors.ts'
import { ManifestSchema, type Manifest } from '../../types/index.ts'

/**
 * A snapshot file is one JSON object, UTF-8, a row a line:
 *
 *     {"manifest":{…}       ,
 *     "data":{
 *     "users":[
 *     {"id":"1","name":"Ada"},
 *     {"id":"2","name":"Bob"}
 *     ]
 *     }}
 *
 * The manifest stands first although its counts are known last: room is kept for the largest it can become, then it is written in
 * place and padded with spaces. Its checksum covers the data part, from the brace behind `"data":` to the one that closes it.
 */
export const formatVersion = 1
export const fileEnd = '}\n'
const beforeManifest = '{"manifest":'
const afterManifest = ',\n"data":'

/** The file's name: other characters of the schema's than letters, digits, hyphens and underscores are percent-encoded. Safe on every file system. */
export function snapshotFilename (schema: string, startedAt: Date): string {
  const name = Buffer.from(schema).toString('latin1').replaceAll(/[^A-Za-z0-9_-]/g, (character) =>
    `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
  return `${name}_${startedAt.toISOString().replaceAll(/[:.]/g, '-')}.json`
}

/** The manifest with the largest counts that there can be, to know how much room to keep. */
export function largestManifest (manifest: Manifest): Manifest {
  return {
    ...manifest,
    tables: manifest.tables.map((table) => ({ ...table, rows: Number.MAX_SAFE_INTEGER })),
    totalRows: Number.MAX_SAFE_INTEGER,
    checksum: `sha256:${'0'.repeat(64)}`
  }
}

/** Everything in front of the data part, padded to `size` bytes. */
export function encodeHead (manifest: Manifest, size = 0): Buffer {
  const json = beforeManifest + JSON.stringify(manifest)
  return Buffer.from(json + ' '.repeat(Math.max(0, size - Buffer.byteLength(json) - afterManifest.length)) + afterManifest)
}

const manifestValidator = Compile(ManifestSchema)

/** Reads a manifest's JSON. Throws FST_BACKUP_SNAPSHOT_INVALID, with the place of what is wrong. */
export function parseManifest (json: string): Manifest {
  const value = parseJson(json)
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
  if (typeof version === 'number' && version > formatVersion) {
    throw new SnapshotInvalid(`its format has version ${version}, and this release reads ${formatVersion}; update fastify-backup`)
  }
  if (!manifestValidator.Check(value)) {
    const place = manifestValidator.Errors(value)[0]?.instancePath
    throw new SnapshotInvalid(`the manifest is not valid at ${place || 'its root'}`)
  }
  checkUnique('table', value.tables)
  for (const table of value.tables) checkUnique(`column of ${JSON.stringify(table.name)}`, table.columns)
  return value
}

function parseJson (json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new SnapshotInvalid('the manifest is no JSON')
  }
}

function checkUnique (what: string, named: Array<{ name: string }>): void {
  const names = new Set<string>()
  for (const { name } of named) {
    if (names.has(name)) throw new SnapshotInvalid(`the manifest names a ${what} twice: ${JSON.stringify(name)}`)
    names.add(name)
  }
}
