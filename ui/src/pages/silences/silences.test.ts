import { expect, test } from 'vitest';
import type { Silence } from '../../api/alertmanager';
import { draftOfSilence, inOrder } from './silences';

const silence = (
  id: string,
  state: Silence['status']['state'],
  startsAt: string,
  endsAt: string,
): Silence => ({
  id,
  matchers: [{ name: 'job', value: 'feed', isRegex: false, isEqual: true }],
  startsAt,
  endsAt,
  updatedAt: '',
  createdBy: 'ann',
  comment: 'maintenance',
  status: { state },
});
const at = (clock: string) => `2026-05-01T${clock}:00Z`;

test('what ends soon comes first, what ended last comes after all', () => {
  const all = [
    silence('old', 'expired', at('01:00'), at('02:00')),
    silence('late', 'active', at('10:00'), at('18:00')),
    silence('recent', 'expired', at('01:00'), at('09:00')),
    silence('next', 'pending', at('13:00'), at('14:00')),
    silence('soon', 'active', at('10:00'), at('12:30')),
  ];
  expect(inOrder(all).map((s) => s.id)).toEqual(['soon', 'late', 'next', 'recent', 'old']);
});

test('a silence that lasts is changed, one that has ended is made again for as long', () => {
  const now = Date.parse(at('12:00'));
  expect(draftOfSilence(silence('a', 'active', at('10:00'), at('12:30')), now)).toMatchObject({
    id: 'a',
    startsAt: at('10:00'),
    duration: '30m',
    matchers: 'job="feed"',
  });
  const again = draftOfSilence(silence('b', 'expired', at('09:00'), at('11:00')), now);
  expect([again.id, again.startsAt, again.duration]).toEqual([undefined, undefined, '2h']);
});
