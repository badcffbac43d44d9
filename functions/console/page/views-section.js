// How often a media was viewed, for whoever may ask: its owner, and admins.

import { element, failure, replace } from './elements.js';
import { field } from './forms.js';
import { counted } from './format.js';
import { viewsChart } from './chart.js';

const SPANS = [7, 30, 90, 365];

export function viewsSection({ api, signal }, mediaId) {
  const totals = element('p', { class: 'totals' });
  const figure = element('div', { 'aria-live': 'polite' });
  let asked = new AbortController();
  const load = async (days) => {
    // What was asked before would be shown over it, if it were answered later.
    asked.abort();
    asked = new AbortController();
    const either = AbortSignal.any([asked.signal, signal]);
    try {
      const views = await api.get(`/media/${mediaId}/analytics`, { query: { days }, signal: either });
      const { total_views, unique_viewers, daily } = views;
      replace(totals, `${counted(total_views, 'view')} by ${counted(unique_viewers, 'viewer')} in all`);
      replace(figure, viewsChart(daily));
    } catch (error) {
      if (!either.aborted) replace(figure, failure(error));
    }
  };
  const options = SPANS.map((days) => [String(days), `Last ${days} days`]);
  const span = field({ name: 'days', label: 'Days', type: 'select', options, value: '30' });
  span.addEventListener('change', ({ target }) => load(target.value));
  load(30);
  return element(
    'section',
    { class: 'card', 'aria-labelledby': 'views-heading' },
    element('div', { class: 'heading' }, element('h2', { id: 'views-heading' }, 'Views'), span),
    totals,
    figure,
    element('p', { class: 'hint' }, 'The owner’s own are not counted.'),
  );
}
