// Finds text for people that stands in a Svelte file in the place of a message file, by the file's syntax tree.
//
// Text is: letters between tags; letters in attributes that people read or hear; sentences (two words or more)
// in any string of markup or script.

import { parse, type AST } from 'svelte/compiler';

export interface Found {
  line: number;
  text: string;
}

/** Attributes and properties of components that people read or hear. */
const READ = new Set([
  'title',
  'alt',
  'placeholder',
  'label',
  'aria-label',
  'aria-description',
  'aria-valuetext',
  'name',
  'what',
  'why',
  'word',
]);
/** Printed on keyboards, the same in all languages. */
const KEYS = /^(Esc|F\d{1,2})$/;

const LETTERS = /\p{L}/u;
const SENTENCE = /\p{L}\S*\s+\p{L}/u;

interface Node {
  type: string;
  start: number;
  [property: string]: unknown;
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

function children(node: Node): Node[] {
  return Object.entries(node)
    .filter(([property]) => property !== 'css' && property !== 'comments')
    .flatMap(([, value]) => (Array.isArray(value) ? value : [value]))
    .filter(isNode);
}

/** What a node says to people, if anything. `attribute`: the name of the one that it is in. */
function said(node: Node, attribute: string | null, element: string): string | null {
  if (node.type === 'Text') {
    const text = String(node.data).trim();
    if (!LETTERS.test(text) || KEYS.test(text)) return null;
    if (attribute === null) return text;
    // `name` is a word of people only as a property of a component.
    const read = READ.has(attribute) && (attribute !== 'name' || /^[A-Z]/.test(element));
    return read && !/^[a-z][a-zA-Z]*$/.test(text) ? text : null;
  }
  const text =
    node.type === 'Literal'
      ? node.value
      : node.type === 'TemplateElement'
        ? (node.value as { raw: string }).raw
        : null;
  return typeof text === 'string' && SENTENCE.test(text) ? text : null;
}

export function textsIn(source: string): Found[] {
  const root: AST.Root = parse(source, { modern: true });
  const found: Found[] = [];
  const visit = (node: Node, attribute: string | null, element: string): void => {
    // Errors and logs are for those who mend the program.
    if (node.type === 'NewExpression' && (node.callee as Node).name === 'Error') return;
    if (node.type === 'ImportDeclaration') return;
    const text = said(node, attribute, element);
    if (text !== null) found.push({ line: source.slice(0, node.start).split('\n').length, text });
    const within =
      node.type === 'Attribute' ? String(node.name) : node.type === 'Fragment' ? null : attribute;
    const of = typeof node.name === 'string' && /Element|Component/.test(node.type) ? node.name : element;
    for (const child of children(node)) visit(child, within, of);
  };
  for (const part of [root.fragment, root.instance?.content, root.module?.content]) {
    if (part) visit(part as unknown as Node, null, '');
  }
  return found;
}
