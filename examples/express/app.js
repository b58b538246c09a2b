// An Express application that signs users in with Tessera, and learns from it what ends sessions and who is deleted.
// README.md has the environment variables. openid-client checks state, nonce and PKCE, and verifies ID tokens.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import cookieParser from 'cookie-parser'
import express from 'express'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as openid from 'openid-client'
import { Webhook } from 'standardwebhooks'

const REQUIRED = ['APPLICATION_URL', 'ISSUER', 'CLIENT_ID', 'CLIENT_SECRET', 'WEBHOOK_SECRET']
const missing = REQUIRED.filter((name) => !process.env[name])
if (missing.length) {
  console.error(`Set these environment variables, which README.md explains: ${missing.join(', ')}`)
  process.exit(1)
}
const { APPLICATION_URL, ISSUER, CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET } = process.env
const SESSION_MS = 8 * 3600 * 1000
const EVENT_MS = 31 * 24 * 3600 * 1000 // Tessera repeats no event that is older than 30 days
const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const RIGHTS_CHANGED = ['organisation_member_updated', 'organisation_member_removed']
const isHttps = APPLICATION_URL.startsWith('https://')
const [SESSION, SIGN_IN] = ['orders', 'orders_sign_in'].map((name) => (isHttps ? `__Host-${name}` : name))
// With sameSite strict, the sign-in's cookie would be missing on the way back from Tessera.
const COOKIE = { httpOnly: true, sameSite: 'lax', secure: isHttps, path: '/' }

process.umask(0o077) // the database is for the user of this process alone
const db = new DatabaseSync(process.env.DATABASE ?? 'application.sqlite3', { timeout: 10_000 })
db.exec('PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON') // overwrites what is deleted
db.exec(readFileSync(`${import.meta.dirname}/schema.sql`, 'utf8'))
const run = (statement, ...values) => db.prepare(statement).run(...values).changes

// Commits what `work` has written, or nothing when it throws.
function transaction(work) {
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

// Tessera as openid-client knows it, from the discovery document; asked again until it has answered once.
let discovered
async function tessera() {
  const local = ISSUER.startsWith('http://localhost:') || ISSUER.startsWith('http://127.0.0.1:')
  const execute = [openid.enableNonRepudiationChecks, ...(local ? [openid.allowInsecureRequests] : [])]
  const metadata = { client_secret: CLIENT_SECRET, id_token_signed_response_alg: 'ES256' }
  discovered ??= await openid.discovery(new URL(ISSUER), CLIENT_ID, metadata, undefined, { execute, timeout: 10 })
  return discovered
}

// The database has a hash of the cookie, so that a copy of it opens no session.
const identified = (cookie) => createHash('sha256').update(String(cookie)).digest('base64url')

// The open session of this browser with the name of its user.
function visitor(req) {
  const query = 'SELECT * FROM visitors WHERE id = ? AND expires_at > ?'
  return db.prepare(query).get(identified(req.cookies[SESSION]), Date.now())
}

const show = (res, user, problem = 'You are not signed in.') => res.render('index.ejs', { visitor: user, problem })
const app = express().disable('x-powered-by').disable('etag').set('views', `${import.meta.dirname}/views`)
app.use(cookieParser())
// `form-action` has Tessera too, because browsers apply it to the redirect after a logout.
const POLICY = `default-src 'none'; form-action 'self' ${ISSUER}; frame-ancestors 'none'; base-uri 'none'`
app.use((req, res, next) => {
  res.set({
    'Content-Security-Policy': POLICY,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin'
  })
  next()
})

app.get('/', (req, res) => show(res, visitor(req)))

// For signed-in users: what the application keeps of them.
app.get('/profile', (req, res) => {
  const user = visitor(req)
  if (!user) return res.redirect('/login')
  const { user_id, name, organisation, roles } = user
  res.json({ user_id, name, organisation, roles })
})

// Leads to Tessera, which asks members of several organisations for one, unless `?organization=acme` names it.
app.get('/login', async (req, res) => {
  const [state, nonce, verifier] = [openid.randomState(), openid.randomNonce(), openid.randomPKCECodeVerifier()]
  const url = openid.buildAuthorizationUrl(await tessera(), {
    redirect_uri: `${APPLICATION_URL}/callback`,
    scope: 'openid profile organization',
    state,
    nonce,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(req.query.organization && { organization: String(req.query.organization) })
  })
  res.cookie(SIGN_IN, { state, nonce, verifier }, { ...COOKIE, maxAge: 600_000 }).redirect(url.href)
})

app.get('/callback', async (req, res) => {
  const { state, nonce, verifier } = req.cookies[SIGN_IN] ?? {}
  res.clearCookie(SIGN_IN, COOKIE)
  let tokens
  try {
    if (!state || !nonce || !verifier) throw new Error('this browser has not begun to sign in')
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true }
    tokens = await openid.authorizationCodeGrant(await tessera(), new URL(req.originalUrl, APPLICATION_URL), checks)
  } catch (error) {
    console.warn('sign-in failed:', error.message)
    return show(res.status(400), null, 'The sign-in failed.')
  }
  const { sub, sid, name = '', org_id: organisation = '', org_name = '', roles = [] } = tokens.claims()
  const id = randomBytes(32).toString('base64url') // new at each sign-in: nobody can have planted it
  transaction(() => {
    run('DELETE FROM sessions WHERE id = ? OR expires_at < ?', identified(req.cookies[SESSION]), Date.now())
    run('INSERT INTO users VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name', sub, name)
    const rights = [organisation, org_name, roles.join(' ')]
    const row = [identified(id), sid, sub, ...rights, tokens.id_token, Date.now() + SESSION_MS]
    run('INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ...row)
  })
  res.cookie(SESSION, id, COOKIE).redirect('/')
})

// Ends the session here and at Tessera (OpenID Connect RP-Initiated Logout 1.0).
app.post('/logout', async (req, res) => {
  if (req.get('Origin') !== APPLICATION_URL) return res.sendStatus(403) // another site sent the form (CSRF)
  const user = visitor(req)
  res.clearCookie(SESSION, COOKIE)
  if (!user) return res.redirect(303, '/')
  run('DELETE FROM sessions WHERE id = ?', user.id)
  const back = { id_token_hint: user.id_token, post_logout_redirect_uri: `${APPLICATION_URL}/` }
  res.redirect(303, openid.buildEndSessionUrl(await tessera(), back).href)
})

// Ends what has ended at Tessera (OpenID Connect Back-Channel Logout 1.0, §2.6); again, it finds nothing to end.
let keys
app.post('/backchannel-logout', express.urlencoded({ extended: false, limit: '64kb' }), async (req, res) => {
  keys ??= createRemoteJWKSet(new URL((await tessera()).serverMetadata().jwks_uri))
  const requiredClaims = ['iss', 'aud', 'iat', 'exp', 'jti', 'sid', 'events']
  const checks = { issuer: ISSUER, audience: CLIENT_ID, typ: 'logout+jwt', algorithms: ['ES256'], clockTolerance: 60 }
  try {
    const { payload } = await jwtVerify(String(req.body?.logout_token), keys, { ...checks, requiredClaims })
    if (!payload.events[LOGOUT_EVENT] || 'nonce' in payload) throw new Error('this is no logout')
    run('DELETE FROM sessions WHERE sid = ?', payload.sid)
  } catch (error) {
    console.warn('logout token rejected:', error.message)
    return res.sendStatus(400)
  }
  res.sendStatus(200)
})

// An event may come twice, so its id is stored in the transaction of its effect; and in any order.
const webhook = new Webhook(WEBHOOK_SECRET)
app.post('/webhook', express.raw({ type: '*/*', limit: '64kb' }), (req, res) => {
  let event
  try {
    event = webhook.verify(req.body, req.headers) // the raw body, in constant time, and at most five minutes old
  } catch {
    return res.sendStatus(401)
  }
  const [user, organisation] = [String(event.data.user_id), String(event.data.organisation_id)]
  transaction(() => {
    run('DELETE FROM events WHERE received_at < ?', Date.now() - EVENT_MS)
    if (!run('INSERT OR IGNORE INTO events VALUES (?, ?)', event.id, Date.now())) return
    if (event.type === 'user_deleted') {
      run('DELETE FROM users WHERE id = ?', user) // sessions go by the foreign key
    } else if (RIGHTS_CHANGED.includes(event.type)) { // the next sign-in brings the rights of now
      run('DELETE FROM sessions WHERE user_id = ? AND organisation = ?', user, organisation)
    } else if (event.type === 'organisation_deleted') {
      run('DELETE FROM sessions WHERE organisation = ?', organisation)
    }
  })
  res.sendStatus(204)
})

// Without it, Express would show the stack to visitors.
app.use((error, req, res, next) => {
  console.error(error)
  res.sendStatus(error.status ?? 500)
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => db.close()))
