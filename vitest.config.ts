// `unit`: in a small imitation of a browser. `browser`: the built window in Chromium, one after the other.
// `driven`: the window in Chromium with the app behind it, as `make scanner-dev` has it; needs its program.

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [svelte({ configFile: 'scanner-app/ui/svelte.config.js' })],
        resolve: { conditions: ['browser'] },
        test: {
          name: 'unit',
          environment: 'happy-dom',
          include: ['protocol/web/tests/**/*.test.ts', 'scanner-app/ui/tests/unit/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'browser',
          environment: 'node',
          include: ['scanner-app/ui/tests/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'driven',
          environment: 'node',
          include: ['scanner-app/ui/tests/driven/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
