import { ArgumentInvalid } from '../errors.ts'

/** Where a page of the list ends: the place of its last row in the order of the list. */
export interface Cursor { ordinal: string, id: string }

export const encodeCursor = ({ ordinal, id }: Cursor): string => Buffer.from(`${ordinal} ${id}`).toString('base64url')

/** Throws FST_BACKUP_ARGUMENT_INVALID for anything that encodeCursor() did not make. */
export function decodeCursor (text: string): Cursor {
  const [ordinal = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ')
  const cursor = { ordinal, id }
  const isOurs = /^-?\d{1,18}$/.test(ordinal) &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) && encodeCursor(cursor) === text
  if (!isOurs) throw new ArgumentInvalid('before must be the next of a page before')
  return cursor
}
