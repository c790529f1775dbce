// `unit`: in a small imitation of a browser. `browser`: the built window in Chromium, one after the other.

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
    ],
  },
});
