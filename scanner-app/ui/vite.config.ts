import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/**
 * The QR reader would fetch its WebAssembly from a public server if it were not told where the app's own is.
 * The app tells it; this takes the address out, so that the window holds no foreign address at all.
 */
function noForeignAddress(): Plugin {
  return {
    name: 'eventify:no-foreign-address',
    transform(code, id) {
      if (!id.includes('zxing-wasm')) return null;
      return code.replaceAll(/https:\/\/[a-z.]*jsdelivr\.net\//g, '/');
    },
  };
}

/** Whose work is part of the window, beside this repository's. */
const PARTS = ['@fontsource-variable/inter', '@tauri-apps/api', 'svelte', 'uqr', 'zxing-wasm'];

/** Their licences ask that their text comes along. */
function licences(): Plugin {
  const modules = join(import.meta.dirname, '../../node_modules');
  const text = (part: string): string => {
    const folder = join(modules, part);
    const files = readdirSync(folder).filter((file) => /^LICEN[CS]E/.test(file));
    if (files.length === 0) throw new Error(`${part} has no licence`);
    return [part, ...files.map((file) => readFileSync(join(folder, file), 'utf8').trim())].join('\n\n');
  };
  return {
    name: 'eventify:licences',
    generateBundle() {
      this.emitFile({
        type: 'asset',
        fileName: 'licences.txt',
        source: `${PARTS.map(text).join('\n\n---\n\n')}\n`,
      });
    },
  };
}

/** As in the app: what this does not allow does not run in the tests either. */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "object-src 'none'",
  "base-uri 'none'",
].join('; ');

/** Where `eventify-scanner-dev` listens. */
const HOST = process.env.EVENTIFY_SCANNER_DEV ?? 'http://127.0.0.1:5274';

export default defineConfig({
  root: import.meta.dirname,
  // Paths that hold in the app, which serves the window from a scheme of its own.
  base: './',
  plugins: [svelte(), noForeignAddress(), licences()],
  build: {
    target: 'es2022',
    // Nothing inline: the window's content security policy allows files of its own only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  preview: { host: '127.0.0.1', port: 0, headers: { 'content-security-policy': POLICY } },
  // `make scanner-dev`: the page's requests to the app go through here, with the origin and host of the page.
  server: { host: '127.0.0.1', port: 5273, strictPort: true, proxy: { '/host/': { target: HOST } } },
});
