import { CannotSnapshot } from '../errors.ts'
import { qualifiedName, quoteIdentifier } from '../postgres/identifiers.ts'
import { type CatalogRelation, type CatalogTable, estimateRows, storesRows } from '../postgres/catalog/tables.ts'
import type { ServerFacts } from '../postgres/catalog/server.ts'
import type { CopyReader, MessageReader } from '../postgres/driver/copy-out.ts'
import { copyQueryOut, rangeStatements } from '../postgres/copy-query.ts'
import { describeWithoutMessage, duringCopyOf, isTooLarge, isUntranslatable } from '../postgres/database-error.ts'
import type { Transaction } from '../postgres/driver/transaction.ts'
import type { BackupTrigger, Manifest } from '../../types/index.ts'
import { copyRanges } from './copy-ranges.ts'
import { pageRange, type RelationRanges } from './plan-ranges.ts'
import { describeColumn } from '../snapshot/codec/column-encoding.ts'
import { findLossyTable, describeLossyText } from './lossy-text.ts'
import { formatVersion, type ManifestDraft } from '../snapshot/file-format.ts'
import { relativeName } from './select-tables.ts'
import { type Destination, sinkFor } from '../snapshot/open-sink.ts'
import type { OnPhaseProgress } from '../snapshot/phase-progress.ts'
import {
  type MessageWriter, openSnapshotWriter, type SnapshotWriter, type WrittenSnapshot
} from '../snapshot/snapshot-writer.ts'

/** Plain data: the properties of a snapshot, and where its file is written. */
export interface SnapshotIdentity extends Destination {
  id: string
  schema: string
  trigger: BackupTrigger
  note: string | null
  /** The call, and not the options, leaves tables out. */
  partial: boolean
  /** ISO 8601. */
  createdAt: string
}

export interface SnapshotContent {
  tables: CatalogTable[]
  /** See describeSequences(). */
  sequences: Manifest['sequences']
  server: ServerFacts
}

/** Milliseconds between two progress reports. */
const progressInterval = 250
/** The server parses all statements of a round trip before it runs the first. */
const statementsPerTrip = 100

/**
 * Copies the tables into a new file at `spoolPath`, from the transaction's snapshot and under its locks. A failure
 * deletes the file.
 * @param streams also read large tables; the file is the same
 */
export async function writeSnapshot (
  tx: Transaction, identity: SnapshotIdentity, content: SnapshotContent, onProgress: OnPhaseProgress,
  streams?: SnapshotStreams
): Promise<WrittenSnapshot> {
  const { tables, server } = content
  const changing = await findLossyTable(tx, tables, server)
  if (changing !== undefined) throw new CannotSnapshot(`table ${changing} contains ${describeLossyText(server)}`)
  const manifest = describeSnapshot(identity, content)
  const writer = await openSnapshotWriter(sinkFor(identity), manifest)
  try {
    const progress = createProgress(tables, onProgress)
    await copyTables(tx, tables, { manifest, server, writer, streams, onRows: progress.rows })
    manifest.totalRows = manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
    const written = await writer.finish(manifest)
    progress.end(written)
    return written
  } catch (error) {
    await writer.discard()
    throw error
  }
}

/** The manifest without the numbers of rows, which are known after the tables are copied. */
function describeSnapshot (
  identity: SnapshotIdentity, { tables, sequences, server }: SnapshotContent
): ManifestDraft {
  const partitionsOf = ({ relations }: CatalogTable): string[] =>
    relations.filter(storesRows).map((relation) => relativeName(relation, identity.schema))
  return {
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
      ...table.relations.length > 1 && { partitions: partitionsOf(table) },
      columns: table.columns.map(describeColumn)
    })),
    sequences,
    totalRows: 0,
    totalTables: tables.length
  }
}

interface CopyTarget {
  manifest: Pick<ManifestDraft, 'schema' | 'tables'>
  server: ServerFacts
  writer: SnapshotWriter
  streams: SnapshotStreams | undefined
  onRows: (table: string, tablesDone: number, rows: number, bytes: number) => void
}

/** Copies many tables in one round trip, which takes longer than reading a small table. */
async function copyTables (tx: Transaction, tables: CatalogTable[], target: CopyTarget): Promise<void> {
  const { manifest, server, streams } = target
  const copy = new TableCopy(tables, target)
  for (const trip of inRoundTrips(tables, streams)) {
    await copyOut(tx, trip, target, copy.readerOf(trip)).catch((error: unknown) => {
      const table = tables[copy.current]
      if (table === undefined) throw error
      throw unreadable(error, table, server) ?? duringCopyOf({ schema: manifest.schema, name: table.name }, error)
    })
  }
  copy.advance(tables.length)
  for (const table of manifest.tables) {
    if (table.partitions !== undefined) table.partitions = table.partitions.filter((name) => copy.filled.has(name))
  }
}

/** Writes the rows of all tables, in the order of the manifest. */
class TableCopy {
  /** The index of the table that is written; -1 before the first. */
  current = -1
  /** Relations with rows. */
  readonly filled = new Set<string>()
  /** The relation whose COPY has begun, until its first row arrives. */
  #partition: string | undefined
  readonly #tables: CatalogTable[]
  readonly #target: CopyTarget

  constructor (tables: CatalogTable[], target: CopyTarget) {
    this.#tables = tables
    this.#target = target
  }

  /**
   * Ends the current table and starts the following ones up to `index`: a root without partitions is not read, but
   * written.
   */
  advance (index: number): void {
    const { manifest, writer } = this.#target
    while (this.current < index) {
      const ended = manifest.tables[this.current]
      if (ended !== undefined) ended.rows = writer.endTable()
      const next = manifest.tables[++this.current]
      if (next !== undefined) writer.startTable(next)
    }
  }

  readerOf (trip: RelationToCopy[]): CopyReader {
    const { manifest, writer } = this.#target
    return {
      begin: (statement) => {
        const { index, relation } = trip[statement] as RelationToCopy
        this.advance(index)
        this.#partition = relativeName(relation, manifest.schema)
      },
      row: (bytes, start, end) => {
        this.#note(1)
        return writer.writeRow(bytes, start, end)
      },
      messages: writer.messages && this.#messagesOf(writer.messages)
    }
  }

  #messagesOf (messages: MessageWriter): MessageReader {
    return {
      take: (bytes, start, end) => {
        const { position, rows, written } = messages.write(bytes, start, end)
        if (rows > 0) this.#note(rows)
        return { position, taken: written }
      },
      drop: messages.drop
    }
  }

  /** Notes rows of the relation whose COPY has begun. */
  #note (rows: number): void {
    if (this.#partition !== undefined) this.filled.add(this.#partition)
    this.#partition = undefined
    const { name } = this.#tables[this.current] as CatalogTable
    this.#target.onRows(name, this.current, rows, this.#target.writer.bytes)
  }
}

/** Transactions with the same snapshot, and the ranges of the tables that they read together. */
export interface SnapshotStreams { further: Transaction[], ranges: RelationRanges }

/** A relation whose rows are read, and the index of its table. */
interface RelationToCopy { index: number, table: CatalogTable, relation: CatalogRelation }

const needsQuery = ({ table, relation }: RelationToCopy): boolean =>
  relation.generates.length > 0 || table.columns.some(({ generated }) => generated)

/** A relation that needs a query, or is read in ranges, has its own round trip. */
function inRoundTrips (tables: CatalogTable[], streams: SnapshotStreams | undefined): RelationToCopy[][] {
  const trips: RelationToCopy[][] = []
  let open: RelationToCopy[] | undefined
  const relations = tables.flatMap((table, index) =>
    table.relations.filter(storesRows).map((relation) => ({ index, table, relation })))
  for (const relation of relations) {
    const alone = needsQuery(relation) || streams?.ranges.has(relation.relation.oid) === true
    if (alone || open === undefined || open.length === statementsPerTrip) trips.push(open = [])
    open.push(relation)
    if (alone) open = undefined
  }
  return trips
}

async function copyOut (
  tx: Transaction, trip: RelationToCopy[], { server: { roleSettings }, streams }: CopyTarget, reader: CopyReader
): Promise<void> {
  const [{ relation, table }] = trip as [RelationToCopy]
  const ranges = streams?.ranges.get(relation.oid)
  if (streams !== undefined && ranges !== undefined) {
    const columns = table.columns.map(({ name }) => name)
    return await copyRanges([tx, ...streams.further], ranges.count, reader, (index) =>
      rangeStatements(roleSettings, relation, columns, pageRange(ranges, index)))
  }
  const queried = trip.find(needsQuery)
  if (queried === undefined) await tx.copyOut(trip.map(copyStatement), reader)
  else await copyQueryOut(tx, roleSettings, queried.relation, queried.table.columns.map(({ name }) => name), reader)
}

/** Lists the columns of the root: a partition may have them in another order. COPY accepts no empty list. */
function copyStatement ({ table: { columns }, relation: { schema, name } }: RelationToCopy): string {
  const list = columns.map((column) => quoteIdentifier(column.name)).join(', ')
  return `COPY ${qualifiedName(schema, name)}${list === '' ? '' : ` (${list})`} TO STDOUT`
}

function unreadable (error: unknown, { name }: CatalogTable, { encoding }: ServerFacts): Error | undefined {
  if (isUntranslatable(error)) {
    return new CannotSnapshot(`table ${name} contains bytes that are not UTF-8 text ` +
      `(the database's encoding is ${encoding})`)
  }
  if (isTooLarge(error)) {
    return new CannotSnapshot(`table ${name} contains a row that is too large to send: as text it exceeds 1 GB ` +
      `(${describeWithoutMessage(error)})`)
  }
  return undefined
}

interface ProgressReports { rows: CopyTarget['onRows'], end: (written: WrittenSnapshot) => void }

function createProgress (from: CatalogTable[], report: OnPhaseProgress): ProgressReports {
  const tables = from.length
  const rowsTotal = estimateRows(from)
  let rows = 0
  let next = 0
  return {
    rows (table, tablesDone, count, bytes) {
      const before = rows
      rows += count
      // Reading the clock for every row would take noticeable time
      if (Math.floor(before / 256) === Math.floor(rows / 256) || Date.now() < next) return
      next = Date.now() + progressInterval
      report({ phase: 'snapshot', table, tables, tablesDone, rows, rowsTotal, bytes, estimated: true })
    },
    end ({ manifest, sizeBytes }) {
      const { totalRows } = manifest
      report({
        phase: 'snapshot',
        table: null,
        tables,
        tablesDone: tables,
        rows: totalRows,
        rowsTotal: totalRows,
        bytes: sizeBytes,
        estimated: false
      })
    }
  }
}
