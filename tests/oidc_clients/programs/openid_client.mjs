// openid-client 6: prints where the browser goes, reads where it came back to, prints what it learned as JSON.
import * as readline from 'node:readline/promises'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLBACK } = process.env
const configuration = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET)
const verifier = client.randomPKCECodeVerifier()
const [nonce, state] = [client.randomNonce(), client.randomState()]
const url = await client.buildAuthorizationUrlWithPAR(configuration, {
  redirect_uri: CALLBACK,
  scope: 'openid email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  nonce,
  state
})
console.log(url.href)
const lines = readline.createInterface({ input: process.stdin })
const cameBack = (await lines[Symbol.asyncIterator]().next()).value
lines.close()
const tokens = await client.authorizationCodeGrant(configuration, new URL(cameBack), {
  pkceCodeVerifier: verifier,
  expectedNonce: nonce,
  expectedState: state,
  idTokenExpected: true
})
const claims = tokens.claims()
const userinfo = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token)
const told = await client.tokenIntrospection(configuration, refreshed.access_token)
await client.tokenRevocation(configuration, refreshed.refresh_token)
const after = await client.tokenIntrospection(configuration, refreshed.access_token)
const machine = await client.clientCredentialsGrant(configuration, { scope: 'orders:read' })
console.log(
  JSON.stringify({
    issuer: claims.iss,
    email: claims.email,
    userinfo: userinfo.email,
    active: told.active,
    active_after_revocation: after.active,
    machine: machine.token_type
  })
)
