import { describe, expect, test, vi } from 'vitest';

import { formats } from '../src/formats';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const evening = new Date(2026, 5, 14, 19, 43, 7).getTime();

/** Languages write narrow and unbreakable spaces; which one is not our rule. */
const plain = (text: string): string => text.replaceAll(/[\u00a0\u202f]/g, ' ');

describe('English', () => {
  const f = formats('en', null);

  test('counts one and many', () => {
    const forms = { one: '# scan left', other: '# scans left' };
    expect([0, 1, 2, 1240].map((count) => f.plural(count, forms))).toEqual([
      '0 scans left',
      '1 scan left',
      '2 scans left',
      '1,240 scans left',
    ]);
  });

  test('tells ages in a unit that is fine enough', () => {
    expect(f.ago(6 * SECOND)).toBe('6 seconds ago');
    expect(f.ago(119 * SECOND)).toBe('119 seconds ago');
    expect(f.ago(8 * MINUTE + 59 * SECOND)).toBe('8 minutes ago');
    expect(f.duration(3 * 60 * MINUTE)).toBe('3 hours');
    expect(f.duration(-5)).toBe('0 seconds');
  });

  test('names the day only if it is another one', () => {
    expect(f.moment(evening, evening + MINUTE)).toBe('19:43');
    expect(f.moment(evening, evening + 24 * 60 * MINUTE)).toBe('June 14, 19:43');
  });

  test('lists doors as a choice', () => {
    expect(f.either(['North gate', 'South gate', 'Court'])).toBe('North gate, South gate, or Court');
    expect(f.either([])).toBe('');
  });
});

describe('French', () => {
  const f = formats('fr', null);

  test('counts none like one', () => {
    const forms = { one: 'reste # scan', other: 'restent # scans' };
    expect([0, 1, 2, 1240].map((count) => plain(f.plural(count, forms)))).toEqual([
      'reste 0 scan',
      'reste 1 scan',
      'restent 2 scans',
      'restent 1 240 scans',
    ]);
  });

  test('writes decimals and ages its way', () => {
    expect(plain(f.seconds(1_420))).toBe('1,4 s');
    expect(plain(f.milliseconds(24))).toBe('0,02s');
    expect(plain(f.ago(8 * MINUTE))).toBe('il y a 8 minutes');
    expect(f.moment(evening, evening + 24 * 60 * MINUTE)).toBe('14 juin, 19:43');
  });
});

test('a countdown ends at nought, and shows its last second as one', () => {
  const f = formats('en', null);
  expect([222_000, 60_000, 59_001, 1, 0, -400].map((ms) => f.countdown(ms))).toEqual([
    '3:42',
    '1:00',
    '1:00',
    '0:01',
    '0:00',
    '0:00',
  ]);
});

describe('times of a venue', () => {
  // Half past midnight in Tokyo, of the next day; in the evening in Paris.
  const show = Date.UTC(2026, 5, 6, 15, 30, 5);

  test('are those of its clocks, whatever the device shows', () => {
    expect(formats('en', 'Europe/Paris').time(show)).toBe('17:30');
    expect(formats('en', 'Asia/Tokyo').clock(show)).toBe('00:30:05');
    expect(plain(formats('en', 'Asia/Tokyo').moment(show, show - 60 * MINUTE))).toBe('June 7, 00:30');
    expect(formats('en', 'Europe/Paris').moment(show, show - 60 * MINUTE)).toBe('17:30');
  });

  test('go on when clocks go back', () => {
    const paris = formats('en', 'Europe/Paris');
    const first = Date.UTC(2026, 9, 25, 0, 30);
    expect([first, first + 60 * MINUTE, first + 120 * MINUTE].map((at) => paris.time(at))).toEqual([
      '02:30',
      '02:30',
      '03:30',
    ]);
  });

  test('are the device\u2019s where the zone is not known', () => {
    for (const unknown of [null, 'Mars/Olympus', '']) {
      expect(formats('en', unknown).time(evening)).toBe('19:43');
    }
  });
});

test('a screen that is drawn a thousand times makes its formatters once', () => {
  let made = 0;
  const construct = (maker: () => object, given: unknown[]): object => {
    made += 1;
    return Reflect.construct(maker, given) as object;
  };
  const get = (intl: typeof Intl, name: keyof typeof Intl): unknown =>
    new Proxy(intl[name] as () => object, { construct });
  vi.stubGlobal('Intl', new Proxy(Intl, { get: (intl, name) => get(intl, name as keyof typeof Intl) }));
  const draw = (language: string): string => {
    const f = formats(language, 'Asia/Tokyo');
    return [
      f.clock(evening),
      f.age(78 * SECOND),
      f.seconds(1_200),
      f.milliseconds(31),
      f.percent(0.5),
    ].join();
  };
  const first = [draw('en'), draw('fr')];
  const afterOne = made;
  for (let view = 0; view < 1_000; view += 1) expect([draw('en'), draw('fr')]).toEqual(first);
  vi.unstubAllGlobals();
  expect(made).toBe(afterOne);
  expect(afterOne).toBeGreaterThan(0);
});
