/** How the values of a column, or the elements of an array, are written. */
export const enum Kind { text, number, boolean, jsonb, array }

/** The description of a column, which the host writes into memory. */
@unmanaged
export class Column {
  kind: u8
  /** Of an array. */
  element: u8
  /** Of an array. */
  delimiter: u8
  /** Of rows-to-copy.ts: the value is read and not written. */
  isSkipped: bool
  /** Address and size of `,"name":`. */
  key: usize
  keySize: u32
}
