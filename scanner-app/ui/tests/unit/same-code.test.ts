import { expect, test } from 'vitest';

import { SAME_CODE_MS, SameCode } from '../../src/camera/same-code';

test('a ticket that stays before the camera for a minute is one scan', () => {
  const same = new SameCode();
  const scans = Array.from({ length: 600 }, (_, picture) => same.isNew('a', picture * 100)).filter(Boolean);
  expect(scans).toHaveLength(1);
});

test('another ticket is another scan at once', () => {
  const same = new SameCode();
  expect([same.isNew('a', 0), same.isNew('b', 100), same.isNew('a', 200)]).toEqual([true, true, true]);
});

test('the same ticket is scanned again after it was away', () => {
  const same = new SameCode();
  expect([same.isNew('a', 0), same.isNew('a', SAME_CODE_MS - 1), same.isNew('a', 2 * SAME_CODE_MS)]).toEqual([
    true,
    false,
    true,
  ]);
});
