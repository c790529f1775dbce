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

export default defineConfig({
  root: import.meta.dirname,
  // Paths that hold in the app, which serves the window from a scheme of its own.
  base: './',
  plugins: [svelte(), noForeignAddress()],
  build: {
    target: 'es2022',
    // Nothing inline: the window's content security policy allows files of its own only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  preview: { host: '127.0.0.1', port: 0, headers: { 'content-security-policy': POLICY } },
  server: { host: '127.0.0.1', port: 5273 },
});
