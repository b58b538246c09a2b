// openid-client 6 registers itself (RFC 7591), then signs in: prints where the browser goes, reads where it came back to.
import * as readline from 'node:readline/promises'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLBACK } = process.env
const registrar = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET)
const initial = await client.clientCredentialsGrant(registrar)
const configuration = await client.dynamicClientRegistration(
  new URL(ISSUER),
  { client_name: 'Invoices', redirect_uris: [CALLBACK], grant_types: ['authorization_code', 'refresh_token'] },
  undefined,
  { initialAccessToken: initial.access_token }
)
const registered = configuration.clientMetadata()
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const url = client.buildAuthorizationUrl(configuration, {
  redirect_uri: CALLBACK,
  scope: 'openid email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state
})
console.log(url.href)
const lines = readline.createInterface({ input: process.stdin })
const cameBack = (await lines[Symbol.asyncIterator]().next()).value
lines.close()
const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(configuration, new URL(cameBack), checks)
const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token)
const userinfo = await client.fetchUserInfo(configuration, refreshed.access_token, tokens.claims().sub)
const authorization = `Bearer ${registered.registration_access_token}`
const manage = (method) => fetch(registered.registration_client_uri, { method, headers: { authorization } })
const [read, deleted, after] = [await manage('GET'), await manage('DELETE'), await manage('GET')]
console.log(
  JSON.stringify({
    name: (await read.json()).client_name,
    userinfo: userinfo.email,
    statuses: [read.status, deleted.status, after.status]
  })
)
