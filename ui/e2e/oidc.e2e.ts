import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './axe';
import { openPage, picture, startBrowser, startServer, type Server } from './harness';

interface Provider {
  issuer: string;
  /** The groups of whoever logs in. */
  groups: string[];
  stop: () => Promise<void>;
}

/**
 * An identity provider that lets everybody in: discovery, the authorization code flow
 * with PKCE, and signed tokens. It is another site for the browser, as real ones are.
 */
async function startProvider(): Promise<Provider> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const codes = new Map<string, URLSearchParams>();
  const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const provider: Provider = {
    issuer: '',
    groups: ['traders'],
    stop: () => new Promise((done) => server.close(() => done())),
  };
  const token = (asked: URLSearchParams) => {
    const seconds = Math.floor(Date.now() / 1000);
    const text = `${base64({ alg: 'RS256', kid: '1' })}.${base64({
      iss: provider.issuer,
      sub: '42',
      aud: asked.get('client_id'),
      nonce: asked.get('nonce'),
      iat: seconds,
      exp: seconds + 60,
      preferred_username: 'ann',
      groups: provider.groups,
    })}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(privateKey, 'base64url')}`;
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', provider.issuer);
    const json = (body: unknown, status = 200) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (pathname === '/.well-known/openid-configuration')
      return json({
        issuer: provider.issuer,
        authorization_endpoint: `${provider.issuer}/authorize`,
        token_endpoint: `${provider.issuer}/token`,
        jwks_uri: `${provider.issuer}/keys`,
        id_token_signing_alg_values_supported: ['RS256'],
      });
    if (pathname === '/keys')
      return json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] });
    if (pathname === '/authorize') {
      const code = `code${codes.size}`;
      codes.set(code, searchParams);
      const back = new URL(searchParams.get('redirect_uri') ?? '');
      back.searchParams.set('code', code);
      back.searchParams.set('state', searchParams.get('state') ?? '');
      response.setHeader('Content-Type', 'text/html');
      return response.end(
        `<title>Who are you?</title><a href="${back.href.replaceAll('&', '&amp;')}">I am ann</a>`,
      );
    }
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const form = new URLSearchParams(body);
      const asked = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url');
      if (asked?.get('code_challenge') !== challenge) return json({ error: 'invalid_grant' }, 400);
      return json({ access_token: 'a', token_type: 'Bearer', id_token: token(asked) });
    });
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  provider.issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  return provider;
}

let provider: Provider;
let server: Server;
let browser: Browser;

beforeAll(async () => {
  provider = await startProvider();
  const config = `
web:
  oidc:
    name: the desk's accounts
    issuer: ${provider.issuer}
    client_id: hedgewatch
    client_secret: a-secret-of-this-test
    viewers: [traders]
    admins: [ops]
`;
  [server, browser] = await Promise.all([startServer({ config }), startBrowser()]);
});

afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

test('whoever the identity provider knows comes in, with the role of their groups, where they wanted to go', async () => {
  const { page } = await openPage(browser, server);
  await page.goto('/alerts?state=resolved');
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
  await picture(page, 'login-oidc');
  await page.getByRole('link', { name: "Log in with the desk's accounts" }).click();
  await page.getByRole('link', { name: 'I am ann' }).click();
  await page.getByRole('button', { name: 'ann' }).waitFor();
  expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/alerts?state=resolved');
  // A trader looks, and silences nothing.
  await page.goto('/silences');
  await page.getByText('Nothing is silenced').waitFor();
  expect(await page.getByRole('button', { name: 'New silence' }).count()).toBe(0);
  const [cookie] = await page.context().cookies();
  expect(cookie).toMatchObject({ httpOnly: true });

  await page.getByRole('button', { name: 'ann' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  provider.groups = ['ops'];
  await page.getByRole('link', { name: /^Log in with/ }).click();
  await page.getByRole('link', { name: 'I am ann' }).click();
  await page.getByRole('button', { name: 'New silence' }).waitFor();
});

test('whoever has no group that counts is told so', async () => {
  provider.groups = ['guests'];
  const { page } = await openPage(browser, server);
  await page.goto('/');
  await page.getByRole('link', { name: /^Log in with/ }).click();
  await page.getByRole('link', { name: 'I am ann' }).click();
  await page.getByRole('heading', { name: 'Log in to hedgewatch' }).waitFor();
  await page.getByText('user "ann" has no role here').waitFor();
  await picture(page, 'login-refused');
  expect(await seriousFindings(page)).toEqual([]);

  provider.groups = ['ops'];
  await page.getByRole('link', { name: /^Log in with/ }).click();
  await page.getByRole('link', { name: 'I am ann' }).click();
  await page.getByRole('button', { name: 'ann' }).waitFor();
  expect((await page.context().cookies()).map((c) => c.name)).not.toContain('hedgewatch_login_error');
});
