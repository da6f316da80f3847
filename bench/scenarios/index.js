import { compression } from './compression.js'
import { create, createByTwo, manyTables, oneRow } from './create.js'
import { download } from './download.js'
import { footprint, largeValue } from './footprint.js'
import { host } from './host.js'
import { restore, restoreConstrained, restoreRelated } from './restore.js'
import { verify } from './verify.js'
/** @import { Scenario } from '../bench.js' */

/**
 * Restores come last: the first read of the rows that they write is slower, because it sets hint bits.
 * @type {Scenario[]}
 */
export const scenarios = [
  create, createByTwo, oneRow, manyTables, download, verify, footprint, largeValue, host, compression, restore,
  restoreConstrained, restoreRelated
]
