// @ts-check

/** @param {string} name */
function required (name) {
  const value = process.env[name]
  if (!value) throw new Error(`Set ${name}`)
  return value
}

export const settings = {
  databaseUrl: required('DATABASE_URL'),
  adminPassword: required('ADMIN_PASSWORD'),
  clerkPassword: required('CLERK_PASSWORD'),
  jwtSecret: required('JWT_SECRET'),
  sessionSecret: required('SESSION_SECRET'),
  /** The origin of the pages that may call the service from a browser. */
  pageOrigin: process.env.PAGE_ORIGIN ?? 'https://admin.example.com'
}
