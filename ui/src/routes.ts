/** What the part of the address behind # selects. */
export type Route =
  { page: 'overview', schema: string } |
  { page: 'snapshots', filter: SnapshotFilter } |
  { page: 'snapshot', id: string } |
  { page: 'unknown' }

/** Dates are days in the zone of the reader, `2026-11-27`; an empty text is no restriction. */
export interface SnapshotFilter { schema: string, status: string, trigger: string, from: string, to: string }

export const noFilter: SnapshotFilter = { schema: '', status: '', trigger: '', from: '', to: '' }

export function parseRoute (hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  const query = new URLSearchParams(search)
  if (path === '') return { page: 'overview', schema: query.get('schema') ?? '' }
  const [first, id, ...rest] = path.split('/')
  if (first !== 'snapshots' || rest.length > 0) return { page: 'unknown' }
  // Anything else could make an address of another route, or of another host
  if (id !== undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return { page: 'snapshot', id }
  if (id !== undefined && id !== '') return { page: 'unknown' }
  const names = Object.keys(noFilter) as Array<keyof SnapshotFilter>
  return {
    page: 'snapshots',
    filter: { ...noFilter, ...Object.fromEntries(names.map((name) => [name, query.get(name) ?? ''])) }
  }
}

export function snapshotsHref (filter: Partial<SnapshotFilter> = {}): string {
  const given = Object.entries(filter).filter(([, value]) => value !== '')
  const search = new URLSearchParams(given).toString()
  return `#/snapshots${search === '' ? '' : `?${search}`}`
}

export const snapshotHref = (id: string): string => `#/snapshots/${id}`
