import type { Manifest, Origin } from '../../types/index.ts'

/** In UTF-16 code units. A manifest may have texts of any length. */
const maxLength = 200

/** What the log keeps of the manifest of an import. */
export const originOf = ({ id, createdAt, database, postgres }: Manifest): Origin => ({
  id,
  createdAt: new Date(createdAt).toISOString(),
  database: database.slice(0, maxLength),
  postgres: postgres.slice(0, maxLength)
})
