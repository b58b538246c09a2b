// openid-client 6 with DPoP (RFC 9449): prints where the browser goes, reads where it came back to, prints JSON.
import * as readline from 'node:readline/promises'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, CALLBACK } = process.env
const configuration = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET)
const DPoP = client.getDPoPHandle(configuration, await client.randomDPoPKeyPair('ES256'))
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const parameters = {
  redirect_uri: CALLBACK,
  scope: 'openid email',
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state
}
const url = await client.buildAuthorizationUrlWithPAR(configuration, parameters, { DPoP })
console.log(url.href)
const lines = readline.createInterface({ input: process.stdin })
const cameBack = (await lines[Symbol.asyncIterator]().next()).value
lines.close()
const checks = { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true }
const tokens = await client.authorizationCodeGrant(configuration, new URL(cameBack), checks, undefined, { DPoP })
const userinfo = await client.fetchUserInfo(configuration, tokens.access_token, tokens.claims().sub, { DPoP })
const refreshed = await client.refreshTokenGrant(configuration, tokens.refresh_token, undefined, { DPoP })
const machine = await client.clientCredentialsGrant(configuration, { scope: 'orders:read' }, { DPoP })
const told = await client.tokenIntrospection(configuration, machine.access_token)
const stolen = await fetch(configuration.serverMetadata().userinfo_endpoint, {
  headers: { authorization: `Bearer ${refreshed.access_token}` } // what a thief without the key can send
})
console.log(
  JSON.stringify({
    types: [tokens, refreshed, machine].map((each) => each.token_type.toLowerCase()),
    thumbprint: told.cnf.jkt === (await DPoP.calculateThumbprint()),
    userinfo: userinfo.email,
    stolen: stolen.status
  })
)
