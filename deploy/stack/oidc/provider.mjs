// An OIDC provider for development and tests: real discovery, keys, signatures and grants, with
// Keycloak's claims. Never for production: with the client's secret, the grant below gives a token
// for any user with any role.
//
// Environment: PORT, AUDIENCE, CLIENT_ID, CLIENT_SECRET.

import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const { PORT, AUDIENCE, CLIENT_ID, CLIENT_SECRET } = process.env;
const ISSUER = `http://127.0.0.1:${PORT}`;
const TOKEN_SECONDS = 3600;

// Grant: a token for a named user. Parameters besides `scope`: `sub`; `user_claims`, a JSON object
// that is merged into the token; `audience`; `lifetime` in seconds, negative for an expired token;
// `alg`, RS256 or ES256.
const USER_GRANT = 'urn:eventify:development:user';
const USER_PARAMETERS = ['scope', 'sub', 'user_claims', 'audience', 'lifetime', 'alg'];

const SCOPES = [
  'event:read', 'event:write', 'inventory:hold', 'reservation:write', 'order:read', 'order:write',
  'payment:write', 'ticket:read', 'ticket:checkin', 'notification:write', 'support:write',
];

function signingKey(kid, alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

function resourceServer(audience, scope, alg = 'RS256') {
  return {
    audience,
    scope,
    accessTokenFormat: 'jwt',
    accessTokenTTL: TOKEN_SECONDS,
    jwt: { sign: { alg } },
    identifier: () => audience,
  };
}

const provider = new Provider(ISSUER, {
  jwks: {
    keys: [
      signingKey('dev-rs256', 'RS256', 'rsa', { modulusLength: 2048 }),
      signingKey('dev-es256', 'ES256', 'ec', { namedCurve: 'P-256' }),
    ],
  },
  clients: [{
    client_id: CLIENT_ID,
    client_secret: CLIENT_SECRET,
    grant_types: ['client_credentials', USER_GRANT],
    response_types: [],
    redirect_uris: [],
    scope: SCOPES.join(' '),
  }],
  scopes: SCOPES,
  ttl: { AccessToken: TOKEN_SECONDS, ClientCredentials: TOKEN_SECONDS },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // The name must be a URI (RFC 8707), the audience in the token not.
      defaultResource: () => `urn:${AUDIENCE}`,
      getResourceServerInfo: () => resourceServer(AUDIENCE, SCOPES.join(' ')),
    },
  },
  extraTokenClaims: (ctx) => {
    const { user_claims: claims } = ctx.oidc.params;
    return { azp: CLIENT_ID, ...(claims ? JSON.parse(claims) : {}) };
  },
  formats: {
    customizers: {
      jwt: (ctx, _token, { payload }) => {
        const { lifetime } = ctx.oidc.params;
        if (lifetime === undefined) return;
        payload.exp = payload.iat + Number(lifetime);
        payload.iat = Math.min(payload.iat, payload.exp - 1);
      },
    },
  },
});

provider.registerGrantType(USER_GRANT, async (ctx) => {
  const { client, params } = ctx.oidc;
  const token = new provider.AccessToken({
    accountId: params.sub,
    client,
    gty: 'development_user',
    scope: params.scope,
    resourceServer: resourceServer(params.audience ?? AUDIENCE, params.scope, params.alg),
  });
  ctx.body = {
    access_token: await token.save(),
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope: params.scope,
  };
}, USER_PARAMETERS);

provider.on('server_error', (_ctx, error) => console.error(error));
provider.on('grant.error', (_ctx, error) => console.error(error.message, error.error_description));
provider.listen(Number(PORT), '127.0.0.1');
