import { ArgumentInvalid } from '../errors.ts'

/** Where a page of the list ends: the place of its last row in the order of the list. */
export interface Cursor { startedAt: string, id: string }

export const encodeCursor = ({ startedAt, id }: Cursor): string => Buffer.from(`${startedAt} ${id}`).toString('base64url')

/** Throws FST_BACKUP_ARGUMENT_INVALID for anything that encodeCursor() did not make. */
export function decodeCursor (text: string): Cursor {
  const [startedAt = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ')
  const cursor = { startedAt, id }
  const isOurs = /^[1-9]\d{3}-\d\d-\d\dT[\d:.]+Z$/.test(startedAt) && !Number.isNaN(Date.parse(startedAt)) &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) && encodeCursor(cursor) === text
  if (!isOurs) throw new ArgumentInvalid('before must be the next of a page before')
  return cursor
}
