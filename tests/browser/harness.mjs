// What the checks of every page share: node CHECK.mjs PAGE [SCREENSHOT_DIR]
// The browser is $CHROMIUM, by default /usr/bin/chromium.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

export const [report, shots] = process.argv.slice(2);
if (!report) {
  console.error(`usage: node ${basename(process.argv[1])} PAGE [SCREENSHOT_DIR]`);
  process.exit(2);
}
export const url = pathToFileURL(resolve(report)).href;
const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
if (shots) mkdirSync(shots, { recursive: true });

export let browser;
let failed = 0;

export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--force-color-profile=srgb', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--no-first-run', '--no-default-browser-check',
    ],
  });
}

/** Opens the page and collects whatever goes wrong in it. */
export async function open(options) {
  const context = await browser.newContext({ colorScheme: 'light', reducedMotion: 'reduce', viewport: { width: 1280, height: 900 }, bypassCSP: true, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`); });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => { if (request.url() !== url && !request.url().startsWith('data:')) faults.push(`request: ${request.url()}`); });
  await page.goto(url);
  await page.waitForSelector('html[data-ready="1"]', { timeout: 20_000 });
  await page.waitForTimeout(100);
  return { page, faults, close: () => context.close() };
}

export const shot = (page, name, options = {}) => (shots ? page.screenshot({ path: join(shots, `${name}.png`), ...options }) : undefined);

const axeSource = readFileSync(axePath, 'utf8');

/** No accessibility violation in a page or a frame; what it frames is looked at by itself. */
export async function axe(page, name) {
  // Evaluated, not inserted: the content security policy of a page forbids inline scripts.
  await page.evaluate(`${axeSource}; undefined`);
  const result = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  const found = result.violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join(', ')}`);
  assert.deepEqual(found, [], `axe, ${name}`);
}

export async function check(name, body) {
  try {
    await body();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n        ${error.message.replaceAll('\n', '\n        ')}`);
  }
}

/** Exit code 0 when everything held. */
export async function finish() {
  await browser.close();
  process.exit(failed === 0 ? 0 : 1);
}
