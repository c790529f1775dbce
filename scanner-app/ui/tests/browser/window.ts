// The built window in a real browser, under the app's content security policy.

import { fileURLToPath } from 'node:url';

import { chromium, type Browser, type Page } from 'playwright-core';
import { preview, type PreviewServer } from 'vite';

import type { Settings } from '../../src/generated/Settings';

const UI = fileURLToPath(new URL('../..', import.meta.url));

export interface OpenWindow {
  page: Page;
  /** Texts of errors: of scripts, of the policy, of requests to elsewhere. */
  errors: string[];
  show(name: string, settings?: Partial<Settings>): Promise<void>;
  close(): Promise<void>;
}

async function serve(): Promise<{ server: PreviewServer; url: string }> {
  const server = await preview({ root: UI, configFile: `${UI}/vite.config.ts`, logLevel: 'error' });
  const url = server.resolvedUrls?.local[0];
  if (!url) throw new Error('the window is not served');
  return { server, url };
}

export async function open(
  query: string,
  args: string[] = [],
  permissions: string[] = [],
): Promise<OpenWindow> {
  const { server, url } = await serve();
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', ...args],
  });
  const context = await browser.newContext({
    permissions,
    reducedMotion: 'reduce',
    // Not the venue's, which the views say: a device with a wrong zone is an ordinary case.
    timezoneId: 'America/New_York',
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) errors.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}?${query}`);
  await page.waitForSelector('.frame');
  await page.evaluate(() => document.fonts.ready);
  return {
    page,
    errors,
    async show(name, settings = {}) {
      await page.evaluate(
        async ([screen, more]) => {
          window.eventify?.show(screen, more);
          // Svelte draws in a microtask.
          await new Promise((resolve) => setTimeout(resolve));
        },
        [name, settings] as const,
      );
    },
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
