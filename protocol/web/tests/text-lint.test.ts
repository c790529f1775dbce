import { expect, test } from 'vitest';

import { textsIn } from '../src/text-lint';

test.each([
  ['text between tags', '<p>Enter</p>'],
  ['text in a branch', '{#if a}<b>{x}</b>{:else}Stop{/if}'],
  ['text in a snippet', '{#snippet row()}<i>Row</i>{/snippet}'],
  ['a label that is read out', '<button aria-label="Close the pad">x1</button>'.replace('x1', '')],
  ['a title', '<a href="/" title="Next">{x}</a>'],
  ['a sentence in an expression', "<p>{ok ? 'Scan again' : x}</p>"],
  ['a sentence in a template', '<p>{`Wait ${x} seconds please`}</p>'],
  ['a sentence in the script', "<script>const hint = 'Scan again';</script>"],
  ['a word given to a component', '<Message word="Locked" />'],
  ['a label given to a component', '<Key label="Back to start" />'],
])('finds %s', (_, source) => {
  expect(textsIn(source)).not.toEqual([]);
});

test.each([
  ['messages', '<p title={t.m.title}>{t.m.why}</p>'],
  ['keys of a keyboard', '<kbd>Esc</kbd><Key hint="F10" label={x} />'],
  ['marks and numbers', '<p>{a} · {b}, 12</p>'],
  ['names of icons, shapes and classes', '<Icon name="bellOff" /><div class="one two" role="alert"></div>'],
  ['styles and comments', '<!-- a note to us --><style>p { font: 12px serif; }</style>'],
  ['errors for programmers', "<script>throw new Error('no place for it');</script>"],
])('leaves %s alone', (_, source) => {
  expect(textsIn(source)).toEqual([]);
});

test('names the line', () => {
  expect(textsIn('<p>\n  {x}\n  Ready now\n</p>')).toEqual([{ line: 2, text: 'Ready now' }]);
});
