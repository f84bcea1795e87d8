import { describe, expect, test } from 'vitest';
import { dashboardLinksOf, linkAddress, withTags } from './dashboardLinks';
import type { ResolvedVariable } from './interpolate';
import { variablesOf } from './variables';

const variables = variablesOf({
  templating: { list: [{ type: 'custom', name: 'job', query: 'a,b', multi: true }] },
}).map((variable): ResolvedVariable => ({
  variable,
  options: [],
  current: { value: ['a', 'b c'], text: ['a', 'b c'] },
}));
const taken = { range: { from: 'now-6h', to: 'now' }, variables };

describe('a link of a dashboard', () => {
  test.each([
    ['takes nothing along', '/d/x', false, false, '/d/x'],
    ['takes the time along', '/d/x', true, false, '/d/x?from=now-6h&to=now'],
    ['takes all values of a variable along', '/d/x?a=1', false, true, '/d/x?a=1&var-job=a&var-job=b+c'],
    [
      'keeps what the address says itself',
      '/d/x?from=1&var-job=z',
      true,
      true,
      '/d/x?from=1&var-job=z&to=now',
    ],
    [
      'keeps the part behind #',
      'https://wiki.example/p#top',
      true,
      false,
      'https://wiki.example/p?from=now-6h&to=now#top',
    ],
  ])('%s', (_, url, keepTime, keepVariables, want) =>
    expect(linkAddress(url, { keepTime, keepVariables }, taken)).toBe(want),
  );

  test('is read as Grafana writes it, and left out without an address', () => {
    const links = dashboardLinksOf({
      links: [
        {
          type: 'dashboards',
          title: 'More',
          tags: ['kubernetes'],
          asDropdown: true,
          includeVars: true,
          keepTime: true,
        },
        {
          type: 'link',
          title: 'Runbook',
          url: 'https://wiki.example/p',
          tooltip: 'First look',
          targetBlank: true,
        },
        { type: 'link', title: 'Nowhere', url: '' },
      ],
    });
    expect(links).toEqual([
      {
        title: 'More',
        tooltip: '',
        url: undefined,
        tags: ['kubernetes'],
        dropdown: true,
        keepTime: true,
        keepVariables: true,
        newTab: false,
      },
      {
        title: 'Runbook',
        tooltip: 'First look',
        url: 'https://wiki.example/p',
        tags: [],
        dropdown: false,
        keepTime: false,
        keepVariables: false,
        newTab: true,
      },
    ]);
  });

  test('leads to the dashboards that have all of its tags', () => {
    const list = [{ tags: ['a'] }, { tags: ['b', 'a'] }, { tags: [] }];
    expect(withTags(list, ['a', 'b'])).toEqual([{ tags: ['b', 'a'] }]);
    expect(withTags(list, [])).toEqual(list);
  });
});
