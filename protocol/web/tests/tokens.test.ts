import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { contrast, deltaE1976, deltaE2000, lab, linear, seen, type Vision } from '../src/colour';
import { CLASSES, DRILL, FILLS, LEAST_MM, PX_PER_MM, SIZES, textPairs, THEMES, toCss } from '../src/tokens';

const VISIONS: Vision[] = ['normal', 'protan', 'deutan', 'tritan'];
const pairs = <T>(all: readonly T[]): [T, T][] =>
  all.flatMap((one, at) => all.slice(at + 1).map((other): [T, T] => [one, other]));

describe('the measures', () => {
  test('contrast is that of WCAG', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.478, 3);
  });

  // Pairs 1, 7, 14, 17, 25 and 34 of the test data that Sharma, Wu and Dalal published with CIEDE2000.
  test.each([
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, 0, 0], [50, -1, 2], 2.3669],
    [[50, 2.5, 0], [50, 0, -2.5], 4.3065],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644],
    [[2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082],
  ] as const)('the distance of %j and %j is %f', (one, other, expected) => {
    expect(deltaE2000(one, other)).toBeCloseTo(expected, 4);
  });

  test('white is the same to everybody', () => {
    for (const vision of VISIONS) {
      expect(deltaE2000(lab(linear('#ffffff')), lab(seen(linear('#ffffff'), vision)))).toBeLessThan(1);
    }
  });
});

test.each(textPairs())('%s has a contrast of 7 to 1', (_, text, surface) => {
  expect(contrast(text, surface)).toBeGreaterThanOrEqual(7);
});

describe.each(VISIONS)('to %s vision', (vision) => {
  const colour = (hex: string) => lab(seen(linear(hex), vision));

  // CIE 1976: its scale is even over long distances, which CIEDE2000, made for the least visible ones, shortens.
  test.each(pairs(CLASSES))('%s and %s are far apart', (one, other) => {
    expect(deltaE1976(colour(FILLS[one].fill), colour(FILLS[other].fill))).toBeGreaterThanOrEqual(40);
  });

  // … and some eight times the least visible difference by the newer formula too.
  test.each(pairs(CLASSES))('%s and %s are not alike by CIEDE2000 either', (one, other) => {
    expect(deltaE2000(colour(FILLS[one].fill), colour(FILLS[other].fill))).toBeGreaterThanOrEqual(18);
  });

  test.each(CLASSES)('%s is far from a drill', (name) => {
    expect(deltaE1976(colour(FILLS[name].fill), colour(DRILL.fill))).toBeGreaterThanOrEqual(40);
  });

  // To protan vision the red of STOP is nearly black: there its octagon and its word say it.
  test.each(CLASSES)('%s stands out from the ground of every theme', (name) => {
    for (const { ground } of Object.values(THEMES)) {
      expect(deltaE1976(colour(FILLS[name].fill), colour(ground))).toBeGreaterThanOrEqual(15);
    }
  });
});

test('no theme changes what a colour means', () => {
  const css = toCss();
  for (const name of CLASSES) {
    expect(css.match(new RegExp(`--${name}: `, 'g'))).toHaveLength(1);
    expect(css.match(new RegExp(`--fill: ${FILLS[name].fill};`, 'g'))).toHaveLength(1);
  }
});

test('no text is smaller than can be read in the hand', () => {
  for (const sizes of Object.values(SIZES)) {
    for (const size of Object.values(sizes)) expect(size).toBeGreaterThanOrEqual(LEAST_MM.text * PX_PER_MM);
  }
});

test('tokens.css is made from the table ("npm run tokens" writes it)', () => {
  expect(readFileSync(join(import.meta.dirname, '../src/tokens.css'), 'utf8')).toBe(toCss());
});
