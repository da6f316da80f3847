import { Compile } from 'typebox/compile'
import { SnapshotInvalid } from '../errors.ts'
import { ManifestSchema, type Manifest } from '../../types/index.ts'
import { formatVersion } from './file-format.ts'

const manifestValidator = Compile(ManifestSchema)

/** Parses a manifest's JSON. Throws FST_BACKUP_SNAPSHOT_INVALID with the path of the first invalid value. */
export function parseManifest (json: string): Manifest {
  const value = parseJson(json)
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined
  if (typeof version === 'number' && version > formatVersion) {
    throw new SnapshotInvalid(
      `its format has version ${version}, and this release reads ${formatVersion}; update fastify-backup`
    )
  }
  if (!manifestValidator.Check(value)) {
    throw new SnapshotInvalid(`the manifest is not valid at ${placeOf(manifestValidator.Errors(value)[0])}`)
  }
  checkUnique('table', value.tables)
  for (const table of value.tables) checkUnique(`column of ${JSON.stringify(table.name)}`, table.columns)
  return value
}

/** Where the first error is. It names absent keys, such as those that files of development versions lack. */
function placeOf (error: ReturnType<typeof manifestValidator.Errors>[number] | undefined): string {
  const path = error?.instancePath || 'its root'
  return error?.keyword === 'required' ? `${path}, which lacks ${error.params.requiredProperties.join(', ')}` : path
}

function parseJson (json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new SnapshotInvalid('the manifest is not JSON')
  }
}

function checkUnique (what: string, named: Array<{ name: string }>): void {
  const names = new Set<string>()
  for (const { name } of named) {
    if (names.has(name)) throw new SnapshotInvalid(`the manifest names a ${what} twice: ${JSON.stringify(name)}`)
    names.add(name)
  }
}
