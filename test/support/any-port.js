// Preloaded into the programs of the README: they listen on port 3000, which other tests and programs may use, too.

import { Server } from 'node:net'

const { listen } = Server.prototype

Server.prototype.listen = function (/** @type {any[]} */ ...args) {
  const [options, ...rest] = args
  return Reflect.apply(listen, this, [options?.port === 3000 ? { ...options, port: 0 } : options, ...rest])
}
