import { CannotSnapshot } from '../errors.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import { type CatalogSequence, readSequenceStates } from '../postgres/sequences.ts'
import type { CatalogRelation, CatalogTable, ServerFacts } from '../postgres/catalog.ts'
import { describeWithoutMessage, duringCopyOf, isTooLarge, isUntranslatable } from '../postgres/database-error.ts'
import type { Transaction } from '../postgres/transaction.ts'
import type { BackupTrigger, Manifest, Progress } from '../../types/index.ts'
import { describeColumn } from './column-encoding.ts'
import { findUnfaithfulTable, unfaithfulText } from './faithful-text.ts'
import { formatVersion } from './format.ts'
import { relativeName } from './select-tables.ts'
import { openSnapshotWriter, type SnapshotWriter, type WrittenSnapshot } from './snapshot-writer.ts'

/** Plain data: what a snapshot is called, and where its file is written. */
export interface SnapshotIdentity {
  id: string
  schema: string
  trigger: BackupTrigger
  note: string | null
  /** The call itself leaves tables out. */
  partial: boolean
  /** ISO 8601. */
  createdAt: string
  /** Where the file grows; it is moved to the storage when it is whole. */
  spoolPath: string
}

export interface SnapshotContent { tables: CatalogTable[], sequences: CatalogSequence[], server: ServerFacts }

/** Milliseconds between two progress reports. */
const progressInterval = 250
/** The server parses them all before it runs the first. */
const statementsAtOnce = 100

/**
 * Copies the tables into a new file at `spoolPath`, all from the transaction's snapshot, or under its locks. After a failure there is
 * no file.
 */
export async function writeSnapshot (tx: Transaction, identity: SnapshotIdentity, content: SnapshotContent, onProgress: (progress: Progress) => void): Promise<WrittenSnapshot> {
  const { tables, server } = content
  const changing = await findUnfaithfulTable(tx, tables, server)
  if (changing !== undefined) throw new CannotSnapshot(`table ${changing} holds ${unfaithfulText(server)}`)
  const manifest: Omit<Manifest, 'checksum'> = {
    version: formatVersion,
    id: identity.id,
    schema: identity.schema,
    createdAt: identity.createdAt,
    trigger: identity.trigger,
    note: identity.note,
    ...identity.partial && { partial: true },
    database: server.database,
    postgres: server.version,
    tables: tables.map((table) => ({
      name: table.name,
      rows: 0,
      ...table.relations.length > 1 && { partitions: table.relations.filter(storesRows).map((relation) => relativeName(relation, identity.schema)) },
      columns: table.columns.map(describeColumn)
    })),
    sequences: await describeSequences(tx, content.sequences, identity.schema),
    totalRows: 0,
    totalTables: tables.length
  }
  const writer = await openSnapshotWriter(identity.spoolPath, manifest)
  try {
    const progress = createProgress(tables.length, onProgress)
    await copyTables(tx, tables, manifest, server, writer, progress.row)
    manifest.totalRows = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
    const written = await writer.finish(manifest)
    progress.end(written)
    return written
  } catch (error) {
    await writer.discard()
    throw error
  }
}

/**
 * Many tables in one round trip: it takes longer than to read a small one.
 */
async function copyTables (tx: Transaction, tables: CatalogTable[], manifest: Pick<Manifest, 'schema' | 'tables'>, server: ServerFacts, writer: SnapshotWriter, onRow: (table: string, tablesDone: number, bytes: number) => void): Promise<void> {
  /** The one that is being written; -1 before the first. */
  let current = -1
  /** The relation whose rows are awaited, until the first one comes. */
  let partition: string | undefined
  /** Ends it, and starts those that follow up to this one: a root without partitions is not read, and is in the file all the same. */
  function advance (index: number): void {
    while (current < index) {
      const ended = manifest.tables[current]
      if (ended !== undefined) ended.rows = writer.endTable()
      const next = manifest.tables[++current]
      if (next !== undefined) writer.startTable(next)
    }
  }
  const statements = tables.flatMap((table, index) => table.relations.filter(storesRows)
    .map((relation) => ({ text: copyStatement(relation, table), index, relation })))
  const filled = new Set<string>()
  for (let first = 0; first < statements.length; first += statementsAtOnce) {
    const batch = statements.slice(first, first + statementsAtOnce)
    await tx.copyOut(batch.map(({ text }) => text), {
      begin (statement) {
        const { index, relation } = batch[statement] as typeof batch[number]
        advance(index)
        partition = relativeName(relation, manifest.schema)
      },
      row (bytes, start, end) {
        if (partition !== undefined) filled.add(partition)
        partition = undefined
        onRow((tables[current] as CatalogTable).name, current, writer.bytes)
        return writer.writeRow(bytes, start, end)
      }
    }).catch((error: unknown) => {
      const table = tables[current]
      throw table === undefined ? error : unreadable(error, table, server) ?? duringCopyOf({ schema: manifest.schema, name: table.name }, error)
    })
  }
  advance(tables.length)
  for (const table of manifest.tables) {
    if (table.partitions !== undefined) table.partitions = table.partitions.filter((name) => filled.has(name))
  }
}

const storesRows = ({ kind }: CatalogRelation): boolean => kind !== 'p'

/** The root's columns by name: a partition may have them in another order. A table without columns takes no list. */
function copyStatement ({ schema, name, generates }: CatalogRelation, { columns }: CatalogTable): string {
  const source = qualifiedName(schema, name)
  const list = columns.map((column) => quoteIdentifier(column.name)).join(', ')
  if (generates.length > 0) return `COPY (SELECT ${list} FROM ONLY ${source}) TO STDOUT`
  return `COPY ${source}${list === '' ? '' : ` (${list})`} TO STDOUT`
}

function unreadable (error: unknown, { name }: CatalogTable, { encoding }: ServerFacts): Error | undefined {
  if (isUntranslatable(error)) return new CannotSnapshot(`table ${name} holds bytes that are no text in UTF-8 (the database's encoding is ${encoding})`)
  if (isTooLarge(error)) return new CannotSnapshot(`table ${name} holds a row that is too large to send: as text it exceeds 1 GB (${describeWithoutMessage(error)})`)
  return undefined
}

async function describeSequences (tx: Transaction, sequences: CatalogSequence[], home: string): Promise<Manifest['sequences']> {
  const unreadable = sequences.filter(({ used, readable }) => used && !readable)
  if (unreadable.length > 0) {
    throw new CannotSnapshot(unreadable.map(({ schema, name }) => `the role may not SELECT from the sequence ${schema}.${name}`).join('; '))
  }
  const stored = await readSequenceStates(tx, sequences.filter(({ readable }) => readable))
  return stored.map(({ schema, name, ownedBy, ownerSchema, lastValue, isCalled }) => ({
    name,
    ...schema !== home && { schema },
    ownedBy,
    ...ownerSchema !== null && ownerSchema !== home && { ownerSchema },
    lastValue,
    isCalled
  }))
}

/** What no table draws from may be the application's own. */
export function unreadSequences (sequences: CatalogSequence[]): string[] {
  return sequences.filter(({ used, readable }) => !used && !readable)
    .map(({ schema, name }) => `the role may not SELECT from the sequence ${schema}.${name}, so its value is not in this snapshot`)
}

function createProgress (tables: number, report: (progress: Progress) => void): { row: (table: string, tablesDone: number, bytes: number) => void, end: (written: WrittenSnapshot) => void } {
  let rows = 0
  let next = Date.now() + progressInterval
  return {
    row (table, tablesDone, bytes) {
      // A look at the clock for every row would show in the profile
      if ((++rows & 255) !== 0 || Date.now() < next) return
      next = Date.now() + progressInterval
      report({ phase: 'snapshot', table, tables, tablesDone, rows, bytes })
    },
    end ({ manifest, sizeBytes }) {
      report({ phase: 'snapshot', table: null, tables, tablesDone: tables, rows: manifest.totalRows, bytes: sizeBytes })
    }
  }
}
