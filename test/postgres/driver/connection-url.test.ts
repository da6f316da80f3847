import t from 'tap'
import { type ConnectionUrl, readConnectionUrl } from '../../../lib/postgres/driver/connection-url.ts'

const read = (text: string): Pick<ConnectionUrl, 'url' | 'options'> => {
  const { url, options } = readConnectionUrl(text)
  return { url, options }
}
const optionsOf = (text: string): ConnectionUrl['options'] => readConnectionUrl(text).options

delete process.env.PGHOST

t.test('a URL without parameters of libpq is unchanged', async (t) => {
  for (const url of [
    'postgres://db', 'postgresql://ada:a%40b@db:5433/shop', 'postgres://one:1,two:2/shop',
    'postgres://[::1]:5433/shop?application_name=a&options=-c+jit%3Doff', 'postgres://a@b@db/shop'
  ]) t.strictSame(readConnectionUrl(url), { url, options: {}, encryption: new Map() })
})

t.test('parameters that control encryption are taken out, except empty ones', async (t) => {
  const { url, options, encryption } =
    readConnectionUrl('postgres://db/shop?sslmode=require&a=b&sslrootcert=system&sslkey=&gssencmode=disable')
  t.equal(url, 'postgres://db/shop?a=b')
  t.strictSame(options, {})
  t.strictSame([...encryption], [['sslmode', 'require'], ['sslrootcert', 'system'], ['gssencmode', 'disable']])
})

t.test('no parameter of libpq that protects the connection is sent to the server', async (t) => {
  const names = [
    'sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword', 'ssl_min_protocol_version',
    'ssl_max_protocol_version', 'sslcrl', 'sslcrldir', 'sslcertmode', 'sslcompression', 'sslsni', 'requiressl',
    'requirepeer', 'require_auth', 'channel_binding', 'gssencmode'
  ]
  t.strictSame(readConnectionUrl(`postgres://db?${names.map((name) => `${name}=1`).join('&')}`), {
    url: 'postgres://db', options: {}, encryption: new Map(names.map((name) => [name, '1']))
  })
})

t.test('parameters that replace parts of the URL become options, except empty ones', async (t) => {
  t.strictSame(read('postgres://db/x?host=h&port=5433&user=u&password=p&dbname=d'), {
    url: 'postgres://db/x', options: { host: 'h', port: 5433, user: 'u', password: 'p', database: 'd' }
  })
  t.strictSame(read('postgres://db/x?host=&port=&user=&password=&dbname=&a='), {
    url: 'postgres://db/x?a=', options: {}
  })
})

t.test('a socket may replace the host or be a parameter', async (t) => {
  t.strictSame(read('postgres://ada@%2Fvar%2frun:5433/shop'), {
    url: 'postgres://ada@localhost/shop', options: { host: '/var/run', port: 5433 }
  })
  t.strictSame(read('postgres://%2ftmp'), { url: 'postgres://localhost', options: { host: '/tmp' } })
  t.strictSame(read('postgres:///shop?host=/tmp'), { url: 'postgres://localhost/shop', options: { host: '/tmp' } })
  t.strictSame(optionsOf('postgres://%2Ftmp:5433?host=/run&port=5434'), { host: '/run', port: 5434 })
})

t.test('PGHOST is the host of a URL without one', async (t) => {
  process.env.PGHOST = '/run/pg'
  t.after(async () => { delete process.env.PGHOST })
  t.strictSame(read('postgres://ada@/shop'), { url: 'postgres://ada@localhost/shop', options: { host: '/run/pg' } })
  t.strictSame(optionsOf('postgres:///shop?host=db'), { host: 'db' })
  t.strictSame(optionsOf('postgres://db/shop'), {})
  t.strictSame(optionsOf('postgres://%2Ftmp/shop'), { host: '/tmp' })
})

t.test('a port is a number from 1 to 65535', async (t) => {
  t.strictSame(optionsOf('postgres://db?port=1'), { port: 1 })
  t.strictSame(optionsOf('postgres://db?port=65535'), { port: 65_535 })
  for (const port of ['0', '65536', '100000', '5432x', '-1', '5432,5433']) {
    t.throws(() => readConnectionUrl(`postgres://db?port=${port}`), { name: 'TypeError', message: 'not a port' }, port)
  }
  t.throws(() => readConnectionUrl('postgres://%2Ftmp:65536'), { name: 'TypeError', message: 'not a port' })
})

t.test('several hosts are valid, several sockets are not', async (t) => {
  t.strictSame(optionsOf('postgres:///shop?host=one,two'), { host: 'one,two' })
  t.throws(() => readConnectionUrl('postgres:///shop?host=/a,/b'), { name: 'TypeError', message: 'several sockets' })
})

t.test('other texts are not URLs', async (t) => {
  for (const text of ['', 'db', 'postgres:db', 'postgres:/db', '1://db', 'postgres://db/shop#a', ' postgres://db']) {
    t.throws(() => readConnectionUrl(text), { name: 'TypeError', message: 'not a URL' }, text)
  }
})
