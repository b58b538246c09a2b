// openid-client 6 on a device (RFC 8628): prints where the user goes, waits for the decision, prints JSON.
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID } = process.env
const configuration = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, client.None())
const device = await client.initiateDeviceAuthorization(configuration, { scope: 'openid email' })
console.log(device.verification_uri_complete)
const tokens = await client.pollDeviceAuthorizationGrant(configuration, device)
const userinfo = await client.fetchUserInfo(configuration, tokens.access_token, tokens.claims().sub)
console.log(JSON.stringify({ userinfo: userinfo.email, code: device.user_code }))
