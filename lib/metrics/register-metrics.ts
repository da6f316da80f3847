import type { BackupMetrics, BackupService, SchemaMetrics } from '../../types/index.ts'

interface Settings<Registry> {
  name: string
  help: string
  labelNames: string[]
  registers: Registry[]
  collect: () => Promise<void>
}

interface GaugeLike {
  set: (labels: Record<string, string>, value: number) => void
  reset: () => void
  remove: () => void
}

interface CounterLike {
  inc: (labels: Record<string, string>, value: number) => void
  reset: () => void
}

/** prom-client, or a package with the same classes. */
export interface MetricsClient<Registry> {
  Gauge: new (settings: Settings<Registry>) => GaugeLike
  Counter: new (settings: Settings<Registry>) => CounterLike
  register: Registry
}

export interface MetricsOptions<Registry> {
  /** @defaultValue the default registry of the client */
  registry?: Registry
  /** @defaultValue 'fastify_backup_' */
  prefix?: string
  /** How long a scrape waits for the database, in milliseconds. @defaultValue 5000 */
  timeoutMs?: number
}

type PerSchema = [name: string, help: string, value: (metrics: SchemaMetrics) => number | null]

const seconds = (time: string | null): number | null => time === null ? null : Date.parse(time) / 1000

const perSchema: PerSchema[] = [
  ['last_success_timestamp_seconds', 'End of the newest completed backup',
    ({ lastSuccessAt }) => seconds(lastSuccessAt)],
  ['last_run_success', 'Whether the last run succeeded', ({ lastRunSucceeded: ok }) => ok === null ? null : Number(ok)],
  ['last_duration_seconds', 'Duration of the newest completed backup',
    ({ lastDurationMs: ms }) => ms === null ? null : ms / 1000],
  ['last_size_bytes', 'Size of the newest completed backup', ({ lastSizeBytes }) => lastSizeBytes],
  ['last_rows', 'Rows of the newest completed backup', ({ lastRows }) => lastRows],
  ['last_verified_timestamp_seconds', 'When a snapshot was last found intact',
    ({ lastVerifiedAt }) => seconds(lastVerifiedAt)],
  ['stored_bytes', 'Size of all snapshots', ({ storedBytes }) => storedBytes],
  ['suspects', 'Whether the newest full snapshot is suspect and waits for a decision', ({ suspects }) => suspects]
]

/**
 * Registers metrics of the backups of all replicas. Each scrape reads them from the log once. While the log cannot be
 * read, `up` is 0 and there are no other samples; the scrape does not fail.
 * @param backup `fastify.backup`
 * @param client the module prom-client
 * @throws what the client throws when a name is registered already
 */
export function registerMetrics<Registry> (
  backup: Pick<BackupService, 'metrics'>, client: MetricsClient<Registry>, options: MetricsOptions<Registry> = {}
): void {
  const { registry = client.register, prefix = 'fastify_backup_', timeoutMs = 5000 } = options
  const read = createSharedReader(backup, timeoutMs)
  const settings = (name: string, help: string, labelNames: string[], fill: (metrics: BackupMetrics | null) => void) =>
    ({
      name: prefix + name, help, labelNames, registers: [registry], collect: async () => { fill(await read()) }
    })

  const up = new client.Gauge(settings('up', 'Whether the log of the backups could be read', [], (metrics) => {
    up.set({}, metrics === null ? 0 : 1)
  }))
  for (const [name, help, value] of perSchema) {
    const gauge = new client.Gauge(settings(name, help, ['schema'], (metrics) => {
      gauge.reset()
      for (const found of metrics?.schemas ?? []) setUnlessNull(gauge, { schema: found.schema }, value(found))
    }))
  }
  const next = new client.Gauge(settings('next_slot_timestamp_seconds', 'Next slot of the schedule', [], (metrics) => {
    next.remove()
    setUnlessNull(next, {}, seconds(metrics?.nextSlotAt ?? null))
  }))
  const labelNames = ['schema', 'trigger', 'result']
  const runs = new client.Counter(settings('runs_total', 'Finished runs', labelNames, (metrics) => {
    runs.reset()
    for (const { count, ...labels } of metrics?.runs ?? []) runs.inc(labels, count)
  }))
}

function setUnlessNull (gauge: GaugeLike, labels: Record<string, string>, value: number | null): void {
  if (value !== null) gauge.set(labels, value)
}

/**
 * The metrics of one scrape ask at the same time and share the answer; null when there is none in time. While the
 * database does not answer, later scrapes wait for the same answer: they must not take the connections that a run needs
 * for the log.
 */
function createSharedReader (
  backup: Pick<BackupService, 'metrics'>, timeoutMs: number
): () => Promise<BackupMetrics | null> {
  let reading: Promise<BackupMetrics | null> | undefined

  async function read (): Promise<BackupMetrics | null> {
    const metrics = await backup.metrics().catch(() => null)
    reading = undefined
    return metrics
  }

  return async () => {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<null>((resolve) => { timer = setTimeout(resolve, timeoutMs, null) })
    const metrics = await Promise.race([reading ??= read(), tooLate])
    clearTimeout(timer)
    return metrics
  }
}
