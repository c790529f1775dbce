// An OIDC provider for development and tests: real discovery, keys, signatures and grants, with
// Keycloak's claims. Never for production: with the client's secret, the grant below gives a token
// for any user with any role, and who signs in on a device of their own (RFC 8628) is whoever they say.
//
// Environment: PORT, AUDIENCE, CLIENT_ID, CLIENT_SECRET, DEVICE_CLIENT_ID.

import { generateKeyPairSync } from 'node:crypto';
import { Provider } from 'oidc-provider';

const { PORT, AUDIENCE, CLIENT_ID, CLIENT_SECRET, DEVICE_CLIENT_ID } = process.env;
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
  }, {
    client_id: DEVICE_CLIENT_ID,
    application_type: 'native',
    token_endpoint_auth_method: 'none',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
    response_types: [],
    redirect_uris: [],
    scope: 'openid',
  }],
  scopes: ['openid', ...SCOPES],
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  ttl: { AccessToken: TOKEN_SECONDS, ClientCredentials: TOKEN_SECONDS },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      // The name must be a URI (RFC 8707), the audience in the token not.
      defaultResource: () => `urn:${AUDIENCE}`,
      useGrantedResource: () => true,
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

// In place of a sign-in page: the page of the device flow asks who it is to be, and takes the answer.
const PAGE = (code) => `<!DOCTYPE html><meta charset="utf-8"><title>Sign in</title>
<form action="/device/answer"><p>Code <input name="user_code" value="${code}" required>
<p>I am <input name="sub" required autofocus>
<p><button>Yes, this is me</button> <button name="denied" value="yes" formnovalidate>No</button></form>`;

async function answer({ user_code: text = '', sub = '', denied }) {
  const code = await provider.DeviceCode.findByUserCode(text.toUpperCase().replace(/\W/g, ''));
  if (!code || code.isExpired || code.accountId || code.error) return [404, 'There is no such code.'];
  if (denied) {
    Object.assign(code, { error: 'access_denied', errorDescription: 'they said no' });
  } else if (sub === '') {
    return [400, 'Say who you are.'];
  } else {
    const resource = `urn:${AUDIENCE}`;
    const grant = new provider.Grant({ accountId: sub, clientId: code.clientId });
    grant.addOIDCScope('openid');
    grant.addResourceScope(resource, SCOPES.join(' '));
    const authTime = Math.floor(Date.now() / 1000);
    Object.assign(code, { accountId: sub, authTime, grantId: await grant.save(), resource, scope: 'openid' });
  }
  await code.save();
  return [200, 'Done. You can close this page.'];
}

provider.use(async (ctx, next) => {
  if (ctx.path === '/device') {
    ctx.type = 'html';
    ctx.body = PAGE(String(ctx.query.user_code ?? '').replace(/[^\w-]/g, ''));
  } else if (ctx.path === '/device/answer') {
    [ctx.status, ctx.body] = await answer(ctx.query);
  } else {
    await next();
  }
});

provider.on('server_error', (_ctx, error) => console.error(error));
provider.on('grant.error', (_ctx, error) => console.error(error.message, error.error_description));
provider.listen(Number(PORT), '127.0.0.1');
