// oidc-provider, a certified OpenID provider: one client, and any user who types a name. Its development forms sign in.
import Provider from 'oidc-provider'

const { PORT, CLIENT_ID, CLIENT_SECRET, CALLBACK } = process.env
const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{ client_id: CLIENT_ID, client_secret: CLIENT_SECRET, redirect_uris: [CALLBACK] }],
  claims: { email: ['email', 'email_verified'], profile: ['given_name', 'family_name'] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      email: `${sub}@elsewhere.example.org`,
      email_verified: true,
      given_name: 'Grace',
      family_name: 'Hopper'
    })
  })
})
provider.listen(Number(PORT), '127.0.0.1')
