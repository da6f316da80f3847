import { ArgumentInvalid } from '../errors.ts'

/** The end of a page: the values of its last row by which the list is sorted. */
export interface Cursor { ordinal: string, id: string }

export const encodeCursor = ({ ordinal, id }: Cursor): string => Buffer.from(`${ordinal} ${id}`).toString('base64url')

/** Throws FST_BACKUP_ARGUMENT_INVALID for any text that encodeCursor() does not return. */
export function decodeCursor (text: string): Cursor {
  const [ordinal = '', id = ''] = Buffer.from(text, 'base64url').toString().split(' ')
  const cursor = { ordinal, id }
  const isOurs = /^-?\d{1,18}$/.test(ordinal) &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) && encodeCursor(cursor) === text
  if (!isOurs) throw new ArgumentInvalid('before must be the next of the previous page')
  return cursor
}
