import { expect, test } from 'vitest';
import { safeHref } from './href';

test.each([
  ['https://example.org/x', 'https://example.org/x'],
  ['/d/abc/my-dashboard?var-a=1', './dashboards/abc?var-a=1'],
  ['d/abc', './dashboards/abc'],
  ['/alerts', './alerts'],
  ['?var-x=1', '?var-x=1'],
  ['javascript:alert(1)', undefined],
  ['  JaVaScript:alert(1)', undefined],
  ['data:text/html,x', undefined],
  ['//elsewhere.example', undefined],
])('%s becomes %s', (url, want) => expect(safeHref(url)).toBe(want));
